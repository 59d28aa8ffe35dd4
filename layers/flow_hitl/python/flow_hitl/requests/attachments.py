"""The files beside an output: how their types are known, how they are named when sent, and which an email shows."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal
from urllib.parse import quote

from flow_hitl.platform.records import dataclass
from flow_hitl.requests.request import Attachment, MediaType

MOST_BYTES = 3 * 1024 * 1024
"""Of all attachments of a request together."""

MOST_PIXELS = 50_000_000
"""Of an image: whoever looks at it has four bytes of memory for each."""

EMBEDDED = "embedded"
"""The parameter of a link by which a page of ours shows the file in a frame."""

# What an email carries itself; base64 adds a third.
_MOST_IN_EMAIL = 200 * 1024
_ENDINGS: Mapping[MediaType, Sequence[str]] = {
    MediaType.PNG: (".png",),
    MediaType.JPEG: (".jpg", ".jpeg"),
    MediaType.GIF: (".gif",),
    MediaType.WEBP: (".webp",),
    MediaType.PDF: (".pdf",),
}
# No camera or program writes so many.
_MOST_SEGMENTS = 2_000
_JPEG_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_JPEG_DATA = frozenset({0xD9, 0xDA})
# Markers without a length, and filling.
_JPEG_ALONE = frozenset({0x00, 0x01, *range(0xD0, 0xD9), 0xFF})
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


def object_of(request_id: str, attachment: Attachment) -> str:
    """Return the name of an attachment's bytes in the content bucket.

    Named by content: nobody can replace what belongs to another request, and a repeated call writes the same again.
    """
    return f"attachments/{request_id}/{attachment.sha256}"


def type_of(content: bytes) -> MediaType | None:
    """Return the media type that the first bytes say, None for one that is not taken: SVG, HTML, and anything else."""
    return next((media_type for media_type, begins in _BEGINNINGS if begins.match(content)), None)


def pixels_of(media_type: MediaType, content: bytes) -> int | None:
    """Return how many pixels the header of an image promises, None if it does not say; nothing is decoded."""
    match media_type:
        case MediaType.PNG:
            return _number(content, 16, 4, "big") * _number(content, 20, 4, "big")
        case MediaType.GIF:
            return _gif_pixels(content)
        case MediaType.JPEG:
            return _jpeg_pixels(content)
        case _:
            return _webp_pixels(content)


def _number(content: bytes, start: int, size: int, order: Literal["big", "little"] = "little") -> int:
    return int.from_bytes(content[start : start + size], order)


def _gif_pixels(content: bytes) -> int:
    """Browsers make room for the first frame, too, if it is larger than the screen that the header has."""
    screen = _number(content, 6, 2) * _number(content, 8, 2)
    flags = content[10]
    place = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    for _ in range(_MOST_SEGMENTS):
        if content[place : place + 1] == b",":
            return max(screen, _number(content, place + 5, 2) * _number(content, place + 7, 2))
        if content[place : place + 1] != b"!":
            return screen
        place += 2
        while size := _number(content, place, 1):
            place += size + 1
        place += 1
    return screen


def _jpeg_pixels(content: bytes) -> int | None:
    place = 2
    for _ in range(_MOST_SEGMENTS):
        # Decoders, too, skip what is between segments.
        place = content.find(b"\xff", place)
        if place < 0 or place + 9 > len(content):
            return None
        marker = content[place + 1]
        if marker in _JPEG_FRAMES:
            return _number(content, place + 5, 2, "big") * _number(content, place + 7, 2, "big")
        if marker in _JPEG_DATA:
            return None
        place += 1 if marker in _JPEG_ALONE else 2 + _number(content, place + 2, 2, "big")
    return None


def _webp_pixels(content: bytes) -> int:
    if content[12:16] == b"VP8X":
        return (_number(content, 24, 3) + 1) * (_number(content, 27, 3) + 1)
    if content[12:16] == b"VP8L":
        bits = _number(content, 21, 4)
        return ((bits & 0x3FFF) + 1) * ((bits >> 14 & 0x3FFF) + 1)
    return (_number(content, 26, 2) & 0x3FFF) * (_number(content, 28, 2) & 0x3FFF)


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


def embedded(path: str) -> str:
    """Return the address at which a page of ours shows a PDF in a frame: its first page, as wide as the frame."""
    return f"{path}?{EMBEDDED}=yes#navpanes=0&view=FitH"


def disposition(attachment: Attachment, *, is_embedded: bool = False) -> str:
    """Return the Content-Disposition of an attachment: images are shown, PDFs are saved unless a page embeds them.

    The name ends as its type does, so that what was saved opens as what it was checked to be.
    """
    endings, name = _ENDINGS[attachment.media_type], attachment.name
    if not name.lower().endswith(tuple(endings)):
        name += endings[0]
    how = "inline" if is_embedded or is_image(attachment) else "attachment"
    return f"{how}; filename=\"attachment{endings[0]}\"; filename*=UTF-8''{quote(name, safe='')}"
