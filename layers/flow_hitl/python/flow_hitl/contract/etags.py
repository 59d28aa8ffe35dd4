"""ETags of configuration documents: who changes one says which state of it they have seen."""

import hashlib
from typing import Any

from flow_hitl.platform.digests import canonical_json
from flow_hitl.platform.errors import PreconditionFailed

_ANY = "*"


def etag(document: Any) -> str:
    """Return the strong ETag of a JSON document: it changes with the content and with nothing else."""
    return f'"{hashlib.sha256(canonical_json(document).encode()).hexdigest()[:32]}"'


def require_match(if_match: str | None, document: Any) -> None:
    """Raise PreconditionFailed unless `If-Match` names the document as it is, or is `*`; None asks for nothing."""
    if if_match is None:
        return
    tags = {tag.strip() for tag in if_match.split(",")}
    if not tags & {_ANY, etag(document)}:
        raise PreconditionFailed("This was changed since you read it. Read it again, apply your change, and send that.")
