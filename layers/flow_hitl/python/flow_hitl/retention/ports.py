"""What keeps how far the walks have come, and what removes objects."""

from collections.abc import Sequence
from typing import Protocol

from flow_hitl.retention.marks import Marks


class RetentionMarks(Protocol):
    def load(self, deployment_id: int) -> Marks | None:
        """Read a deployment's marks consistently; None before the first run."""

    def save(self, deployment_id: int, marks: Marks) -> None:
        """Write the next version; raises Conflict if another run has written it by now."""


class StoredObjects(Protocol):
    """The objects beside the tables; removing one that is not there changes nothing."""

    def remove_contents(self, names: Sequence[str]) -> None:
        """Remove objects of the content bucket."""

    def remove_emails(self, ids: Sequence[str]) -> None:
        """Remove emails as they were received, by SES's ids."""
