"""A folder that an export goes to: it gets its name when it is whole, and is removed if it does not become so."""

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

SUMS, MANIFEST, README = "SHA256SUMS", "manifest.json", "README.txt"

_README = """An export of all that a team owns of its Flow HITL deployments.

manifest.json            what is here, in numbers, and what is not, and why
SHA256SUMS               checks all files: sha256sum --check SHA256SUMS
suppressed.jsonl         addresses that get no email at all; only in an export of all deployments

In the folder of each deployment, deployment-N:
deployment.json          name, quotas, settings, groups, routing rules, members, API keys without their secrets
requests.jsonl           each request with its content and answer, one a line, newest first, as the API shows it;
                         attachments name their file, "doubts" say what cannot be read or was changed
attachments              images and PDFs, by request
emails.jsonl             received emails that the audit log names; the folder emails has them as they were received
discarded-emails.jsonl   received emails that decided nothing
webhooks.jsonl           webhooks without their secrets
deliveries.jsonl         what webhooks were told in the last 90 days
figures.jsonl            figures by day and month: in total, by reviewer, flow, and method
suppressed.jsonl         addresses that get no email from this deployment
audit                    the audit log with its signed digests and manifest; see python audit/verify_audit.py --help
"""


class ExportDirectory:
    """A new folder for the operator alone; entering makes it beside `path` as `<path>.part`, `finish` renames it.

    Files are written piece by piece, also while another is being written.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._part = path, path.with_name(f"{path.name}.part")
        self.files = self.bytes = 0

    def __enter__(self) -> Self:
        """Raises FileExistsError if the folder or the one of an earlier, killed run is there."""
        for one in (self.path, self._part):
            if one.exists():
                raise FileExistsError(str(one))
        self._part.mkdir(mode=0o700, parents=True)
        self._sums = (self._part / SUMS).open("w", encoding="utf-8")
        self.write(README, [_README.encode()])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sums.close()
        shutil.rmtree(self._part, ignore_errors=True)

    def write(self, name: str, content: Iterable[bytes]) -> str:
        path, digest, size = self._part / name, hashlib.sha256(), 0
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            for piece in content:
                file.write(piece)
                digest.update(piece)
                size += len(piece)
        self.files, self.bytes = self.files + 1, self.bytes + size
        self._sums.write(f"{digest.hexdigest()}  {name}\n")
        return digest.hexdigest()

    def has(self, name: str) -> bool:
        return (self._part / name).exists()

    def documents(self, name: str) -> Iterator[Any]:
        with (self._part / name).open(encoding="utf-8") as lines:
            yield from map(json.loads, lines)

    def finish(self, manifest: Mapping[str, Any]) -> None:
        """Write the manifest, with what was counted of files, and give the folder its name."""
        self._sums.close()
        with (self._part / SUMS).open("rb") as file:
            sums = hashlib.file_digest(file, "sha256").hexdigest()
        whole = {**manifest, "files": self.files, "bytes": self.bytes, "sha256sums_sha256": sums}
        (self._part / MANIFEST).write_text(f"{json.dumps(whole, ensure_ascii=False, indent=1)}\n", encoding="utf-8")
        self._part.replace(self.path)
