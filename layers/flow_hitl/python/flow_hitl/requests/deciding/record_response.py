"""The one door: every answer, by email, page, API, or clock, becomes a decision here and nowhere else."""

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any

from flow_hitl.contract.shapes import Channel
from flow_hitl.deployments.deployment import Deployment, FreeText, WebhookEvent
from flow_hitl.people.access import Action, Actor, authorize
from flow_hitl.platform.digests import digest
from flow_hitl.platform.errors import (
    AlreadyResponded,
    AnsweredAlike,
    CommentMissing,
    FieldError,
    NotAnOption,
    ValidationFailed,
    WrongFields,
)
from flow_hitl.platform.ports import Clock, Ids
from flow_hitl.platform.records import dataclass, replace
from flow_hitl.platform.rounds import in_rounds
from flow_hitl.requests.deciding.matching import match_outcome, none_of, read_answer
from flow_hitl.requests.evidence import Shown, ShownKind
from flow_hitl.requests.ports import RequestStore
from flow_hitl.requests.request import (
    UNCHANGED,
    Answer,
    Content,
    Head,
    Request,
    Response,
    Stamp,
    Status,
    decide,
    request_shown,
)
from flow_hitl.requests.wording import CommentRule

MAX_ANSWER_CHARS = 50_000


@dataclass(frozen=True)
class Submission:
    """What someone answers: text whose first line is the feedback, or an outcome chosen by button.

    `output` is the whole output as they changed it, UNCHANGED if they did not; `data` their typed answer, None if the
    lines of the text are to be read for it.
    `verification` says how the responder was proven, `shown` what they saw, `is_cut` that their text was truncated.
    Whoever has just read the `deployment` gives it: from it, the event says whether webhooks want to know.
    """

    request_id: str
    actor: Actor
    via: Channel
    decision_id: str
    text: str
    outcome: str | None = None
    responder: str | None = None
    responder_verified: bool = False
    source: str | None = None
    output: Any = UNCHANGED
    data: Mapping[str, Any] | None = None
    verification: Mapping[str, Any] = field(default_factory=dict)
    shown: Shown | None = None
    is_cut: bool = False
    deployment: Deployment | None = None


@dataclass(frozen=True)
class RecordResponse:
    """Decide a request with one conditional transaction, and a read before it; the first decision is final."""

    requests: RequestStore
    clock: Clock
    ids: Ids
    pause: Callable[[int], None]

    def __call__(self, submission: Submission, known: Request | None = None) -> Request:
        """Return the decided request, also for a repeated answer.

        `known` is the request as the caller has just read it, which saves the first read. Raises Forbidden,
        AlreadyResponded (AnsweredAlike if it is the person's own answer), NotPending, NotAnOption, ValidationFailed,
        NotFound.
        """
        # After a lost response, the next round finds our own decision id.
        unread = [known] if known else []

        def attempt() -> Request:
            return self._record(submission, unread.pop() if unread else self.requests.load(submission.request_id))

        return in_rounds(attempt, self.pause)

    def _record(self, submission: Submission, request: Request) -> Request:
        head = request.head
        authorize(submission.actor, Action.RESPOND, head)
        answer = with_more(interpret(submission, head), submission, request)
        if submission.via is Channel.API:
            answer = replace(answer, shown=Shown(ShownKind.CONTENT, digest(request_shown(request))))
        if request.response is not None and _is_repeated(answer, request.response):
            return request
        try:
            change = decide(
                head,
                answer,
                request.content,
                stamp=Stamp(self.ids.event_id(), self.clock.now(), answer.actor),
            )
        except AlreadyResponded as late:
            if request.response is not None and _is_alike(answer, request.response):
                raise AnsweredAlike(late.detail, **late.extra()) from None
            raise
        self.requests.commit(change)
        return Request(change.after, request.content, change.response)


def interpret(submission: Submission, head: Head) -> Answer:
    """Return the answer a submission gives, by the contract's matching rule.

    Raises ValidationFailed for blank or overlong text or an unknown outcome, and NotAnOption if the person must be
    asked again: the first line names no option, and a later one does or the request takes no free text.
    """
    if len(submission.text) > MAX_ANSWER_CHARS:
        raise ValidationFailed([FieldError("/feedback", f"must not be longer than {MAX_ANSWER_CHARS} characters")])
    reading = read_answer(submission.text, head.option_names if submission.outcome is None else ())
    if not reading.feedback:
        raise ValidationFailed([FieldError("/feedback", "must not be blank")])
    outcome = submission.outcome
    is_open = head.status is Status.PENDING
    if outcome is None:
        outcome = reading.outcome
        asks_again = reading.meant is not None or (head.free_text is FreeText.ASK_AGAIN and head.emit_options)
        if outcome is None and asks_again and is_open:
            raise NotAnOption(head.emit_options, reading.feedback, reading.meant)
    elif outcome not in head.emit_options and is_open:
        absent = "must be absent: this request has no emit options"
        problem = none_of(outcome, head.emit_options) if head.emit_options else absent
        raise ValidationFailed([FieldError("/outcome", problem)])
    return Answer(
        decision_id=submission.decision_id,
        outcome=outcome,
        feedback=reading.feedback,
        comment=reading.comment,
        via=submission.via,
        responder=submission.responder,
        responder_verified=submission.responder_verified,
        source=submission.source,
        verification=submission.verification,
        shown=submission.shown,
        is_cut=submission.is_cut,
        webhooks=_are_told(submission.deployment) if submission.deployment else None,
    )


def _are_told(deployment: Deployment) -> bool:
    return WebhookEvent.RESPONSE_SUBMITTED in deployment.webhook_events


def with_more(answer: Answer, submission: Submission, request: Request) -> Answer:
    """Return an answer with the output and the typed values that its request allows and asks for.

    Raises ValidationFailed, WrongFields if a person's typed values are missing or wrong, and CommentMissing.
    """
    content, is_open = request.content, request.head.status is Status.PENDING
    if content.response_schema is not None:
        answer = _with_data(answer, submission, content.response_schema, is_open=is_open)
    elif submission.data is not None and is_open:
        raise ValidationFailed([FieldError("/data", "must be absent: this request has no response_schema")])
    if submission.output is not UNCHANGED:
        answer = replace(answer, output=_changed(submission.output, content, is_open=is_open))
    if is_open and answer.outcome is not None and _lacks_comment(answer, submission, request):
        raise CommentMissing(answer.outcome, request.label_of(answer.outcome))
    return answer


def _changed(output: Any, content: Content, *, is_open: bool) -> Any:
    """Return the output that an answer brings, None if it is the one that was asked about."""
    from flow_hitl.requests.deciding.edits import is_same, output_problem

    if is_same(content.output, output):
        return None
    if is_open:
        if not content.editable:
            raise ValidationFailed([FieldError("/output", "must be absent: this request is not editable")])
        if problem := output_problem(content.output, output):
            raise ValidationFailed([problem])
    return output


def _with_data(answer: Answer, submission: Submission, schema: Mapping[str, Any], *, is_open: bool) -> Answer:
    """Return an answer with its typed values, those of an email taken out of the comment."""
    from flow_hitl.requests.deciding.typed_answers import (
        default_values,
        fields_of,
        problems_at,
        read_lines,
        read_values,
    )

    fields = fields_of(schema)
    if submission.via is Channel.AUTO_RESPONSE:
        return replace(answer, data=default_values(fields))
    if submission.via is Channel.EMAIL:
        first_line = answer.feedback if answer.outcome is None else ""
        read = read_lines(fields, answer.comment, first_line)
        if read.problems and is_open:
            raise WrongFields(read.problems)
        return replace(answer, data=read.values, comment=read.rest)
    read = read_values(fields, {} if submission.data is None else submission.data)
    if read.problems and is_open:
        raise ValidationFailed(problems_at(read.problems, "/data"))
    return replace(answer, data=read.values)


def _lacks_comment(answer: Answer, submission: Submission, request: Request) -> bool:
    """Tell whether an option needs a comment that the answer does not have; the clock has nothing to say."""
    look = request.content.options.get(answer.outcome or "")
    if look is None or look.comment is not CommentRule.REQUIRED or submission.via is Channel.AUTO_RESPONSE:
        return False
    # Beside an outcome, a program's feedback is the comment, unless it only names the option again.
    names = request.head.option_names
    said = submission.outcome is not None and match_outcome(answer.feedback, names) != answer.outcome
    return not (answer.comment or said)


def _is_alike(answer: Answer, response: Response) -> bool:
    """Tell whether a person repeats their own answer, which counts."""
    if not (answer.responder_verified and response.responder_verified and answer.responder == response.responder):
        return False
    same_text = answer.outcome is not None or (answer.feedback, answer.comment) == (response.feedback, response.comment)
    same_values = (answer.output, answer.data) == (response.output, response.data)
    return answer.outcome == response.outcome and same_text and same_values


def _is_repeated(answer: Answer, response: Response) -> bool:
    if answer.decision_id == response.decision_id:
        return True
    said = (answer.outcome, answer.feedback, answer.comment, answer.output, answer.data)
    same = said == (response.outcome, response.feedback, response.comment, response.output, response.data)
    # A person repeating someone else's answer is told so; a program repeating itself needs no error.
    return same and (
        answer.via is Channel.API or (answer.via, answer.responder) == (response.responded_via, response.responder)
    )
