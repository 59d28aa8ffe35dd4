"""The files beside an output: how their types are known, how they are named when sent, and which an email shows."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote

from flow_hitl.platform.records import dataclass
from flow_hitl.requests.request import Attachment, MediaType

MOST_BYTES = 3 * 1024 * 1024
"""Of all attachments of a request together."""

# What an email carries itself; base64 adds a third.
_MOST_IN_EMAIL = 200 * 1024
_ENDINGS: Mapping[MediaType, Sequence[str]] = {
    MediaType.PNG: (".png",),
    MediaType.JPEG: (".jpg", ".jpeg"),
    MediaType.GIF: (".gif",),
    MediaType.WEBP: (".webp",),
    MediaType.PDF: (".pdf",),
}
_BEGINNINGS: Sequence[tuple[MediaType, re.Pattern[bytes]]] = (
    (MediaType.PNG, re.compile(rb"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")),
    (MediaType.JPEG, re.compile(rb"\xff\xd8\xff[\xc0-\xfe]")),
    (MediaType.GIF, re.compile(rb"GIF8[79]a.{7}", re.DOTALL)),
    (MediaType.WEBP, re.compile(rb"RIFF.{4}WEBPVP8[ LX]", re.DOTALL)),
    (MediaType.PDF, re.compile(rb"%PDF-[12]\.[0-9]")),
)


@dataclass(frozen=True)
class File:
    """An attachment with its bytes."""

    attachment: Attachment
    content: bytes


def file_of(name: str, media_type: MediaType, content: bytes) -> File:
    return File(Attachment(name, media_type, len(content), hashlib.sha256(content).hexdigest()), content)


def type_of(content: bytes) -> MediaType | None:
    """Return the media type that the first bytes say, None for one that is not taken: SVG, HTML, and anything else."""
    return next((media_type for media_type, begins in _BEGINNINGS if begins.match(content)), None)


def is_image(attachment: Attachment) -> bool:
    return attachment.media_type.startswith("image/")


def shown_in_email(attachments: Sequence[Attachment]) -> Sequence[Attachment]:
    """Return the images that an email carries: the first ones, up to 200 KiB together."""
    return tuple(_fitting(attachments))


def _fitting(attachments: Sequence[Attachment]) -> Iterator[Attachment]:
    room = _MOST_IN_EMAIL
    for one in filter(is_image, attachments):
        if one.size <= room:
            room -= one.size
            yield one


def readable_size(size: int) -> str:
    return f"{max(1, round(size / 1024))} KB" if size < 1024 * 1024 else f"{size / 1024 / 1024:.1f} MB"


def disposition(attachment: Attachment) -> str:
    """Return the Content-Disposition of an attachment: images are shown, PDFs are saved.

    The name ends as its type does, so that what was saved opens as what it was checked to be.
    """
    endings, name = _ENDINGS[attachment.media_type], attachment.name
    if not name.lower().endswith(tuple(endings)):
        name += endings[0]
    how = "inline" if is_image(attachment) else "attachment"
    return f"{how}; filename=\"attachment{endings[0]}\"; filename*=UTF-8''{quote(name, safe='')}"
