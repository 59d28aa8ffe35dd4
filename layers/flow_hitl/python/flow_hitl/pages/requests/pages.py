"""What signed-in people see of requests and how they answer them, each as the policy allows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from flow_hitl.audit.chain import AuditEvent
from flow_hitl.audit.ports import AuditLog
from flow_hitl.contract.shapes import Channel
from flow_hitl.mails.contexts import FileView
from flow_hitl.mails.mail_feedback import reaches_nobody
from flow_hitl.mails.request_view import decision_of, is_said, news_of, repeats, request_view
from flow_hitl.pages.contexts import (
    FirstStep,
    ListColumn,
    ListFilters,
    ListLink,
    ListPlace,
    ListRow,
    ListSorted,
    ListView,
    Onward,
    RequestSheet,
    RequestsPage,
    Shell,
    SlaState,
)
from flow_hitl.pages.evidence import page_shown, sign_page
from flow_hitl.pages.requests.actions import actions_of
from flow_hitl.pages.requests.answer_form import answer_form, gives_same, is_begun, written
from flow_hitl.pages.requests.review_contexts import WRONG_VALUES, News, refusal
from flow_hitl.pages.requests.timeline import timeline_of
from flow_hitl.people.access import Action, SignedInMember, authorize
from flow_hitl.people.sign_in_rules import Session
from flow_hitl.platform.digests import digest
from flow_hitl.platform.errors import (
    AlreadyResponded,
    AssignedElsewhere,
    NotAsLogged,
    NotPending,
    QuestionsOff,
    SelfApproval,
    ValidationFailed,
)
from flow_hitl.platform.key_ring import KeyRing
from flow_hitl.platform.ports import Clock, Ids
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.times import rfc3339
from flow_hitl.requests.bound import explained
from flow_hitl.requests.changing.delegate import Delegate, Delegation
from flow_hitl.requests.deciding.record_response import RecordResponse, Submission
from flow_hitl.requests.ports import RequestFilter, RequestStore, RowPage
from flow_hitl.requests.reading.list_requests import ListRequests, own_names
from flow_hitl.requests.reading.list_rows import ByColumn, Column, Count, Counts, Order, RequestRow
from flow_hitl.requests.reading.read_as_logged import ReadAsLogged
from flow_hitl.requests.reading.read_earlier_rounds import ReadEarlierRounds
from flow_hitl.requests.request import Request, Response, ResumeStatus, Status

if TYPE_CHECKING:
    from flow_hitl.pages.requests.changes import ChangedLine
    from flow_hitl.requests.deciding.ask_back import AskBack

_ROWS = 25
# A deployment with so many requests needs no list of first steps.
_IN_USE = 10
# In the last quarter of its time, a request is due soon.
_SOON = 0.25
# The orders that a column's head leads to, the first one when it is clicked first. Those in a filter's address of
# earlier versions keep their names.
_PENDING_COLUMNS: Sequence[tuple[str, tuple[Order | ByColumn, Order | ByColumn]]] = (
    ("Request", (ByColumn(Column.TITLE), ByColumn(Column.TITLE, descending=True))),
    ("Flow", (ByColumn(Column.FLOW), ByColumn(Column.FLOW, descending=True))),
    ("Assignee", (ByColumn(Column.ASSIGNEE), ByColumn(Column.ASSIGNEE, descending=True))),
    ("Waiting", (Order.OLDEST, Order.NEWEST)),
    ("SLA", (Order.DUE, ByColumn(Column.DUE, descending=True))),
)
_CLOSED_COLUMNS: Sequence[tuple[str, tuple[Order | ByColumn, Order | ByColumn]]] = (
    ("Request", (ByColumn(Column.TITLE), ByColumn(Column.TITLE, descending=True))),
    ("Flow", (ByColumn(Column.FLOW), ByColumn(Column.FLOW, descending=True))),
    ("Answer", (ByColumn(Column.ANSWER), ByColumn(Column.ANSWER, descending=True))),
    ("Closed", (ByColumn(Column.DECIDED, descending=True), ByColumn(Column.DECIDED))),
    ("Took", (ByColumn(Column.TOOK, descending=True), ByColumn(Column.TOOK))),
)
_RESUMED = {
    "waiting": "The flow has not been told yet.",
    "delivered": "The flow has the answer.",
    "failed": "The flow could not be reached.",
    "resumed": "The flow resumed.",
    "resume_failed": "The flow reported that it could not resume.",
    "paused_again": "The flow resumed and paused again.",
}


@dataclass(frozen=True)
class ListWish:
    """The list that someone asks for; without a view, their own if something waits for them.

    A page begins behind `after` or ends before `before`; `first` is the number of its first row, as far as the reader
    was told.
    """

    view: ListView | None
    filters: ListFilters
    after: str | None = None
    before: str | None = None
    first: int = 1


@dataclass(frozen=True)
class RequestPages:
    """Read, answer and pass on requests on the dashboard."""

    requests: RequestStore
    lists: ListRequests
    audit: AuditLog
    as_logged: ReadAsLogged
    earlier_rounds: ReadEarlierRounds
    record_response: RecordResponse
    delegate: Delegate
    ask_back: Callable[[], "AskBack"]
    files: Callable[[Request], Sequence[FileView]]
    keys: KeyRing
    clock: Clock
    ids: Ids

    def listing(self, member: SignedInMember, shell: Shell, wish: ListWish) -> RequestsPage:
        """Return a list with its counts: all requests for managers, for others those assigned to them.

        Raises ValidationFailed for a cursor that is not ours.
        """
        filters, own = wish.filters, self.lists.waiting_for(member) if member.manages else None
        view = wish.view or ("mine" if own is not None and own.number else "pending")
        order, page = _order(view, filters.order), self._page(member, wish, view)
        counts = self.lists.counts(member)
        root, now = f"/d/{member.deployment.deployment_id}/requests", self.clock.now()
        views: list[tuple[ListView, str, Count]] = [
            ("pending", "Pending", counts.pending),
            ("history", "History", counts.history),
        ]
        if own is not None and (own.number or view == "mine"):
            views.insert(0, ("mine", "Mine", own))
        tabs = [(one, text, str(count)) for one, text, count in views]

        def address(**changes: str | None) -> str:
            return _address(root, {**_parameters(view, filters), **changes})

        answers = self._answers(page.rows)
        rows = [_row(row, root, now, answers.get(row.request_id)) for row in page.rows]
        total = next((count for one, _, count in views if one == view), None)
        first = wish.first if page.previous_cursor else 1
        place = ListPlace(
            first=first, last=first + len(rows) - 1, total=str(total) if total and not filters.any else None
        )
        return RequestsPage(
            shell=shell,
            view=view,
            tabs=[
                ListLink(text=text, address=_address(root, {"tab": one}), current=one == view, count=count)
                for one, text, count in [*tabs, *([("all", "All", None)] if view == "all" else [])]
            ],
            columns=_columns(view, order, address),
            filters=filters,
            rows=rows,
            place=place if rows else None,
            previous_address=_back(address, page.previous_cursor, first),
            next_address=address(after=page.next_cursor, first=str(place.last + 1)) if page.next_cursor else None,
            clear_address=_address(root, {"tab": view}),
            address=address(),
            news_address=_news_address(root, view, filters) if page.previous_cursor is None else None,
            mark=_mark(page.rows),
            first_steps=self._first_steps(member, counts) if member.manages and view != "history" else (),
            selectable=view == "mine" or (view == "pending" and not member.manages),
            partly_sorted=page.partly_sorted,
        )

    def _first_steps(self, member: SignedInMember, counts: Counts) -> Sequence[FirstStep]:
        """Return what is left to do with a new deployment; nothing once it is done, or the deployment is in use."""
        opened = counts.pending.number + counts.history.number
        deployment = member.deployment
        if opened >= _IN_USE:
            return ()
        rows = self.lists.page(member, RequestFilter(), limit=_IN_USE).rows if opened else ()
        settings = f"/d/{deployment.deployment_id}/settings"
        steps = (
            ("Issue an API key", f"{settings}/api-keys", bool(deployment.api_keys)),
            ("Send a test email to yourself", f"{settings}/checks", any(row.test for row in rows)),
            ("Open the first request from your flow", "/docs", not all(row.test for row in rows)),
            ("Add a routing rule", f"{settings}/rules", bool(deployment.rules)),
        )
        if all(done for *_, done in steps):
            return ()
        return [FirstStep(text=text, address=address, done=done) for text, address, done in steps]

    def mark(self, member: SignedInMember, wish: ListWish) -> str:
        """Return what tells a list's first page from what it was or will be; it loads and counts nothing."""
        return _mark(self._page(member, wish, wish.view or "pending").rows)

    def answered(self, member: SignedInMember, request_id: str) -> RequestSheet:
        """Return a request that the person has just answered, with what waits for them next."""
        sheet = self.show(member, request_id)
        decision = sheet.decision
        if decision is None:
            return sheet
        onward = Onward(outcome=decision.outcome)
        mine = RequestFilter(statuses=(Status.PENDING.value,), assigned_to=own_names(member))
        found = self.lists.page(member, mine, order=Order.OLDEST, limit=2).rows
        # The index may still have the one that was answered.
        following = next((row for row in found if row.request_id != request_id), None)
        if following is not None:
            left = self.lists.waiting_for(member)
            stale = any(row.request_id == request_id for row in found)
            onward = replace(
                onward,
                title=following.title,
                message=following.message,
                address=f"/d/{member.deployment.deployment_id}/requests/{following.request_id}",
                left=str(replace(left, number=left.number - stale)),
            )
        return replace(sheet, onward=onward)

    def _page(self, member: SignedInMember, wish: ListWish, view: ListView) -> RowPage:
        return self.lists.page(
            member,
            _wanted(member, view, wish.filters),
            order=_order(view, wish.filters.order),
            text=wish.filters.text,
            limit=_ROWS,
            cursor=wish.before or wish.after,
            backward=wish.before is not None,
        )

    def _answers(self, rows: Sequence[RequestRow]) -> Mapping[str, Response]:
        decided = [row.request_id for row in rows if row.status is Status.RESPONDED]
        return self.requests.responses(decided) if decided else {}

    def show(self, member: SignedInMember, request_id: str) -> RequestSheet:
        """Return a request; raises NotFound for one that is not theirs to see."""
        return self._sheet(member, self._open(member, request_id))

    def news(self, member: SignedInMember, request_id: str) -> News:
        """Return what became of a request while someone was looking at it; nothing while it is open and theirs."""
        request = self._open(member, request_id)
        if request.head.status is Status.PENDING:
            if member.manages or member.responder_of(request.head):
                return News(None, len(request.head.thread))
            return News("The request is with someone else now.")
        return News(news_of(request), len(request.head.thread))

    def submit(
        self,
        member: SignedInMember,
        session: Session,
        request_id: str,
        outcome: str | None,
        comment: str,
        shown: str,
        texts: Mapping[str, str] = MappingProxyType({}),
    ) -> RequestSheet | None:
        """Answer with the button's outcome and the comment, or just the comment if there are no buttons.

                `texts` are the form's fields for the output and the typed answer. Returns None once it is recorded,
        else the page with what is wrong or the answer that came first, and what was
        written. Raises NotFound, and Forbidden for a request that is someone else's to answer.
        """
        request = self._open(member, request_id)
        responder = member.responder_of(request.head)
        if request.head.status is not Status.PENDING:
            return self._beaten(member, request, outcome, comment, texts)
        if responder is None:
            raise AssignedElsewhere
        said = written(request.content, texts)
        if said.problems:
            form = answer_form(request.content, texts, said.problems)
            return replace(self._sheet(member, request), comment=comment, problem=WRONG_VALUES, form=form)
        submission = Submission(
            request_id=request_id,
            actor=member,
            via=Channel.DASHBOARD,
            decision_id=f"page/{self.ids.event_id()}",
            text=f"{outcome}\n{comment}" if outcome else comment,
            outcome=outcome,
            output=said.output,
            data=said.data,
            responder=responder,
            responder_verified=True,
            verification=by_session(member, session),
            shown=page_shown(self.keys, request_id, responder, shown),
            deployment=member.deployment,
        )
        try:
            self.record_response(submission, self.as_logged(request.head))
        except (AlreadyResponded, NotPending):
            # Someone was faster since we looked.
            return self._beaten(member, self.requests.load(request_id), outcome, comment, texts)
        except (NotAsLogged, SelfApproval, ValidationFailed) as refused:
            problem, form = refusal("Your answer", refused), answer_form(request.content, texts)
            return replace(self._sheet(member, request), comment=comment, problem=problem, form=form)
        return None

    def pass_on(self, member: SignedInMember, session: Session, request_id: str, to: str) -> RequestSheet | None:
        """Pass a request on to another person; returns None once it is done, else the page with what is wrong.

        Raises NotFound, Forbidden, and DelegationOff.
        """
        request = self._open(member, request_id)
        responder = member.responder_of(request.head)
        if responder is None:
            raise AssignedElsewhere
        delegation = Delegation(member, responder, to.strip(), Channel.DASHBOARD, by_session(member, session))
        try:
            self.delegate(member.deployment, request_id, delegation)
        except (AlreadyResponded, NotPending):
            return self._beaten(member, self.requests.load(request_id), None, "")
        except (SelfApproval, ValidationFailed) as refused:
            problem = refusal("The address", refused)
            return replace(self._sheet(member, request), delegate_to=to, problem=problem)
        return None

    def ask(
        self,
        member: SignedInMember,
        session: Session,
        request_id: str,
        text: str,
        comment: str = "",
        texts: Mapping[str, str] = MappingProxyType({}),
    ) -> RequestSheet | None:
        """Ask the flow back; returns None once it is asked, else the page with what is wrong.

        Of an answer that was begun, `comment` and `texts`, the page comes back too.
        Raises NotFound, and Forbidden for a request that is someone else's to answer.
        """
        from flow_hitl.requests.deciding.ask_back import Question

        request = self._open(member, request_id)
        responder = member.responder_of(request.head)
        if responder is None:
            raise AssignedElsewhere
        question = Question(member, text, Channel.DASHBOARD, responder, by_session(member, session))
        try:
            self.ask_back()(request_id, question, known=request)
        except (AlreadyResponded, NotPending):
            return self._beaten(member, self.requests.load(request_id), None, text)
        except (QuestionsOff, SelfApproval, ValidationFailed) as refused:
            problem = refusal("Your question", refused)
            form = answer_form(request.content, texts)
            return replace(self._sheet(member, request), question=text, problem=problem, comment=comment, form=form)
        if not is_begun(request.content, comment, texts):
            return None
        sheet = self._sheet(member, self.requests.load(request_id))
        return replace(sheet, comment=comment, form=answer_form(request.content, texts))

    def _open(self, member: SignedInMember, request_id: str) -> Request:
        request = self.requests.load(request_id)
        authorize(member, Action.VIEW, request.head)
        return request

    def _beaten(
        self,
        member: SignedInMember,
        request: Request,
        outcome: str | None,
        comment: str,
        texts: Mapping[str, str] = MappingProxyType({}),
    ) -> RequestSheet:
        response = request.response
        by = response.responder if response and response.responder_verified else None
        own = by is not None and member.proven.is_known_as(by)
        return replace(
            self._sheet(member, request),
            comment="" if response and is_said(comment, response) else comment,
            beaten=True,
            answered_before=own,
            repeated=own
            and response is not None
            and repeats(response, outcome, comment)
            and gives_same(request.content, texts, response),
        )

    def _sheet(self, member: SignedInMember, request: Request) -> RequestSheet:
        events = self.audit.timeline(request.head.request_id)
        what = "The audit log of this request was changed, so that it cannot be shown."
        return explained(events, lambda: self._sheet_of(member, request, events), what)

    def _sheet_of(self, member: SignedInMember, request: Request, events: Sequence[AuditEvent]) -> RequestSheet:
        head = request.head
        responder = member.responder_of(head)
        may_pass_on = responder is not None and member.deployment.settings.allow_delegation
        earlier = self.earlier_rounds(member, request)
        view = request_view(request, responder or head.assigned_to_email, may_pass_on=may_pass_on, earlier=earlier)
        return RequestSheet(
            request_id=head.request_id,
            address=f"/d/{head.deployment_id}/requests/{head.request_id}",
            request=view,
            status=head.status,
            assigned_to=head.assigned_to_email,
            created_at=head.created_at,
            decided_at=head.decided_at,
            sla_due_at=head.sla_due_at,
            decision=decision_of(request),
            resume=_resumed(request),
            timeline=timeline_of(events, _changes(request), request.label_of),
            may_answer=head.status is Status.PENDING and responder is not None,
            form=answer_form(request.content),
            files=self.files(request),
            shown=sign_page(self.keys, head.request_id, view),
            warnings=request.content.warnings,
            reaches_nobody=reaches_nobody(head, events),
            actions=actions_of(request, events) if member.manages else None,
        )


def _changes(request: Request) -> "Sequence[ChangedLine]":
    if request.response is None or request.response.output is None:
        return ()
    from flow_hitl.pages.requests.changes import changes_of

    return changes_of(request.content.output, request.response.output)


def _resumed(request: Request) -> str | None:
    """Return whether the flow has the answer, as a sentence."""
    resume = request.head.resume
    if resume is not None and resume.status is ResumeStatus.WAITING and request.content.resume_url is None:
        return "The flow fetches the answer."
    return _RESUMED[resume.status.value] if resume else None


def by_session(member: SignedInMember, session: Session) -> Mapping[str, object]:
    """Return how a signed-in person was known, for the event of what they did."""
    proof = {"address": member.email, "way": session.way.value, "signed_in_at": rfc3339(session.began_at)}
    return {"method": "session", **proof}


def _wanted(member: SignedInMember, view: ListView, filters: ListFilters) -> RequestFilter:
    closed = (Status.RESPONDED.value, Status.CANCELLED.value)
    first, last = _day(filters.first_day), _day(filters.last_day)
    decided_first, decided_last = _day(filters.first_answered), _day(filters.last_answered)
    statuses = {"all": (), "history": closed}.get(view, (Status.PENDING.value,))
    return RequestFilter(
        statuses=(Status.RESPONDED.value,) if filters.answered else statuses,
        assigned_to=own_names(member) if view == "mine" else (filters.assignee,) if filters.assignee else (),
        method_name=filters.method or None,
        flow_name=filters.flow or None,
        outcome=filters.outcome or None,
        created_from=first,
        created_to=last + timedelta(days=1, seconds=-1) if last else None,
        decided_from=decided_first,
        decided_to=decided_last + timedelta(days=1, seconds=-1) if decided_last else None,
    )


def _day(text: str) -> datetime | None:
    """Return the beginning of a day in UTC, None for what is no day, as browsers without a date field may send it."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return datetime(day.year, day.month, day.day, tzinfo=UTC) if 2000 <= day.year <= 2099 else None


def _order(view: ListView, asked: str) -> Order | ByColumn:
    columns = _columns_of(view)
    usual = Order.NEWEST if columns is _CLOSED_COLUMNS else Order.OLDEST
    orders = [usual, Order.NEWEST, *(order for _, pair in columns for order in pair)]
    return next((order for order in orders if str(order) == asked), usual)


def _columns(view: ListView, current: Order | ByColumn, address: Callable[..., str]) -> Sequence[ListColumn]:
    return [
        ListColumn(
            text=text,
            address=address(order=str(pair[1] if current == pair[0] else pair[0])),
            sorted=_direction(current) if current in pair else None,
        )
        for text, pair in _columns_of(view)
    ]


def _columns_of(view: ListView) -> Sequence[tuple[str, tuple[Order | ByColumn, Order | ByColumn]]]:
    return _CLOSED_COLUMNS if view in ("history", "all") else _PENDING_COLUMNS


def _direction(current: Order | ByColumn) -> ListSorted:
    """Return the direction by what a column shows: who waits longest has the highest number."""
    if isinstance(current, ByColumn):
        return "descending" if current.descending else "ascending"
    return "descending" if current is Order.OLDEST else "ascending"


def _news_address(root: str, view: ListView, filters: ListFilters) -> str:
    return _address(root.removesuffix("requests") + "news", _parameters(view, filters))


def _mark(rows: Sequence[RequestRow]) -> str:
    return digest([[row.request_id, row.assigned_to_email] for row in rows])[:16]


def _back(address: Callable[..., str], cursor: str | None, first: int) -> str | None:
    """Return where the page before is; the first page has a short address, so that it shows what is new."""
    if cursor is None:
        return None
    start = first - _ROWS
    return address(before=cursor, first=str(start)) if start > 1 else address()


def _parameters(view: ListView, filters: ListFilters) -> dict[str, str | None]:
    return {
        "tab": view,
        "q": filters.text,
        "method": filters.method,
        "flow": filters.flow,
        "assignee": filters.assignee,
        "outcome": filters.outcome,
        "from": filters.first_day,
        "to": filters.last_day,
        "order": filters.order,
        "answered_from": filters.first_answered,
        "answered_to": filters.last_answered,
    }


def _address(root: str, parameters: Mapping[str, str | None]) -> str:
    query = urlencode({name: value for name, value in parameters.items() if value})
    return f"{root}?{query}" if query else root


def _row(row: RequestRow, root: str, now: datetime, answer: Response | None) -> ListRow:
    until = row.decided_at or now
    sla, seconds = _sla(row, now)
    return ListRow(
        request_id=row.request_id,
        address=f"{root}/{row.request_id}",
        title=row.title,
        method_name=row.method_name,
        flow_name=row.flow_name or "",
        message=row.message,
        assigned_to=row.assigned_to_email,
        created_at=row.created_at,
        waiting_seconds=max(0, int((until - row.created_at).total_seconds())),
        sla=sla,
        sla_seconds=seconds,
        status=row.status.value,
        outcome=row.outcome,
        by=_answered_by(answer) if answer else None,
        decided_at=row.decided_at,
        automatic=row.responded_via is Channel.AUTO_RESPONSE,
        test=row.test,
    )


def _answered_by(answer: Response) -> str | None:
    if answer.responded_via is Channel.AUTO_RESPONSE:
        return None
    if answer.responder is not None:
        return answer.responder if answer.responder_verified else f"{answer.responder} (claimed)"
    return answer.source or "another application"


def _sla(row: RequestRow, now: datetime) -> tuple[SlaState, int]:
    """Return how a request stands against its SLA: automatic answers miss it, and cancelled requests have none."""
    due = row.sla_due_at
    if due is None or row.status is Status.CANCELLED:
        return "none", 0
    left = int((due - (row.decided_at or now)).total_seconds())
    if row.status is Status.RESPONDED:
        return ("met" if left >= 0 and row.responded_via is not Channel.AUTO_RESPONSE else "missed"), abs(left)
    if left < 0:
        return "overdue", -left
    return ("soon" if left <= (due - row.created_at).total_seconds() * _SOON else "open"), left
