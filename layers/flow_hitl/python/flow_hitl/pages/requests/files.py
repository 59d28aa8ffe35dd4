"""The attachments of a request as its pages show them."""

from collections.abc import Sequence

from flow_hitl.mails.contexts import FileView
from flow_hitl.requests.attachments import embedded, is_image, readable_size
from flow_hitl.requests.request import Attachment


def page_files(attachments: Sequence[Attachment], paths: Sequence[str]) -> Sequence[FileView]:
    """Return the attachments, each at its path."""
    return [
        FileView(
            name=one.name,
            size=readable_size(one.size),
            url=path,
            shows=is_image(one),
            frame=None if is_image(one) else embedded(path),
        )
        for one, path in zip(attachments, paths, strict=True)
    ]
