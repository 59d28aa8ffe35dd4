"""Who is calling: an API key is proven against the deployment that it names."""

import hmac
import re
from dataclasses import field
from datetime import timedelta

from flow_hitl.deployments.ports import DeploymentStore, KeyUses
from flow_hitl.people.access import KeyHolder
from flow_hitl.platform.digests import secret_digest
from flow_hitl.platform.errors import NotFound, Unauthorized
from flow_hitl.platform.ports import Clock
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.throttle import Seldom

_KEY = re.compile(r"hitl_([0-9]{1,15})_([a-z0-9]{1,32})_([A-Za-z0-9_-]{20,100})")
_NOTED_EVERY = timedelta(hours=1)


@dataclass(frozen=True)
class Authenticate:
    """Prove an `Authorization: Bearer hitl_…` header with one read: the deployment's configuration, and its usage.

    That a key was used is written down once an hour by each process, so that a call normally costs no write for it.
    """

    deployments: DeploymentStore
    uses: KeyUses
    clock: Clock
    noted: Seldom = field(default_factory=lambda: Seldom(_NOTED_EVERY))

    def __call__(self, authorization: str | None) -> KeyHolder:
        """Return the key's holder; raises Unauthorized for a key that is missing, unknown, revoked or expired."""
        scheme, _, value = (authorization or "").partition(" ")
        match = _KEY.fullmatch(value.strip()) if scheme.lower() == "bearer" else None
        if match is None:
            raise Unauthorized("Send the header `Authorization: Bearer hitl_…` with an API key of your deployment.")
        deployment_id, key_id, secret = match.groups()
        unknown = Unauthorized("This API key is unknown, revoked or expired. Ask your operator for a new one.")
        now = self.clock.now()
        try:
            deployment, usage = self.deployments.load_with_usage(int(deployment_id), now)
        except NotFound:
            raise unknown from None
        key = deployment.api_keys.get(key_id)
        if key is None or not hmac.compare_digest(key.secret_sha256, secret_digest(secret)):
            raise unknown
        if key.expires_at is not None and now >= key.expires_at:
            raise unknown
        own_id = deployment.deployment_id
        self.noted(f"{own_id}/{key_id}", now, lambda: self.uses.record(own_id, key_id, now))
        return KeyHolder(deployment, key, usage)
