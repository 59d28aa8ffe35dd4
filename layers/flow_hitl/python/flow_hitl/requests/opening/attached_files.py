"""The files that come with a new request, as they were sent and as they are kept."""

import base64
import binascii
from collections.abc import Sequence
from typing import Protocol

from flow_hitl.platform.errors import FieldError
from flow_hitl.requests.attachments import MOST_BYTES, MOST_PIXELS, File, file_of, pixels_of, type_of
from flow_hitl.requests.request import MediaType


class Sent(Protocol):
    """A file as it is sent: its content in base64, and the type that its sender says."""

    name: str
    media_type: MediaType
    content: str


def read_files(wishes: Sequence[Sent]) -> tuple[Sequence[File], Sequence[FieldError]]:
    """Return the files, and what is wrong with any of them."""
    files, errors = [], []
    for number, wish in enumerate(wishes):
        place = f"/attachments/{number}"
        try:
            content = base64.b64decode(wish.content, validate=True)
        except (binascii.Error, ValueError):
            errors.append(FieldError(f"{place}/content", "must be base64, without line breaks"))
            continue
        found = type_of(content)
        if found is None:
            problem = "must be a PNG, JPEG, GIF, or WebP image, or a PDF, by its first bytes"
            errors.append(FieldError(f"{place}/content", problem))
        elif found != wish.media_type:
            errors.append(FieldError(f"{place}/media_type", f"must be {found}, which the content is"))
        elif wrong := _size_problem(found, content):
            errors.append(FieldError(f"{place}/content", wrong))
        else:
            files.append(file_of(wish.name, found, content))
    if not errors and sum(one.attachment.size for one in files) > MOST_BYTES:
        errors.append(FieldError("/attachments", "must not be larger than 3 MiB (3,145,728 bytes) together"))
    return files, errors


def _size_problem(media_type: MediaType, content: bytes) -> str | None:
    """Return what is wrong with the size of an image: a small file may ask for all the memory of whoever opens it."""
    if media_type is MediaType.PDF:
        return None
    pixels = pixels_of(media_type, content)
    if pixels is None:
        return "must be an image whose header says its width and height"
    return f"must not have more than {MOST_PIXELS:,} pixels" if pixels > MOST_PIXELS else None
