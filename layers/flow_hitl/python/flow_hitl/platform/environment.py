"""The environment of every function: the one class that CDK writes and Lambda reads."""

import os
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

PREFIX = "FLOW_HITL_"


class Settings(BaseModel):
    """Names of what the stack made, and the operator's few choices; each is `FLOW_HITL_<NAME>` in the environment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    requests_table: str
    audit_table: str
    deployments_table: str
    content_bucket: str
    mail_bucket: str
    email_queue_url: str
    resume_queue_url: str
    deadline_queue_url: str
    deadline_queue_arn: str
    relay_retry_queue_url: str
    measure_retry_queue_url: str
    webhook_queue_url: str
    inbound_mail_queue_url: str
    mail_feedback_queue_url: str
    email_dead_letter_queue_url: str
    resume_dead_letter_queue_url: str
    inbound_mail_dead_letter_queue_url: str
    relay_retry_dead_letter_queue_url: str
    stream_dead_letter_queue_url: str
    webhook_key_id: str
    seal_queue_url: str
    seal_bucket: str
    seal_key_id: str
    export_queue_url: str
    sweep_queue_url: str
    export_bucket: str
    scheduler_role_arn: str
    scheduler_group: str
    signing_secret_id: str
    base_url: str
    inbound_domain: str
    mail_from: str
    allow_insecure_urls: str = "false"
    allowed_networks: str = ""

    @property
    def insecure_urls_allowed(self) -> bool:
        """Tell whether the operator allows plain HTTP and addresses of this host for resume URLs (local stack only)."""
        return self.allow_insecure_urls == "true"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Read the settings; raises pydantic's ValidationError that names every one that is missing."""
        return cls(
            **{name: environ[PREFIX + name.upper()] for name in cls.model_fields if PREFIX + name.upper() in environ}
        )

    def to_environment(self) -> dict[str, str]:
        """Return the environment that `from_environment` reads; values may still be CDK tokens."""
        return {PREFIX + name.upper(): value for name, value in self.model_dump().items()}
