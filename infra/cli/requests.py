"""`flow-hitl request`: look at requests, cancel one, or answer one as another application would."""

import click
from pydantic import ValidationError

from flow_hitl.contract.shapes import as_json
from flow_hitl.people.access import Operator
from flow_hitl.platform.errors import AlreadyResponded, FlowHitlError, NotFound, ValidationFailed
from flow_hitl.platform.times import rfc3339
from flow_hitl.requests.answers import AcceptedAnswer
from flow_hitl.requests.ports import RequestFilter
from flow_hitl.requests.request import Request, Status
from flow_hitl.webhooks.answer_by_callback import CallbackAnswer
from infra.cli.errors import OperatorError
from infra.cli.output import facts, show, table
from infra.cli.target import CommandTarget, deployment_argument, with_target

_SOURCE = "flow-hitl command"
_SHOWN = 20


@click.group()
def request() -> None:
    """List, show, cancel, and answer requests."""


@request.command("list")
@deployment_argument
@click.option("--status", type=click.Choice([one.value for one in Status]), help="Only requests in this state.")
@click.option("--search", metavar="TEXT", default="", help="Only requests whose row has these words.")
@click.option("--limit", type=click.IntRange(1, 100), default=_SHOWN, show_default=True, help="How many at most.")
@with_target
def list_requests(target: CommandTarget, deployment_id: int, status: str | None, search: str, limit: int) -> None:
    """List a deployment's newest requests."""
    operator = Operator(target.manage.show(deployment_id))
    wanted = RequestFilter(statuses=(status,) if status else ())
    page = target.application.list_requests.page(operator, wanted, text=search, limit=limit)
    rows = [
        [one.request_id, one.outcome or one.status, rfc3339(one.created_at), one.assigned_to_email, one.summary[:60]]
        for one in page.rows
    ]
    text = table(["id", "state", "created", "assigned to", "message"], rows) if rows else "There are none."
    more = "There are more: --limit, --status and --search narrow the list. " if page.next_cursor else ""
    step = "request show REQUEST_ID" if rows else f"test-request {deployment_id} --to ADDRESS"
    show(target, {"requests": as_json(page.rows)}, text, f"{more}{target.command(step)}")


@request.command("show")
@click.argument("request_id", metavar="REQUEST_ID")
@with_target
def show_request(target: CommandTarget, request_id: str) -> None:
    """Show a request: who is asked, what came of it, and its message."""
    found = _read(target, request_id)
    head, content, response = found.head, found.content, found.response
    pairs: list[tuple[str, object]] = [
        ("state", head.status.value),
        ("deployment", head.deployment_id),
        ("method", head.method_name),
        ("assigned to", head.assigned_to_email),
        ("created", rfc3339(head.created_at)),
        ("options", ", ".join(head.emit_options)),
    ]
    if response is not None:
        by = response.responder or "nobody named"
        answered = f"{response.outcome or 'free text'}, by {response.responded_via.value}, {by}"
        pairs += [("answer", answered), ("answered", rfc3339(response.responded_at)), ("feedback", response.feedback)]
    pending = head.status is Status.PENDING
    step = f"request answer {request_id} TEXT" if pending else f"doctor {request_id}"
    text = f"{facts(pairs)}\n\n{content.message}"
    show(target, {"request": as_json(found.shown)}, text, target.command(step))


@request.command()
@click.argument("request_id", metavar="REQUEST_ID")
@with_target
def cancel(target: CommandTarget, request_id: str) -> None:
    """Cancel a pending request: nobody is to answer it any more."""
    operator = _operator(target, request_id)
    try:
        cancelled = target.application.cancel_request(operator, request_id)
    except AlreadyResponded as error:
        raise OperatorError("It was answered already.", target.command(f"request show {request_id}")) from error
    text = f"Request {request_id} is canceled."
    show(target, {"request": as_json(cancelled.shown)}, text, target.command(f"request show {request_id}"))


@request.command()
@click.argument("request_id", metavar="REQUEST_ID")
@click.argument("text", metavar="TEXT")
@click.option("--responder", metavar="EMAIL", help="Who decided; it is recorded as claimed, not as proven.")
@with_target
def answer(target: CommandTarget, request_id: str, text: str, responder: str | None) -> None:
    """Answer a request as another application does that has its callback URL.

    TEXT is an option, or free text. The audit log says that it came by API, from this command, and from whom you say.
    Where the requester must not decide, such an answer is refused, as nothing proves who gives it.
    """
    _read(target, request_id)
    application = target.application
    try:
        given = CallbackAnswer(feedback=text, source=_SOURCE, responder=responder)
        token = application.answer_addresses.callback_url(request_id).rpartition("/")[2]
        decided = application.answer_by_callback(token, given)
    except (FlowHitlError, ValidationError) as error:
        why = error.detail if isinstance(error, FlowHitlError) else "the text or the responder is too long"
        if isinstance(error, ValidationFailed):
            why = "; ".join(one.message for one in error.errors)
        raise OperatorError(f"The answer was not taken: {why}", target.command(f"request show {request_id}")) from error
    response = decided.response
    came = f": {response.outcome}" if response and response.outcome else ", as free text"
    show(
        target,
        as_json(AcceptedAnswer("accepted", decided.shown)),
        f"Request {request_id} is answered{came}.",
        target.command(f"doctor {request_id}"),
    )


def _operator(target: CommandTarget, request_id: str) -> Operator:
    """Return who runs the command, in the request's deployment; raises OperatorError if there is no such request."""
    try:
        head = target.application.record_response.requests.head(request_id)
    except NotFound as missing:
        raise OperatorError(missing.detail, target.command("request list ID")) from missing
    return Operator(target.manage.show(head.deployment_id))


def _read(target: CommandTarget, request_id: str) -> Request:
    return target.application.read_requests.get(_operator(target, request_id), request_id, 0)
