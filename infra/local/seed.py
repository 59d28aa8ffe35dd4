"""What a fresh local stack holds: one deployment, and an API key that may do everything."""

import os
from dataclasses import dataclass

from flow_hitl.bootstrap import Application
from flow_hitl.deployments.deployment import Permission
from flow_hitl.platform.system_clock import RandomIds, SystemClock, jitter
from infra.local.state import Operator
from infra.outputs import settings_from_outputs

ORGANIZATION_ID = 1
MANAGER_EMAIL = "manager@example.com"
_UNLIMITED = 1_000_000_000


@dataclass(frozen=True)
class Seeded:
    """The deployment, and the secrets of it that are shown only now."""

    deployment_id: int
    organization_id: int
    api_key: str
    resume_signing_secret: str
    manager_email: str


def seed(operator: Operator) -> Seeded:
    """Create the deployment and its key by the service that the operator's commands use."""
    # The adapters take the endpoint from the environment, as they do inside a function.
    os.environ["AWS_ENDPOINT_URL"] = operator.endpoint_url
    application = Application(settings_from_outputs(operator.outputs), SystemClock(), RandomIds(), jitter)
    manage = application.manage_deployments
    deployment = manage.create(name="Local", creator_email=MANAGER_EMAIL, organization_id=ORGANIZATION_ID)
    # No mail leaves this machine, and what is tried here may come in masses.
    manage.set_quotas(deployment.deployment_id, requests_per_hour=_UNLIMITED, mails_per_day=_UNLIMITED)
    issued = manage.issue_key(deployment.deployment_id, name="local", permissions=frozenset(Permission))
    return Seeded(
        deployment_id=deployment.deployment_id,
        organization_id=deployment.organization_id,
        api_key=issued.text,
        resume_signing_secret=manage.resume_secret(deployment.deployment_id),
        manager_email=MANAGER_EMAIL,
    )
