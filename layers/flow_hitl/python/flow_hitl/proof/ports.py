"""Stores of digests and exports, and the sealing key."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from flow_hitl.deployments.ports import TransactionPart
from flow_hitl.proof.export import AuditExport
from flow_hitl.proof.verify_audit import Trust

# In a digest as the store returns it: others have been laid over it, or it was deleted.
OVERLAID = "overlaid"


class SealStore(Protocol):
    """The digests, sections, and public keys, all written once."""

    def ends(self, after: str = "") -> Iterator[str]:
        """Yield the ends of later periods (RFC 3339) that have a digest, in order."""

    def digest(self, until: str) -> Mapping[str, Any] | None:
        """Return the signed digest of a period as it was first written, with OVERLAID if that was not all.

        It is possibly forged: {} if it is no JSON object.
        """

    def add_digest(self, signed: Mapping[str, Any]) -> Mapping[str, Any]:
        """Write a digest unless its period has one; return the stored one."""

    def section(self, deployment_id: int, until: str) -> bytes | None: ...

    def add_section(self, deployment_id: int, until: str, content: bytes) -> bytes:
        """Write a section unless it exists; return the stored one."""

    def public_key(self, name: str) -> bytes | None:
        """Return the published key of this fingerprint (PEM), possibly forged."""

    def add_public_key(self, public_key: bytes) -> None:
        """Publish a key (DER) next to what it verifies."""


class ExportStore(Protocol):
    """Exports of the audit log, while their files are kept."""

    def load(self, deployment_id: int, export_id: str) -> AuditExport:
        """Read an export consistently; raises NotFound."""

    def adding(self, export: AuditExport) -> TransactionPart:
        """Return the part of `DeploymentStore.commit` that adds an export."""

    def commit(self, export: AuditExport) -> None:
        """Write an export's next version; raises Conflict if it exists."""

    def recent(self, deployment_id: int, limit: int) -> Sequence[AuditExport]:
        """Return the latest exports, newest first."""


class ExportFiles(Protocol):
    def write(self, key: str, content: Iterable[bytes]) -> tuple[int, str]:
        """Write a file without keeping all of it in memory; return its size in bytes and its SHA-256."""

    def link(self, key: str) -> str:
        """Return a URL of a file that works for an hour."""

    def read(self, key: str) -> Iterator[bytes]:
        """Yield a file piece by piece."""


class ExportQueue(Protocol):
    def send(self, deployment_id: int, export_id: str) -> None:
        """Continue the work on an export."""


class SealKey(Protocol):
    """A key pair whose private key never leaves KMS."""

    def sign(self, message: bytes) -> bytes:
        """Return the DER signature, by ECDSA over P-256 with SHA-256."""

    def public_key(self) -> bytes:
        """Return the DER SubjectPublicKeyInfo."""

    def trusted(self) -> Trust:
        """Return this key and those that it has replaced."""
