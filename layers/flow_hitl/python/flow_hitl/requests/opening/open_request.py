"""A flow reaches a review point: check, route, and write its request with its first audit event."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import AfterValidator, Field, JsonValue

from flow_hitl.contract.validation import Assignee, Document, Minutes, Name, NotBlank, is_format, pointer, refuse
from flow_hitl.deployments.deployment import Deployment, FreeText, RoutingRule
from flow_hitl.deployments.quotas import NO_USAGE, Usage, near_quota, over_quota
from flow_hitl.people.access import Action, KeyHolder, actor_name, authorize
from flow_hitl.platform.address import is_mail_address
from flow_hitl.platform.digests import canonical_json
from flow_hitl.platform.errors import FieldError, IdempotencyMismatch, MalformedJson, ValidationFailed
from flow_hitl.platform.outgoing_url import LONGEST_URL, Destinations, url_problem
from flow_hitl.platform.ports import Clock, Ids
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.repeated_calls import Call
from flow_hitl.platform.text import is_printable
from flow_hitl.platform.uuids import uuid_bytes, uuid_text
from flow_hitl.requests.deciding.matching import none_of, options_like, reads_alike, spelling_advice
from flow_hitl.requests.opening.routing import Assignment, assign
from flow_hitl.requests.ports import AttachmentStore, RequestStore
from flow_hitl.requests.request import (
    AttachmentShown,
    Content,
    DueAutoResponse,
    HistoryRound,
    MediaType,
    Request,
    RequestShown,
    Stamp,
    opened,
)
from flow_hitl.requests.wording import (
    LONGEST_HINT,
    LONGEST_LABEL,
    LONGEST_TITLE,
    CommentRule,
    OptionLook,
    OptionShown,
    OptionTone,
)

if TYPE_CHECKING:
    from flow_hitl.requests.attachments import File

_NOT_ONE_LINE = "must be one line of printable characters"
_ASKED_BY_NOBODY = (
    "This deployment forbids self-approval, but metadata.requested_by does not say who asked: anyone may answer."
)
_NOTHING_IS_MAILED = (
    "Email notifications are off in this deployment, so no test email is sent: turn them on and test again."
)
_NO_DEFAULTS = (
    "If the clock answers, response.data will be null: a required field of the response_schema has no default."
)
_NOBODY_MAY_ANSWER = (
    "The request went to the person who asked for it, who may not answer it: reassign it, or add a routing rule."
)


def _uuid_text(value: str) -> str:
    try:
        return uuid_text(uuid_bytes(value))
    except ValueError:
        raise ValueError("must be a UUID, for example 0192f0c1-7e11-7abc-8def-0123456789ab") from None


def _one_line(value: str) -> str:
    if not is_printable(value):
        raise ValueError(_NOT_ONE_LINE)
    return value


def _no_path(value: str) -> str:
    if "/" in value or "\\" in value or value in (".", ".."):
        raise ValueError("must be a file name without a path")
    return value


OneLine = Annotated[str, NotBlank, AfterValidator(_one_line)]


class AutoResponseWish(Document):
    """A request's own auto-response."""

    explained_by: ClassVar = DueAutoResponse

    timeout_minutes: Minutes
    default_outcome: Name


class HistoryEntry(Document):
    """One earlier round of the flow."""

    explained_by: ClassVar = HistoryRound

    method: str
    at: str | None = None
    output: JsonValue = None


class OptionWish(Document):
    """How an emit option is to read to people."""

    explained_by: ClassVar = OptionShown

    label: Annotated[OneLine, Field(max_length=LONGEST_LABEL)] | None = None
    hint: Annotated[OneLine, Field(max_length=LONGEST_HINT)] | None = None
    tone: OptionTone | None = None
    comment: CommentRule = CommentRule.OPTIONAL


class AttachmentWish(Document):
    """An image or a PDF beside the output."""

    explained_by: ClassVar = AttachmentShown

    name: Annotated[OneLine, AfterValidator(_no_path), Field(max_length=200)]
    media_type: MediaType
    content: Annotated[str, Field(json_schema_extra={"contentEncoding": "base64"})]
    """Its bytes in base64. Its type is found by its first bytes, and `media_type` must say the same."""


class NewRequest(Document):
    """The body of `POST /v1/requests`; unknown fields are refused."""

    explained_by: ClassVar = RequestShown

    flow_id: Name
    method_name: Name
    message: Annotated[str, NotBlank]
    title: Annotated[OneLine, Field(max_length=LONGEST_TITLE)] | None = None
    id: Annotated[str, AfterValidator(_uuid_text), is_format("uuid")] | None = None
    """A UUID of your own. The call may then be repeated: the same body gets the same request."""
    flow_name: Name | None = None
    output: JsonValue = None
    emit_options: Annotated[list[Annotated[str, Field(max_length=100), NotBlank]], Field(max_length=50)] = []
    options: dict[str, OptionWish] = {}
    state: dict[str, JsonValue] = {}
    metadata: dict[str, JsonValue] = {}
    history: Annotated[list[HistoryEntry], Field(max_length=100)] = []
    resume_url: Annotated[str, Field(max_length=LONGEST_URL), is_format("uri")] | None = None
    """Where the answer is to be POSTed to. HTTPS at port 443, unless the operator allows more."""
    assigned_to_email: Assignee | None = None
    """Who is asked, an email address or `group:<name>`. Left out, the routing rules choose."""
    auto_response: AutoResponseWish | None = None
    """What the clock answers; null for never. Left out, the rule's or the deployment's holds."""
    sla_target_minutes: Minutes | None = None
    """Minutes for an answer that is on time. Left out, the rule's or the deployment's holds."""
    free_text: FreeText | None = None
    """What happens to an answer that is no emit option. Left out, the deployment's setting holds."""
    approval_ttl_minutes: Minutes | None = None
    """Minutes for which an answer is valid, from the answer on. Left out, the rule's or the deployment's holds."""
    receipt: bool = False
    """Whether the decision is to get a signed receipt, with which others can check what was approved."""
    editable: bool = False
    """Whether the answer may change the values of the output. Its keys and types stay."""
    response_schema: dict[str, JsonValue] | None = None
    """A flat JSON Schema of an object: the typed answer that is asked for. Properties are of type string (with `enum`,
    `format` date, email, or uri, `maxLength`), number, integer (`minimum`, `maximum`), or boolean, with `title`,
    `description`, and `default`; `required` lists names."""
    attachments: Annotated[list[AttachmentWish], Field(max_length=10)] = []
    """Images (PNG, JPEG, GIF, WebP) and PDFs that the reviewer sees beside the output: up to ten, of 3 MiB together.
    They are not scanned for malware."""

    questions: bool = False
    """Whether those who may answer may also ask back. A question is told to the flow as `question_asked`, at its
    `resume_url` and by webhook; `POST /v1/requests/{id}/answers` answers it."""

    @property
    def says_auto_response(self) -> bool:
        """Tell whether the body has `auto_response`: null means never, absence means inherit."""
        return "auto_response" in self.model_fields_set


@dataclass(frozen=True)
class Opened:
    """The request, and whether this call created it."""

    request: Request
    created: bool


@dataclass(frozen=True)
class OpenRequest:
    """Open a request with one transaction, or none if the same call was made before."""

    requests: RequestStore
    clock: Clock
    ids: Ids
    destinations: Destinations
    attachments: Callable[[], AttachmentStore]

    def __call__(self, holder: KeyHolder, wish: NewRequest, call: Call | None = None) -> Opened:
        """Return the request; the caller's `id` or the call's key makes repeated calls harmless.

        Raises Forbidden, ValidationFailed, RateLimited for a new request over a quota, and IdempotencyMismatch if the
        key was used with another body.
        """
        authorize(holder, Action.CREATE)
        return self.open(holder.deployment, wish, call, opened_by=actor_name(holder), used=holder.usage)

    def open(
        self,
        deployment: Deployment,
        wish: NewRequest,
        call: Call | None = None,
        *,
        opened_by: str,
        used: Usage = NO_USAGE,
        test: Document | None = None,
    ) -> Opened:
        """Open a request for an authorized caller, named `opened_by` in the audit log.

        `used` is what the deployment has used of its quotas. For a `test`, which is the body asked for in place of
        `wish`, no flow waits.
        """
        call, digest = (call if wish.id is None else None), _digest(deployment.deployment_id, test or wish)
        try:
            return self._open(deployment, wish, call, digest, opened_by=opened_by, used=used, test=test is not None)
        except ValidationFailed:
            # An earlier request stands, whatever has been configured since.
            existing = self.requests.find(wish.id, call) if wish.id or call else None
            if existing is None or existing.head.body_sha256 != digest:
                raise
            return Opened(existing, created=False)

    def _open(
        self,
        deployment: Deployment,
        wish: NewRequest,
        call: Call | None,
        digest: str,
        *,
        opened_by: str,
        used: Usage,
        test: bool,
    ) -> Opened:
        now = self.clock.now()
        files, unreadable = _files(wish)
        refuse(
            [
                *_emit_option_errors(wish.emit_options),
                *_look_errors(wish),
                *_own_errors(wish, self.destinations),
                *_answer_errors(wish),
                *unreadable,
            ]
        )
        asked_by, doubts = _asked_by(wish, deployment)
        if test:
            doubts = () if deployment.settings.email_notifications else (_NOTHING_IS_MAILED,)
        assignee = wish.assigned_to_email
        if assignee is not None and (refusal := deployment.refusal_of(assignee, asked_by)):
            refuse([FieldError("/assigned_to_email", refusal)])
        assignment = assign(
            method_name=wish.method_name,
            state=wish.state,
            rules=deployment.rules,
            creator_email=deployment.creator_email,
            requested_email=assignee,
            refusal=lambda named: deployment.refusal_of(named, asked_by),
        )
        auto_response, warnings = _auto_response(wish, assignment.matched, deployment)
        warnings = (*warnings, *_undefaulted(wish, auto_response))
        if assignment.shortfall:
            doubts = (_passed_over(assignment), *doubts)
        if deployment.only_askers(assignment.email, asked_by):
            doubts = (*doubts, _NOBODY_MAY_ANSWER)
        content = Content(
            message=wish.message,
            output=wish.output,
            state=wish.state,
            metadata=wish.metadata,
            history=tuple(entry.model_dump() for entry in wish.history),
            resume_url=wish.resume_url,
            warnings=(*warnings, *doubts, *near_quota(deployment.quotas, used, now)),
            deployment_name=deployment.name,
            shortfall=assignment.shortfall,
            editable=wish.editable,
            response_schema=wish.response_schema,
            title=wish.title,
            options={value: OptionLook(**look.model_dump()) for value, look in wish.options.items()},
            attachments=tuple(one.attachment for one in files),
        )
        change = opened(
            request_id=wish.id or self.ids.request_id(now),
            # A flow has no name here; a test was opened by someone.
            stamp=Stamp(self.ids.event_id(), now, opened_by if test else "flow"),
            deployment=deployment,
            content=content,
            assignment=assignment,
            flow_id=wish.flow_id,
            flow_name=wish.flow_name,
            method_name=wish.method_name,
            emit_options=tuple(wish.emit_options),
            free_text=wish.free_text or deployment.settings.free_text,
            auto_response=auto_response,
            sla_target_minutes=wish.sla_target_minutes
            or (inherited_sla(assignment.matched, deployment) if not test else None),
            approval_ttl_minutes=wish.approval_ttl_minutes or inherited_approval_ttl(assignment.matched, deployment),
            with_receipt=wish.receipt,
            questions=wish.questions,
            body_sha256=digest,
            not_to_be_answered_by=asked_by,
            test=test,
            created_by=opened_by,
        )
        wanted = Usage(requests=1, mails=int(deployment.settings.email_notifications))
        full = over_quota(deployment.quotas, used, wanted, now)
        # What a repeated call has sent before is not stored again.
        existing = self.requests.find(wish.id, call) if full or files else None
        if existing is None and not full:
            if files:
                self.attachments().keep(change.after.request_id, files)
            existing = self.requests.create(change, content, call)
        if existing is None:
            if full:
                raise full
            return Opened(Request(change.after, content), created=True)
        # The digest covers the deployment, so no other tenant's request is ever shown.
        if existing.head.body_sha256 != change.after.body_sha256:
            raise IdempotencyMismatch("This id or Idempotency-Key stands for a request with another body.")
        return Opened(existing, created=False)


def _digest(deployment_id: int, wish: Document) -> str:
    body: dict[str, Any] = wish.model_dump(mode="json", exclude_unset=True)
    try:
        text = canonical_json([deployment_id, body])
    except ValueError:
        # pydantic accepts these, but a stricter flow could never read its request again.
        raise MalformedJson("NaN, Infinity and numbers beyond a double's range are not JSON.") from None
    return hashlib.sha256(text.encode()).hexdigest()


def _emit_option_errors(options: Sequence[str]) -> list[FieldError]:
    problems = {
        number: f'must differ from "{like}" in more than case, spaces, "_" and "-", which answers are matched without'
        for number, like in enumerate(options_like(options))
        if like is not None
    }
    problems |= {number: _NOT_ONE_LINE for number, option in enumerate(options) if not is_printable(option)}
    return [FieldError(f"/emit_options/{number}", problem) for number, problem in sorted(problems.items())]


def _look_errors(wish: NewRequest) -> Iterator[FieldError]:
    values = list(wish.emit_options)
    labels = {value: look.label for value, look in wish.options.items() if look.label is not None}
    for value, look in wish.options.items():
        if value not in values:
            yield FieldError(pointer(("options", value)), "is not one of the emit options")
        elif (label := look.label) is not None:
            others = [*values, *labels.values()]
            owners = [*values, *labels]
            pairs = zip(others, owners, strict=True)
            like = next((name for name, owner in pairs if owner != value and reads_alike(name, label)), None)
            if like is not None:
                problem = (
                    f'must differ from "{like}", which means another option, in more than case, spaces, "_" and "-"'
                )
                yield FieldError(pointer(("options", value, "label")), problem)


def _own_errors(wish: NewRequest, destinations: Destinations) -> Iterator[FieldError]:
    if wish.resume_url is not None and (problem := url_problem(wish.resume_url, destinations)):
        yield FieldError("/resume_url", problem)
    own = wish.auto_response
    if own and wish.emit_options and own.default_outcome not in wish.emit_options:
        yield FieldError("/auto_response/default_outcome", none_of(own.default_outcome, wish.emit_options))


def _answer_errors(wish: NewRequest) -> Iterator[FieldError]:
    """Yield what is wrong with how it may be answered; requests without all that need not import the rules of it."""
    if wish.editable:
        from flow_hitl.requests.deciding.edits import editing_problem

        if problem := editing_problem(wish.output):
            yield FieldError("/editable", problem)
    if wish.response_schema is not None:
        from flow_hitl.requests.deciding.typed_answers import schema_problems

        yield from schema_problems(wish.response_schema)


def _files(wish: NewRequest) -> "tuple[Sequence[File], Sequence[FieldError]]":
    if not wish.attachments:
        return (), ()
    from flow_hitl.requests.opening.attached_files import read_files

    return read_files(wish.attachments)


def _undefaulted(wish: NewRequest, auto_response: tuple[int, str] | None) -> tuple[str, ...]:
    """Return the warning that the clock cannot give the typed answer."""
    if wish.response_schema is None or auto_response is None:
        return ()
    from flow_hitl.requests.deciding.typed_answers import default_values, fields_of

    return () if default_values(fields_of(wish.response_schema)) is not None else (_NO_DEFAULTS,)


def _passed_over(assignment: Assignment) -> str:
    """Return the warning that someone else is asked than the matching rule intended."""
    return (
        f'The rule "{assignment.rule}" should have assigned this request, but {assignment.shortfall}. '
        f"It went to {assignment.email} instead."
    )


def inherited_sla(rule: RoutingRule | None, deployment: Deployment) -> int | None:
    """Return the SLA in minutes of a request without its own: the rule's, else the deployment's."""
    return (rule.sla_target_minutes if rule else None) or deployment.settings.sla_target_minutes


def inherited_approval_ttl(rule: RoutingRule | None, deployment: Deployment) -> int | None:
    """Return for how many minutes an answer is valid if the request does not say: by the rule, else the deployment."""
    return (rule.approval_ttl_minutes if rule else None) or deployment.settings.approval_ttl_minutes


def inherited_auto_response(rule: RoutingRule | None, deployment: Deployment) -> tuple[int, str] | None:
    """Return timeout in minutes and outcome for a request without its own auto-response; None for never.

    A rule's own auto-response, even if disabled, overrides the deployment's.
    """
    setting = rule.auto_response if rule and rule.auto_response else deployment.settings.auto_response
    if not setting.enabled or setting.timeout_minutes is None or setting.default_outcome is None:
        return None
    return setting.timeout_minutes, setting.default_outcome


def _auto_response(
    wish: NewRequest, rule: RoutingRule | None, deployment: Deployment
) -> tuple[tuple[int, str] | None, tuple[str, ...]]:
    if wish.says_auto_response:
        own = wish.auto_response
        return ((own.timeout_minutes, own.default_outcome) if own else None), ()
    inherited = inherited_auto_response(rule, deployment)
    if inherited and wish.emit_options and inherited[1] not in wish.emit_options:
        whose = f'of the rule "{rule.name}"' if rule and rule.auto_response else "of the deployment"
        named = f'The auto-response "{inherited[1]}" {whose}'
        advice = spelling_advice(inherited[1], wish.emit_options)
        return None, (f"{named} is not an emit option of this request; it will not be answered automatically.{advice}",)
    return inherited, ()


def _asked_by(wish: NewRequest, deployment: Deployment) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the requester's addresses if they must not answer, and a warning if the requester is unknown."""
    if not deployment.settings.forbid_self_approval:
        return (), ()
    if "requested_by" not in wish.metadata:
        return (), (_ASKED_BY_NOBODY,)
    asked_by = wish.metadata["requested_by"]
    if not isinstance(asked_by, str) or not is_mail_address(asked_by):
        message = "must be one plain email address, because this deployment forbids self-approval"
        raise ValidationFailed([FieldError("/metadata/requested_by", message)])
    return deployment.may_be_addresses_of(asked_by), ()
