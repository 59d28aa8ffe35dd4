"""Erasing what was reviewed, once a request is decided: the log keeps its digest, and the decision stays."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from flow_hitl.audit.bound import bound_digest
from flow_hitl.audit.chain import EventKind
from flow_hitl.requests.bound import StoredRequest, mismatches
from flow_hitl.requests.request import Change, Content, Request, Stamp, Status, note


class NotErasable(Exception):
    """The content must stay: the request is pending, or what is stored is not what the log says."""


def without_content(content: Content) -> Content:
    """Return what is left of a content: nothing but the name of its deployment."""
    return Content(
        message="",
        output=None,
        state={},
        metadata={},
        history=(),
        resume_url=None,
        warnings=(),
        deployment_name=content.deployment_name,
    )


def erase_content(
    request: Request,
    chain: Sequence[Mapping[str, Any]],
    reason: Mapping[str, Any],
    objects: Sequence[str],
    *,
    stamp: Stamp,
) -> Change | None:
    """Return the step that erases the content of a decided request; None if that has been done.

    `objects` are those in the content bucket that go with it. Raises NotErasable, also if the request's records are not
    what its chain says: once erased, nobody could tell any more that they had been changed.
    """
    head, content, response = request.head, request.content, request.response
    if head.content_erased_at is not None:
        return None
    if head.status is Status.PENDING:
        raise NotErasable("is pending")
    if not chain:
        raise NotErasable("has no events")
    for found in mismatches(StoredRequest(head, content, response), chain):
        raise NotErasable(f"was changed: its event {found.seq} {found.detail}")
    left = without_content(content)
    digests = {"kept_sha256": bound_digest(content), "left_sha256": bound_digest(left)}
    data = {**reason, **digests, "objects": list(objects)}
    # The title and the labels of the options are of the content, too.
    erased: dict[str, Any] = {"content_erased_at": stamp.at, "summary": "", "labels": {}}
    change = note(head, EventKind.CONTENT_ERASED, data, stamp=stamp, **erased)
    return replace(change, content=left, response=response and replace(response, output=None, data=None))
