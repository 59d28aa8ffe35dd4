"""What signed-in people see of requests and how they answer them, each as the policy allows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from flow_hitl.audit.ports import AuditLog
from flow_hitl.contract.shapes import Channel
from flow_hitl.mails.mail_feedback import reaches_nobody
from flow_hitl.mails.request_view import decision_of, is_said, news_of, repeats, request_view
from flow_hitl.pages.contexts import ListFilters, ListLink, ListRow, RequestSheet, RequestsPage, Shell, SlaState
from flow_hitl.pages.evidence import page_shown, sign_page
from flow_hitl.pages.requests.actions import actions_of
from flow_hitl.pages.requests.answer_form import answer_form, written
from flow_hitl.pages.requests.review_contexts import WRONG_VALUES, refusal
from flow_hitl.pages.requests.timeline import timeline_of
from flow_hitl.people.access import Action, SignedInMember, authorize
from flow_hitl.people.sign_in_rules import Session
from flow_hitl.platform.errors import AlreadyResponded, Forbidden, NotPending, SelfApproval, ValidationFailed
from flow_hitl.platform.key_ring import KeyRing
from flow_hitl.platform.ports import Clock, Ids
from flow_hitl.platform.times import rfc3339
from flow_hitl.requests.changing.delegate import Delegate, Delegation
from flow_hitl.requests.deciding.record_response import RecordResponse, Submission
from flow_hitl.requests.ports import RequestFilter, RequestStore
from flow_hitl.requests.reading.list_requests import ListRequests
from flow_hitl.requests.reading.list_rows import Order, RequestRow
from flow_hitl.requests.request import Request, ResumeStatus, Status

if TYPE_CHECKING:
    from flow_hitl.pages.requests.changes import ChangedLine

_ROWS = 25
# In the last quarter of its time, a request is due soon.
_SOON = 0.25
_ORDERS = ((Order.OLDEST, "Longest waiting first"), (Order.NEWEST, "Newest first"), (Order.DUE, "Due first"))
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
    """The list that someone asks for."""

    pending: bool
    filters: ListFilters
    cursor: str | None = None


@dataclass(frozen=True)
class RequestPages:
    """Read, answer and pass on requests on the dashboard."""

    requests: RequestStore
    lists: ListRequests
    audit: AuditLog
    record_response: RecordResponse
    delegate: Delegate
    keys: KeyRing
    clock: Clock
    ids: Ids

    def listing(self, member: SignedInMember, shell: Shell, wish: ListWish) -> RequestsPage:
        """Return a list with its counts: all requests for managers, for others those assigned to them.

        Raises ValidationFailed for a cursor that is not ours.
        """
        deployment_id, filters = member.deployment.deployment_id, wish.filters
        page = self.lists.page(
            member, _wanted(wish), order=_order(wish), text=filters.text, limit=_ROWS, cursor=wish.cursor
        )
        counts = self.lists.counts(member)
        root, now = f"/d/{deployment_id}/requests", self.clock.now()

        def address(**changes: str | None) -> str:
            return _address(root, {**_parameters(wish), "after": None, **changes})

        tabs = [
            ListLink(
                text=text,
                address=_address(root, {"tab": None if state else "history"}),
                current=wish.pending is state,
                count=str(count),
            )
            for state, text, count in (
                (True, "Pending", counts.pending),
                (False, "History", counts.history),
            )
        ]
        return RequestsPage(
            shell=shell,
            pending=wish.pending,
            tabs=tabs,
            orders=[(order.value, text) for order, text in _ORDERS] if wish.pending else [],
            filters=wish.filters,
            rows=[_row(row, root, now) for row in page.rows],
            newest_address=address() if wish.cursor else None,
            next_address=address(after=page.next_cursor) if page.next_cursor else None,
            clear_address=_address(root, {"tab": None if wish.pending else "history"}),
        )

    def show(self, member: SignedInMember, request_id: str) -> RequestSheet:
        """Return a request; raises NotFound for one that is not theirs to see."""
        return self._sheet(member, self._open(member, request_id))

    def news(self, member: SignedInMember, request_id: str) -> str | None:
        """Return what became of a request while someone was looking at it, None while it is open and theirs."""
        request = self._open(member, request_id)
        if request.head.status is Status.PENDING:
            if member.manages or member.responder_of(request.head):
                return None
            return "The request is with someone else now."
        return news_of(request)

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
            return self._beaten(member, request, outcome, comment)
        if responder is None:
            raise Forbidden("Only its assignees can answer this request.")
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
            verification=_by_session(member, session),
            shown=page_shown(self.keys, request_id, responder, shown),
            deployment=member.deployment,
        )
        try:
            self.record_response(submission)
        except (AlreadyResponded, NotPending):
            # Someone was faster since we looked.
            return self._beaten(member, self.requests.load(request_id), outcome, comment)
        except (SelfApproval, ValidationFailed) as refused:
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
            raise Forbidden("Only its assignees can pass this request on.")
        delegation = Delegation(member, responder, to.strip(), Channel.DASHBOARD, _by_session(member, session))
        try:
            self.delegate(member.deployment, request_id, delegation)
        except (AlreadyResponded, NotPending):
            return self._beaten(member, self.requests.load(request_id), None, "")
        except (SelfApproval, ValidationFailed) as refused:
            problem = refusal("The address", refused)
            return replace(self._sheet(member, request), delegate_to=to, problem=problem)
        return None

    def _open(self, member: SignedInMember, request_id: str) -> Request:
        request = self.requests.load(request_id)
        authorize(member, Action.VIEW, request.head)
        return request

    def _beaten(self, member: SignedInMember, request: Request, outcome: str | None, comment: str) -> RequestSheet:
        response = request.response
        by = response.responder if response and response.responder_verified else None
        own = by is not None and member.proven.is_known_as(by)
        return replace(
            self._sheet(member, request),
            comment="" if response and is_said(comment, response) else comment,
            beaten=True,
            answered_before=own,
            repeated=own and response is not None and repeats(response, outcome, comment),
        )

    def _sheet(self, member: SignedInMember, request: Request) -> RequestSheet:
        head = request.head
        responder = member.responder_of(head)
        may_pass_on = responder is not None and member.deployment.settings.allow_delegation
        view = request_view(request, responder or head.assigned_to_email, may_pass_on=may_pass_on)
        events = self.audit.timeline(head.request_id)
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
            timeline=timeline_of(events, _changes(request)),
            may_answer=head.status is Status.PENDING and responder is not None,
            form=answer_form(request.content),
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


def _by_session(member: SignedInMember, session: Session) -> Mapping[str, object]:
    proof = {"address": member.email, "way": session.way.value, "signed_in_at": rfc3339(session.began_at)}
    return {"method": "session", **proof}


def _wanted(wish: ListWish) -> RequestFilter:
    filters = wish.filters
    return RequestFilter(
        statuses=(Status.PENDING.value,) if wish.pending else (Status.RESPONDED.value, Status.CANCELLED.value),
        assigned_to=(filters.assignee,) if filters.assignee else (),
        method_name=filters.method or None,
        flow_name=filters.flow or None,
        outcome=filters.outcome or None,
    )


def _order(wish: ListWish) -> Order:
    if not wish.pending:
        return Order.NEWEST
    return next((order for order, _ in _ORDERS if order.value == wish.filters.order), Order.OLDEST)


def _parameters(wish: ListWish) -> dict[str, str | None]:
    filters = wish.filters
    return {
        "tab": None if wish.pending else "history",
        "q": filters.text,
        "method": filters.method,
        "flow": filters.flow,
        "assignee": filters.assignee,
        "outcome": filters.outcome,
        "order": filters.order,
    }


def _address(root: str, parameters: Mapping[str, str | None]) -> str:
    query = urlencode({name: value for name, value in parameters.items() if value})
    return f"{root}?{query}" if query else root


def _row(row: RequestRow, root: str, now: datetime) -> ListRow:
    until = row.decided_at or now
    sla, seconds = _sla(row, now)
    return ListRow(
        address=f"{root}/{row.request_id}",
        method_name=row.method_name,
        flow_name=row.flow_name or "",
        message=row.summary,
        assigned_to=row.assigned_to_email,
        created_at=row.created_at,
        waiting_seconds=max(0, int((until - row.created_at).total_seconds())),
        sla=sla,
        sla_seconds=seconds,
        status=row.status.value,
        outcome=row.outcome,
        automatic=row.responded_via is Channel.AUTO_RESPONSE,
        test=row.test,
    )


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
