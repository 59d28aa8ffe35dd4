"""What the dashboard's pages show: plain data, made by the services and rendered from `templates/pages/`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal

from flow_hitl.deployments.deployment import DeploymentName
from flow_hitl.diagnosis.findings import AnsweredQuestion
from flow_hitl.mails.contexts import Decision, RequestView
from flow_hitl.pages.requests.actions import RequestActions
from flow_hitl.pages.requests.timeline import TimelineEntry
from flow_hitl.people.sign_in_rules import HOME, SignInRefusal
from flow_hitl.requests.request import Status

Section = Literal["requests", "analytics", "audit", "settings"]

NOTICES: Mapping[str, str] = {
    "signed_out": "You are signed out in this browser.",
    "signed_out_everywhere": "You are signed out in every browser.",
    "answered": "Your answer was recorded.",
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
"""The one-line notices that a page shows after a form was sent: its address names one as `?notice=…`."""


@dataclass(frozen=True, kw_only=True)
class Shell:
    """What surrounds every page of somebody who is signed in to a deployment.

    `form_token` stands in each form as `csrf`. `deployments` are those to choose from, this one among them.
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
    """Where somebody asks for the mail that signs them in."""

    template: ClassVar[str] = "pages/sign_in.html"
    next_page: str = HOME
    email: str = ""
    problem: str | None = None
    notice: str | None = None


@dataclass(frozen=True, kw_only=True)
class SignInCodePage:
    """Where they type its code, until the moment; whether a mail was sent is not said."""

    template: ClassVar[str] = "pages/sign_in_code.html"
    email: str
    until: datetime
    problem: str | None = None


@dataclass(frozen=True, kw_only=True)
class SignInLinkPage:
    """What its link opens: a button, because mail scanners open links."""

    template: ClassVar[str] = "pages/sign_in_link.html"
    email: str


@dataclass(frozen=True, kw_only=True)
class SignInRefusedPage:
    """Why a code or link does not sign in, and what to do."""

    template: ClassVar[str] = "pages/sign_in_refused.html"
    reason: SignInRefusal


@dataclass(frozen=True, kw_only=True)
class DeploymentsPage:
    """The deployments of somebody who has several, or none."""

    template: ClassVar[str] = "pages/deployments.html"
    email: str
    deployments: Sequence[DeploymentName]
    form_token: str


ProblemKind = Literal["not_found", "forbidden", "rate_limited", "signed_out", "form", "too_large", "failed"]


@dataclass(frozen=True, kw_only=True)
class ProblemPage:
    """What went wrong, and what to do; `detail` is a whole sentence, `written` what somebody typed and may copy."""

    template: ClassVar[str] = "pages/problem.html"
    kind: ProblemKind
    detail: str | None = None
    next_page: str = HOME
    written: str = ""
    minutes: int = 0


SlaState = Literal["none", "open", "soon", "overdue", "met", "missed"]


@dataclass(frozen=True, kw_only=True)
class ListRow:
    """One request in the list.

    `waiting_seconds` is how long it waits, or waited; `sla_seconds` until it is due, or how late it is
    or was, both positive.
    """

    address: str
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
    automatic: bool
    test: bool


@dataclass(frozen=True, kw_only=True)
class ListLink:
    """Another view of the list: its name, its address, whether it is the one shown, and how many it has, as text."""

    text: str
    address: str
    current: bool = False
    count: str | None = None


@dataclass(frozen=True, kw_only=True)
class ListFilters:
    """What somebody has filled in above the list, as they did."""

    text: str = ""
    method: str = ""
    flow: str = ""
    assignee: str = ""
    outcome: str = ""
    order: str = ""

    @property
    def any(self) -> bool:
        return bool(self.text or self.method or self.flow or self.assignee or self.outcome)


@dataclass(frozen=True, kw_only=True)
class RequestsPage:
    """The list of requests: open ones, or closed ones; of everybody for who manages, else one's own."""

    template: ClassVar[str] = "pages/requests.html"
    shell: Shell
    pending: bool
    tabs: Sequence[ListLink]
    orders: Sequence[tuple[str, str]]
    filters: ListFilters
    rows: Sequence[ListRow]
    newest_address: str | None
    next_address: str | None
    clear_address: str


@dataclass(frozen=True, kw_only=True)
class RequestSheet:
    """A request as a signed-in person sees it, with all that they may do.

    `may_answer`: it is open, and they are asked. `reaches_nobody`: no mail reaches who is asked. `decision` is the
    answer that counts. `actions` are there for those who manage. After a refused form there are what was written and
    the `problem`, a sentence; `beaten`: another answer came first, which with `answered_before` was their own, and with
    `repeated` the same as now.
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
    warnings: Sequence[str] = ()
    reaches_nobody: bool = False
    actions: RequestActions | None = None
    comment: str = ""
    delegate_to: str = ""
    problem: str | None = None
    beaten: bool = False
    answered_before: bool = False
    repeated: bool = False


@dataclass(frozen=True, kw_only=True)
class RequestPage:
    """The review page of a signed-in person, or, once it is decided, how it was."""

    template: ClassVar[str] = "pages/request.html"
    shell: Shell
    sheet: RequestSheet


@dataclass(frozen=True, kw_only=True)
class DiagnosisPage:
    """Why nothing has happened with a request: the troubleshooting questions, answered.

    `address` is that of the request's page.
    """

    template: ClassVar[str] = "pages/diagnosis.html"
    shell: Shell
    address: str
    flow_name: str
    method_name: str
    questions: Sequence[AnsweredQuestion]
