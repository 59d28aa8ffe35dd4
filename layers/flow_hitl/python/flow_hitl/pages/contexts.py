"""What the dashboard's pages show: plain data for `templates/pages/`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar, Literal

from flow_hitl.deployments.deployment import DeploymentName
from flow_hitl.diagnosis.findings import AnsweredQuestion
from flow_hitl.mails.contexts import Decision, FileView, RequestView
from flow_hitl.pages.requests.actions import RequestActions
from flow_hitl.pages.requests.answer_form import NO_MORE, AnswerForm
from flow_hitl.pages.requests.timeline import TimelineEntry
from flow_hitl.people.sign_in_rules import HOME, SignInRefusal
from flow_hitl.platform.records import dataclass
from flow_hitl.requests.request import Status

Section = Literal["requests", "analytics", "audit", "settings"]

NOTICES: Mapping[str, str] = {
    "signed_out": "You are signed out in this browser.",
    "signed_out_everywhere": "You are signed out in every browser.",
    "answered": "Your answer was recorded.",
    "asked": "Your question is on its way to the flow. Its answer comes by email and appears here.",
    "passed_on": "The request is with someone else now.",
    "saved": "Saved.",
    "added": "Added.",
    "moved": "Moved. The first rule that matches decides.",
    "removed": "Removed.",
    "revoked": "The key was revoked and no longer works.",
    "pinged": "The test ping is on its way. The result appears below in a moment.",
    "redelivered": "It is being resent. The result appears in a moment.",
    "reassigned": "The request was reassigned.",
    "cancelled": "The request was cancelled.",
    "resume_retried": "The answer is being resent to the flow.",
    "test_sent": "The test request is on its way. Answer its email; this page then shows the result.",
    "export_started": "The export is being written. Reload this page to see its progress.",
}
"""The notices that a page shows after a form was sent, by the slug in its address: `?notice=…`."""


@dataclass(frozen=True, kw_only=True)
class Shell:
    """What surrounds every page of a signed-in person; `deployments` are theirs, this one included.

    Each form carries `form_token` as `csrf`.
    """

    email: str
    deployment: DeploymentName
    deployments: Sequence[DeploymentName]
    section: Section
    manages: bool
    form_token: str
    notice: str | None = None


@dataclass(frozen=True, kw_only=True)
class SignInPage:
    """Where someone asks for the sign-in email."""

    template: ClassVar[str] = "pages/sign_in.html"
    next_page: str = HOME
    email: str = ""
    problem: str | None = None
    notice: str | None = None


@dataclass(frozen=True, kw_only=True)
class SignInCodePage:
    """Where they enter its code, by the time `until`; it does not say whether an email was sent."""

    template: ClassVar[str] = "pages/sign_in_code.html"
    email: str
    until: datetime
    problem: str | None = None


@dataclass(frozen=True, kw_only=True)
class SignInLinkPage:
    """What its link opens: a button, because email scanners open links."""

    template: ClassVar[str] = "pages/sign_in_link.html"
    email: str


@dataclass(frozen=True, kw_only=True)
class SignInRefusedPage:
    """Why a code or link was refused, and what to do."""

    template: ClassVar[str] = "pages/sign_in_refused.html"
    reason: SignInRefusal


@dataclass(frozen=True, kw_only=True)
class DeploymentRow:
    """A deployment, with how many requests wait for the reader, and for anybody; None where that was not counted."""

    name: DeploymentName
    own: str | None = None
    pending: str | None = None


@dataclass(frozen=True, kw_only=True)
class DeploymentsPage:
    """The deployments of someone who has several, or none."""

    template: ClassVar[str] = "pages/deployments.html"
    email: str
    deployments: Sequence[DeploymentRow]
    form_token: str


ProblemKind = Literal[
    "not_found",
    "forbidden",
    "changed",
    "elsewhere",
    "rate_limited",
    "signed_out",
    "form",
    "busy",
    "too_large",
    "failed",
]


@dataclass(frozen=True, kw_only=True)
class ProblemPage:
    """What went wrong, and what to do; `detail` is a sentence, `written` what was typed, to copy."""

    template: ClassVar[str] = "pages/problem.html"
    kind: ProblemKind
    detail: str | None = None
    next_page: str = HOME
    written: str = ""
    minutes: int = 0


SlaState = Literal["none", "open", "soon", "overdue", "met", "missed"]


@dataclass(frozen=True, kw_only=True)
class ListRow:
    """A request in the list: how long it waits or waited, and how long until it is due or how late it is or was.

    `by` is who answered, as a person reads it.
    """

    request_id: str
    address: str
    title: str
    method_name: str
    flow_name: str
    message: str
    assigned_to: str
    created_at: datetime
    waiting_seconds: int
    sla: SlaState
    sla_seconds: int
    status: str
    outcome: str | None
    by: str | None
    decided_at: datetime | None
    automatic: bool
    test: bool


@dataclass(frozen=True, kw_only=True)
class ListLink:
    """Another view of the list; `count` is how many requests it has."""

    text: str
    address: str
    current: bool = False
    count: str | None = None


@dataclass(frozen=True, kw_only=True)
class FirstStep:
    """One thing to do with a new deployment."""

    text: str
    address: str
    done: bool


ListSorted = Literal["ascending", "descending"]


@dataclass(frozen=True, kw_only=True)
class ListColumn:
    """The head of a column: `address` sorts by it, or the other way round where it is `sorted` by it."""

    text: str
    address: str
    sorted: ListSorted | None = None


@dataclass(frozen=True, kw_only=True)
class ListPlace:
    """Where one is in a list: rows `first` to `last` of `total`, which is not known where the list is filtered."""

    first: int
    last: int
    total: str | None = None


ListView = Literal["mine", "pending", "history", "all"]


@dataclass(frozen=True, kw_only=True)
class ListFilters:
    """The search and filters above the list, as typed; `first_day` and `last_day` are days in UTC.

    So are `first_answered` and `last_answered`, which narrow the list to what was answered then.
    """

    text: str = ""
    method: str = ""
    flow: str = ""
    assignee: str = ""
    outcome: str = ""
    first_day: str = ""
    last_day: str = ""
    order: str = ""
    first_answered: str = ""
    last_answered: str = ""

    @property
    def answered(self) -> bool:
        return bool(self.first_answered or self.last_answered)

    @property
    def any(self) -> bool:
        return bool(self.text or self.narrow)

    @property
    def narrow(self) -> bool:
        """Whether anything but the search is set."""
        days = self.first_day or self.last_day
        return bool(self.method or self.flow or self.assignee or self.outcome or days or self.answered)


@dataclass(frozen=True, kw_only=True)
class RequestsPage:
    """The list of open or closed requests: all for managers, for others their own.

    `address` is its own; at `news_address` it asks whether the list still has this `mark`. `selectable`: the reader may
    answer what it lists. `partly_sorted`: more match than the rows that were sorted.
    """

    template: ClassVar[str] = "pages/requests.html"
    shell: Shell
    view: ListView
    tabs: Sequence[ListLink]
    columns: Sequence[ListColumn]
    filters: ListFilters
    rows: Sequence[ListRow]
    place: ListPlace | None
    previous_address: str | None
    next_address: str | None
    clear_address: str
    address: str
    news_address: str | None = None
    mark: str = ""
    first_steps: Sequence[FirstStep] = ()
    selectable: bool = False
    partly_sorted: bool = False

    @property
    def pending(self) -> bool:
        return self.view in ("mine", "pending")


@dataclass(frozen=True, kw_only=True)
class AnswersRow:
    """One of several requests to be answered alike, and why it was not, a sentence."""

    request_id: str
    address: str
    title: str
    message: str
    flow_name: str
    problem: str | None


@dataclass(frozen=True, kw_only=True)
class AnswersOption:
    """An option that several requests have, as it reads in the first of them; `tone` is that of its button."""

    value: str
    label: str
    tone: str


@dataclass(frozen=True, kw_only=True)
class AnswersPage:
    """Several requests to be answered with one of the `options` that all have, or answered with an `outcome`."""

    template: ClassVar[str] = "pages/answers.html"
    shell: Shell
    rows: Sequence[AnswersRow]
    options: Sequence[AnswersOption] = ()
    outcome: str | None = None
    comment: str = ""


@dataclass(frozen=True, kw_only=True)
class HelpPage:
    """How to answer, the keys, and where to read on."""

    template: ClassVar[str] = "pages/help.html"


@dataclass(frozen=True, kw_only=True)
class Onward:
    """The outcome that was just given, and what waits next for the same person, one of `left`."""

    outcome: str | None
    title: str = ""
    message: str = ""
    address: str | None = None
    left: str = ""


@dataclass(frozen=True, kw_only=True)
class RequestSheet:
    """A request as a signed-in person sees it, with all that they may do.

    `reaches_nobody`: no email reaches the assignees. `actions` is for managers. After a refused form, it has what was
    written and the `problem`, a sentence; `beaten`: another answer came first, with `answered_before` their own, with
    `repeated` the same one.
    """

    request_id: str
    address: str
    request: RequestView
    status: Status
    assigned_to: str
    created_at: datetime
    decided_at: datetime | None
    sla_due_at: datetime | None
    decision: Decision | None
    resume: str | None
    timeline: Sequence[TimelineEntry]
    may_answer: bool
    shown: str
    files: Sequence[FileView] = ()
    warnings: Sequence[str] = ()
    reaches_nobody: bool = False
    actions: RequestActions | None = None
    comment: str = ""
    form: AnswerForm = NO_MORE
    delegate_to: str = ""
    question: str = ""
    problem: str | None = None
    beaten: bool = False
    answered_before: bool = False
    repeated: bool = False
    onward: Onward | None = None


@dataclass(frozen=True, kw_only=True)
class RequestPage:
    """The review page of a signed-in person, or, once it is decided, the outcome."""

    template: ClassVar[str] = "pages/request.html"
    shell: Shell
    sheet: RequestSheet


@dataclass(frozen=True, kw_only=True)
class DiagnosisPage:
    """Why nothing has happened with a request, whose page is at `address`."""

    template: ClassVar[str] = "pages/diagnosis.html"
    shell: Shell
    address: str
    flow_name: str
    method_name: str
    questions: Sequence[AnsweredQuestion]
