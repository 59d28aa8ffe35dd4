"""The attachments of an email: the images that it carries, and links to the review page for the rest."""

from collections.abc import Sequence

from flow_hitl.mails.contexts import FileView
from flow_hitl.requests.attachments import readable_size, shown_in_email
from flow_hitl.requests.request import Attachment


def content_id(attachment: Attachment) -> str:
    """Return by which id the HTML names an image of its email."""
    return f"{attachment.sha256[:32]}@flow-hitl"


def email_files(attachments: Sequence[Attachment], review_url: str) -> tuple[Sequence[FileView], Sequence[Attachment]]:
    """Return what an email shows of attachments, and the images that it carries.

    Links lead to the review page: those of attachments work too short a time for an email.
    """
    carried = shown_in_email(attachments)
    files = [
        FileView(
            name=one.name,
            size=readable_size(one.size),
            url=f"cid:{content_id(one)}" if one in carried else f"{review_url}#attachments",
            shows=one in carried,
        )
        for one in attachments
    ]
    # One that was attached twice is shown twice, and carried once.
    return files, tuple({one.sha256: one for one in carried}.values())
