"""A request in the words its responder reads, for emails and pages alike."""

from collections.abc import Mapping, Sequence
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING, Any

from flow_hitl.contract.shapes import Channel
from flow_hitl.mails.contexts import Decision, OptionView, RequestView
from flow_hitl.platform.address import GROUP_PREFIX
from flow_hitl.platform.digests import canonical_json
from flow_hitl.platform.times import readable_time
from flow_hitl.requests.opening.routing import AssignedBy
from flow_hitl.requests.request import Content, Head, HistoryRound, Request, Response, ResumeStatus, Status
from flow_hitl.requests.wording import CommentRule

if TYPE_CHECKING:
    from flow_hitl.requests.deciding.typed_answers import AnswerField
    from flow_hitl.requests.reading.earlier_reviews import EarlierReview

_STATE_CHARS = 200_000
_HAS_GONE_ON = frozenset({ResumeStatus.DELIVERED, ResumeStatus.RESUMED, ResumeStatus.PAUSED_AGAIN})
_NOT_TAKEN = frozenset({ResumeStatus.FAILED, ResumeStatus.RESUME_FAILED})


def request_view(
    request: Request,
    responder: str,
    *,
    may_pass_on: bool = False,
    zone: tzinfo = UTC,
    earlier: "Sequence[EarlierReview]" = (),
) -> RequestView:
    """Return what the notification and the review page show to one of the request's responders."""
    head, content = request.head, request.content
    return RequestView(
        deployment_name=content.deployment_name,
        flow_name=head.flow_name or content.deployment_name,
        method_name=head.method_name,
        title=request.title,
        message=content.message,
        output=content.output,
        options=option_views(request),
        free_text=head.free_text,
        state=_shown(content.state),
        history=tuple(HistoryRound(**entry) for entry in _recent(content.history)),
        assigned_to=responder,
        assigned_why=_assigned_why(head, content),
        deadline_text=_deadline_text(request, zone),
        answer_until=head.token_expires_at,
        due_at=head.sla_due_at,
        may_pass_on=may_pass_on,
        test=head.test,
        metadata=_shown(content.metadata),
        fields=asked_fields(content),
        editable=content.editable,
        may_ask=head.questions,
        thread=head.thread,
        attachments=content.attachments,
        earlier=earlier,
    )


def asked_fields(content: Content) -> "Sequence[AnswerField]":
    """Return the fields of the typed answer that a request asks for, if it does."""
    if content.response_schema is None:
        return ()
    from flow_hitl.requests.deciding.typed_answers import fields_of

    return fields_of(content.response_schema)


def _values(request: Request, response: Response) -> Sequence[tuple[str, str]]:
    """Return the typed answer that counts: titles, and values in words."""
    data = response.data
    if not data:
        return ()
    from flow_hitl.requests.deciding.typed_answers import in_words

    return [(one.title, in_words(data[one.name])) for one in asked_fields(request.content) if one.name in data]


def option_views(request: Request) -> Sequence[OptionView]:
    """Return a request's options as their buttons show them."""
    return tuple(
        OptionView(
            value=value,
            number=number,
            label=option.label,
            hint=option.hint,
            tone=option.tone,
            needs_comment=option.comment is CommentRule.REQUIRED,
        )
        for number, (value, option) in enumerate(request.options.items(), 1)
    )


def _shown(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the state, or a note that it is too large to show."""
    if len(canonical_json(state)) <= _STATE_CHARS:
        return state
    return {"(state)": f"is longer than the {_STATE_CHARS:,} characters that can be shown here"}


def _recent(history: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Return as many of the latest rounds as fit."""
    room, first = _STATE_CHARS, len(history)
    for entry in reversed(history):
        room -= len(canonical_json(entry))
        if room < 0:
            break
        first -= 1
    return history[first:]


def decision_of(request: Request) -> Decision | None:
    """Return the answer that counts, if there is one."""
    response = request.response
    if response is None:
        return None
    return Decision(
        outcome=response.outcome,
        label=request.label_of(response.outcome) if response.outcome is not None else None,
        via=Channel(response.responded_via),
        at=response.responded_at,
        feedback=response.feedback,
        comment=response.comment,
        by=response.responder if request.head.group_members and response.responder_verified else None,
        values=_values(request, response),
        edited=response.output is not None,
    )


def what_follows(request: Request) -> str:
    """Return what happens with the answer that counts, as a clause."""
    resume = request.head.resume
    if resume and resume.status in _HAS_GONE_ON:
        return "the flow resumes with it"
    if request.content.resume_url is None:
        return "the flow fetches it"
    if resume and resume.status in _NOT_TAKEN:
        return "the flow could not resume with it yet"
    return "the flow resumes with it as soon as it arrives"


def repeats(response: Response, outcome: str | None, written: str) -> bool:
    """Tell whether an answer is the one that counts; a comment next to an outcome does not matter."""
    if response.outcome is None or outcome is None:
        return outcome is None and is_said(written, response)
    return outcome == response.outcome


def is_said(written: str, response: Response) -> bool:
    """Tell whether the answer that counts includes this text."""
    # Browsers end lines with CRLF.
    return written.replace("\r\n", "\n").strip() in (
        response.comment,
        f"{response.feedback}\n{response.comment}".strip(),
    )


def news_of(request: Request) -> str | None:
    """Return how a request was closed, for someone still viewing it as open; None if it is open."""
    decision = decision_of(request)
    if request.head.status is Status.PENDING:
        return None
    if decision is None:
        return "The request was cancelled, so it no longer needs an answer."
    answer = f'"{decision.label}"' if decision.outcome is not None else "with feedback"
    if decision.via is Channel.AUTO_RESPONSE:
        told = f"No one answered in time, so the answer is {answer}"
    else:
        response = request.response
        who = response.responder if response and response.responder_verified else None
        told = f"{who or 'Someone else'} answered {answer}"
    return f"{told}, {readable_time(decision.at)}. The first answer counts."


def _assigned_why(head: Head, content: Content) -> str:
    if head.group_members:
        return _group_asked(head, content)
    deployment_name = content.deployment_name
    match head.assigned_by:
        case AssignedBy.REQUEST if head.test:
            return f'someone who manages the deployment "{deployment_name}" sent you this test'
        case AssignedBy.REQUEST:
            return "the flow assigned it to your address"
        case AssignedBy.ASSIGN_FROM_INPUT:
            return f'the routing rule "{head.routing_rule}" takes your address from the flow\'s state'
        case AssignedBy.ASSIGN_TO_EMAIL if content.shortfall:
            return f"{_passed_over(head, content)}; the rule names you for that case"
        case AssignedBy.ASSIGN_TO_EMAIL:
            return f'the routing rule "{head.routing_rule}" sends {head.method_name} to you'
        case AssignedBy.REASSIGNMENT if head.passed_on_by:
            return f"{head.passed_on_by} passed the request on to you"
        case AssignedBy.REASSIGNMENT if by := reassigned_by(head, content):
            return f"{by} reassigned this to you"
        case AssignedBy.REASSIGNMENT if head.assigned_before:
            before = head.assigned_before.removeprefix(GROUP_PREFIX)
            return f"email to {before} could not be delivered, so the request was passed on to you"
        case AssignedBy.REASSIGNMENT:
            return "the request was passed on to you"
        case AssignedBy.DEPLOYMENT_CREATOR if content.shortfall:
            return f'{_passed_over(head, content)}; you created the deployment "{deployment_name}"'
        case AssignedBy.DEPLOYMENT_CREATOR:
            return f'you created the deployment "{deployment_name}" and no routing rule chose anyone else'


def _group_asked(head: Head, content: Content) -> str:
    """Return why the members of a group are asked, including after a delegation."""
    asked, others = head.assigned_to_email.removeprefix(GROUP_PREFIX), len(head.group_members) - 1
    each = f"you and {others} more, and the first answer counts"
    if head.passed_on_by:
        return f"the request went to {asked}, and {head.passed_on_by} passed it on: {each}"
    if head.assigned_by is AssignedBy.REASSIGNMENT:
        by = reassigned_by(head, content)
        return f"{by} reassigned this to {asked}: {each}" if by else f"the request was passed on to {asked}: {each}"
    if content.shortfall and head.assigned_by is AssignedBy.ASSIGN_TO_EMAIL:
        return f"{_passed_over(head, content)}; the rule names {asked} for that case: {each}"
    rule = f' by the routing rule "{head.routing_rule}"' if head.routing_rule else ""
    return f"the request went to {asked}{rule}: {each}"


def _passed_over(head: Head, content: Content) -> str:
    return f'the routing rule "{head.routing_rule}" should have assigned the request, but {content.shortfall}'


def reassigned_by(head: Head, content: Content) -> str | None:
    """Return who last reassigned a request, in words; None if it was the service or is unknown."""
    return who_did(head.reassigned_by, content)


def who_did(actor: str | None, content: Content) -> str | None:
    """Return who is behind an audit event's actor, as responders may know them."""
    kind, _, name = (actor or "").partition("/")
    if kind == "member":
        return name
    return f'a program of the deployment "{content.deployment_name}"' if kind == "api_key" else None


def _deadline_text(request: Request, zone: tzinfo) -> str | None:
    due, options = request.head.auto_response, request.head.emit_options
    if due is None:
        return None
    answer = request.label_of(due.default_outcome) if due.default_outcome in options else due.default_outcome
    return f'If no one answers by {readable_time(due.due_at, zone)}, the answer will be "{answer}".'
