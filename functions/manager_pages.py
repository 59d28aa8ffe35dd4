"""What the managers' pages share: permission, forms, and what their paths name."""

import re
from collections.abc import Callable

from flow_hitl.bootstrap import current
from flow_hitl.pages.contexts import RequestSheet
from flow_hitl.pages.settings.view import FilledForm
from flow_hitl.people.access import Action, authorize
from flow_hitl.platform.errors import NotFound
from functions.routing import Response, Routes
from functions.web import Form, Place, enter, see_other

NEW = "new"
"""Stands in a path for something that does not exist yet."""

_MAX_DIGITS = 6
_NAME = re.compile(r"[A-Za-z0-9_]{1,100}")


def enter_managing(routes: Routes, deployment_id: str) -> Place:
    """Return the manager who is looking; raises SignedOut, NotFound, and Forbidden."""
    place = enter(routes, deployment_id)
    authorize(place.member, Action.CONFIGURE, deployment_id=place.deployment_id)
    return place


def managed_request(place: Place, request_id: str) -> RequestSheet:
    """Return a request; raises NotFound if it is not theirs to see, Forbidden if not theirs to manage."""
    sheet = current().request_pages.show(place.member, request_id)
    authorize(place.member, Action.CONFIGURE, deployment_id=place.deployment_id)
    return sheet


def filled(form: Form) -> FilledForm:
    """Return a form as it was sent, with the state that it was made from."""
    return FilledForm(fields=form.fields, etag=form.text("etag"), seen=_whole(form.text("seen")) or 0)


def answered(outcome: object, again: Callable[[FilledForm], Response], address: str, notice: str) -> Response:
    """Show a refused form `again`, else redirect to an address, where a notice says what was done."""
    return again(outcome) if isinstance(outcome, FilledForm) else see_other(f"{address}?notice={notice}")


def place_in_list(text: str) -> int | None:
    """Return the position, from 1, that a path or button names, None for `new`; raises NotFound."""
    if text == NEW:
        return None
    number = _whole(text)
    if not number or str(number) != text:
        raise NotFound("There is no such entry in the list.")
    return number


def name_in(text: str) -> str:
    """Return the id of a webhook or delivery in a path or form; raises NotFound for an impossible one."""
    if not _NAME.fullmatch(text):
        raise NotFound("There is nothing with this name.")
    return text


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS else None
