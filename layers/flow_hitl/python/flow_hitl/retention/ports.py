"""What keeps how far the walks have come, what reads and removes objects, and where an export goes."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

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

    def has_email(self, email: str) -> bool:
        """Tell whether an email is still kept as it was received, by SES's id."""

    def read_email(self, email: str) -> bytes | None:
        """Return an email as it was received, by SES's id; None if it is no longer kept."""


class ExportFolder(Protocol):
    """Where the files of an export go; names are paths within it."""

    def write(self, name: str, content: Iterable[bytes]) -> str:
        """Write a file piece by piece, and return its SHA-256."""

    def has(self, name: str) -> bool: ...

    def documents(self, name: str) -> Iterator[Any]:
        """Yield what the lines of a finished file of JSON lines hold."""
