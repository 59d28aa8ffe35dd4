"""`flow-hitl test-request`: check that email goes out and answers come back."""

from datetime import timedelta

import click
from pydantic import ValidationError

from flow_hitl.audit.chain import AuditEvent, EventKind
from flow_hitl.contract.shapes import as_json
from flow_hitl.platform.errors import ValidationFailed
from flow_hitl.platform.times import rfc3339
from flow_hitl.requests.opening.send_test_request import NewTestRequest
from infra.cli.errors import OperatorError
from infra.cli.output import show
from infra.cli.target import CommandTarget, deployment_argument, with_target

_LOOK_EVERY_SECONDS = 1.0
_HAPPENED = {
    EventKind.REQUEST_CREATED: "the request is open and assigned to {assigned_to_email}",
    EventKind.NOTIFICATION_SENT: "the mail service accepted the email to {to}",
    EventKind.NOTIFICATION_UNDELIVERED: "the email to {to} was not delivered: {reason}",
    EventKind.REQUEST_REASSIGNED: "the request was reassigned to {assigned_to_email}: {reason}",
    EventKind.REPLY_REJECTED: "a reply was rejected: {reason}",
    EventKind.RESPONSE_SUBMITTED: "it was answered via {responded_via}: {feedback}",
}
_OVER = (EventKind.RESPONSE_SUBMITTED, EventKind.REQUEST_CANCELLED)


def _wish(_context: click.Context, _parameter: click.Parameter, value: str) -> NewTestRequest:
    try:
        return NewTestRequest(to=value)
    except ValidationError:
        message = f"{value!r} is neither a plain email address such as alice@example.com nor group:NAME."
        raise click.BadParameter(message) from None


@click.command("test-request")
@deployment_argument
@click.option(
    "--to",
    "wish",
    required=True,
    metavar="ADDRESS",
    callback=_wish,
    help="Who gets it: an email address, or group:NAME.",
)
@click.option(
    "--wait",
    "minutes",
    type=click.FloatRange(min=0, max=24 * 60),
    default=0,
    metavar="MINUTES",
    help="Wait up to this long and report what happens; exit 1 without an answer.  [default: do not wait]",
)
@with_target
def test_request(target: CommandTarget, deployment_id: int, wish: NewTestRequest, minutes: float) -> None:
    """Send a real request, marked as a test.

    It takes the same path as every request, but no flow waits for it and no figure counts it. Answer it to test the
    way back.
    """
    try:
        request = target.application.send_test_request(target.manage.show(deployment_id), wish)
    except ValidationFailed as refused:
        who_may = f"See which addresses are allowed: {target.command(f'settings get {deployment_id}')}"
        raise OperatorError(f"The test was not sent: {wish.to} {refused.errors[0].message}.", who_may) from refused
    for warning in request.content.warnings:
        click.echo(f"Warning: {warning}", err=True)
    request_id = request.head.request_id
    doctor = target.command(f"doctor {request_id}")
    if not minutes:
        text = f"Test request {request_id} is on its way to {wish.to}."
        show(target, {"request": as_json(request.shown)}, text, f"answer it, then check it: {doctor}")
        return
    answer = _answer(target, request_id, timedelta(minutes=minutes))
    if answer is None:
        raise OperatorError(f"Test request {request_id} has no answer after {minutes:g} minutes.", f"See {doctor}")
    result = str(answer.data["test_result"])
    document = {"request": as_json(request.shown), "outcome": answer.data["outcome"], "result": result}
    show(target, document, result, f"see what happened: {doctor}")


def _answer(target: CommandTarget, request_id: str, patience: timedelta) -> AuditEvent | None:
    """Report what happens to a request, and return its answer, or None when patience is over."""
    clock, send = target.application.clock, target.application.send_test_request
    until, told = clock.now() + patience, 0
    while True:
        events = send.timeline(request_id)
        for event in events[told:]:
            _tell(target, event)
        told = len(events)
        over = next((event for event in events if event.kind in _OVER), None)
        if over is not None or clock.now() >= until:
            return over if over is not None and over.kind is EventKind.RESPONSE_SUBMITTED else None
        clock.sleep(_LOOK_EVERY_SECONDS)


def _tell(target: CommandTarget, event: AuditEvent) -> None:
    if event.kind in _HAPPENED and not target.as_json:
        click.echo(f"{rfc3339(event.at)}  {_HAPPENED[event.kind].format(**event.data)}", err=True)
