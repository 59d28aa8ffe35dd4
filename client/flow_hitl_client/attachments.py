"""Images and PDFs beside an output, from a path or bytes."""

import base64
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

_BEGINNINGS: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
)


def attachment_of(source: Any) -> dict[str, str]:
    """Return one attachment as the API takes it: of a path, of a name with bytes, or such a document itself.

    Raises OSError for a file that cannot be read, and ValueError for one that is not a PNG, JPEG, GIF, or WebP image or
    a PDF, by its first bytes.
    """
    if isinstance(source, Mapping):
        return dict(source)
    if isinstance(source, str | os.PathLike):
        name, content = Path(source).name, Path(source).read_bytes()
    else:
        name, content = source
    media_type = next((kind for begins, kind in _BEGINNINGS if content.startswith(begins)), None)
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        media_type = "image/webp"
    if media_type is None:
        raise ValueError(f"{name} is not a PNG, JPEG, GIF, or WebP image or a PDF")
    return {"name": name, "media_type": media_type, "content": base64.b64encode(content).decode()}
