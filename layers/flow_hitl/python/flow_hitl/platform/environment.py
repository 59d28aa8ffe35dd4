"""The environment of every function: the one class that CDK writes and Lambda reads."""

import os
from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields

from flow_hitl.platform.records import dataclass

PREFIX = "FLOW_HITL_"


class SettingsMissing(ValueError):
    """Settings that have no default are not there; `names` are all of them."""

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__(f"missing settings: {', '.join(names)}")
        self.names = names


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Names of what the stack made, and the operator's few choices; each is `FLOW_HITL_<NAME>` in the environment."""

    requests_table: str
    audit_table: str
    deployments_table: str
    content_bucket: str
    mail_bucket: str
    email_queue_url: str
    # By their names, for a function's environment holds 4 KB: `email=name-in-sqs,resume=…`.
    queue_names: str
    dead_letter_queue_names: str
    deadline_queue_arn: str
    webhook_key_id: str
    seal_bucket: str
    seal_key_id: str
    export_bucket: str
    scheduler_role_arn: str
    scheduler_group: str
    signing_secret_id: str
    base_url: str
    inbound_domain: str
    mail_from: str
    allow_insecure_urls: str = "false"
    allowed_networks: str = ""
    # Public keys that signed before the one of `seal_key_id`: `BASE64@TIME,…`.
    earlier_seal_keys: str = ""
    # SES reports bounces of what is sent by it. Empty for the identity's default one.
    mail_configuration_set: str = ""
    # Who calls AWS: see `aws.client`.
    aws_client: str = "auto"

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the names of all settings."""
        return tuple(one.name for one in fields(cls))

    @classmethod
    def required(cls) -> tuple[str, ...]:
        """Return the names of those that have no default."""
        return tuple(one.name for one in fields(cls) if one.default is MISSING)

    @classmethod
    def of(cls, found: Mapping[str, str]) -> "Settings":
        """Make the settings of what was found by name; raises SettingsMissing."""
        missing = tuple(name for name in cls.required() if name not in found)
        if missing:
            raise SettingsMissing(missing)
        return cls(**found)

    @property
    def insecure_urls_allowed(self) -> bool:
        """Tell whether the operator allows plain HTTP and addresses of this host for resume URLs (local stack only)."""
        return self.allow_insecure_urls == "true"

    def queue_url(self, name: str) -> str:
        """Return the URL of a queue."""
        return self._sqs_url(self.queue_names, name)

    @property
    def dead_letter_queues(self) -> tuple[str, ...]:
        """Return what has a dead-letter queue: each queue, `stream` and `schedules`."""
        return tuple(_named(self.dead_letter_queue_names))

    def dead_letter_queue_url(self, name: str) -> str:
        """Return the URL of the dead-letter queue of a queue, or of `stream` or `schedules`."""
        return self._sqs_url(self.dead_letter_queue_names, name)

    @property
    def schedule_dead_letter_queue_arn(self) -> str:
        return f"{self.deadline_queue_arn.rpartition(':')[0]}:{_named(self.dead_letter_queue_names)['schedules']}"

    def _sqs_url(self, queues: str, name: str) -> str:
        return f"{self.email_queue_url.rpartition('/')[0]}/{_named(queues)[name]}"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Read the settings; raises SettingsMissing."""
        named = {name: PREFIX + name.upper() for name in cls.names()}
        return cls.of({name: environ[variable] for name, variable in named.items() if variable in environ})

    def to_environment(self) -> dict[str, str]:
        """Return the environment that `from_environment` reads; values may still be CDK tokens."""
        return {PREFIX + name.upper(): value for name, value in asdict(self).items()}


def _named(queues: str) -> dict[str, str]:
    return dict(pair.split("=") for pair in queues.split(","))
