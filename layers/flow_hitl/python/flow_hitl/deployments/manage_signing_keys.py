"""Rotation of the signing keys: a new one signs from now on, the older ones prove what is still out there."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from flow_hitl.deployments.deployment import Deployment
from flow_hitl.deployments.ports import DeploymentStore
from flow_hitl.platform.errors import FieldError, NotFound, ValidationFailed
from flow_hitl.platform.key_ring import KeyRing
from flow_hitl.platform.ports import Clock
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.times import rfc3339

_HIGHEST_ID = 255


class ChangeableKeyRing(KeyRing, Protocol):
    def write(self, active: str, added: str | None = None, removed: str | None = None) -> None:
        """Make a key active, after adding a new random one or removing one under the ids given."""


@dataclass(frozen=True)
class ManageSigningKeys:
    keys: ChangeableKeyRing
    deployments: DeploymentStore
    clock: Clock

    def ids(self) -> Sequence[str]:
        """Return the ids of all keys, oldest first."""
        return sorted(self.keys.all_keys(), key=int)

    def rotate(self) -> str:
        """Add a key, make it the active one and return its id; every email, link and callback out there stays good."""
        new = next((str(number) for number in range(1, _HIGHEST_ID + 1) if str(number) not in self.ids()), None)
        if new is None:
            raise ValidationFailed([FieldError("", f"there are {_HIGHEST_ID} keys already; retire one first")])
        self.keys.write(active=new, added=new)
        return new

    def retire(self, key_id: str) -> None:
        """Remove a key and with it all that it signed; raises NotFound, or ValidationFailed if it is needed."""
        if key_id not in self.ids():
            raise NotFound(f"There is no signing key {key_id}.")
        if key_id == self.keys.active_id():
            raise ValidationFailed([FieldError("", f"key {key_id} is the active one; rotate first")])
        now = self.clock.now()
        every = map(self.deployments.load, self.deployments.list_ids())
        needing = [_needing(one, now) for one in every if key_id in one.resume_keys(now)]
        if needing:
            reason = (
                f"key {key_id} is what resume signing secrets derive from, of {'; '.join(needing)}. Rotate them first; "
                "once the new ones sign, the key can be retired"
            )
            raise ValidationFailed([FieldError("", reason)])
        self.keys.write(active=self.keys.active_id(), removed=key_id)


def _needing(deployment: Deployment, now: datetime) -> str:
    following = deployment.next_resume_secret(now)
    until = f" (until {rfc3339(following.signs_from)})" if following and following.signs_from else ""
    return f"deployment {deployment.deployment_id}{until}"
