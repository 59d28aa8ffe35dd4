"""Rotation of the signing keys: a new one signs from now on, the older ones prove what is still out there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from flow_hitl.domain.errors import FieldError, NotFound, ValidationFailed
from flow_hitl.ports import DeploymentStore
from flow_hitl.signing.keys import KeyRing

_HIGHEST_ID = 255


class ChangeableKeyRing(KeyRing, Protocol):
    def write(self, active: str, added: str | None = None, removed: str | None = None) -> None:
        """Make a key active, after adding a new random one or removing one under the ids given."""


@dataclass(frozen=True)
class ManageSigningKeys:
    keys: ChangeableKeyRing
    deployments: DeploymentStore

    def ids(self) -> Sequence[str]:
        """Return the ids of all keys, oldest first."""
        return sorted(self.keys.all_keys(), key=int)

    def rotate(self) -> str:
        """Add a key, make it the active one and return its id; every mail, link and callback out there stays good."""
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
        for deployment_id in self.deployments.list_ids():
            if self.deployments.load(deployment_id).resume_key_id == key_id:
                reason = f"deployment {deployment_id} derives its resume signing secret from key {key_id}"
                raise ValidationFailed([FieldError("", reason)])
        self.keys.write(active=self.keys.active_id(), removed=key_id)
