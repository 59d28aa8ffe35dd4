"""Steps that do not decide a request: read, decide again on conflict, write."""

from collections.abc import Callable

from flow_hitl.people.access import Action, KeyHolder, Reader, SignedInMember, actor_name, authorize
from flow_hitl.platform.errors import FieldError, ValidationFailed
from flow_hitl.platform.once import Once, Remember
from flow_hitl.platform.ports import Clock, Ids
from flow_hitl.platform.records import dataclass, replace
from flow_hitl.platform.repeated_calls import Call, CallRecord
from flow_hitl.platform.rounds import in_rounds
from flow_hitl.requests.ports import RequestStore, Taken
from flow_hitl.requests.request import (
    SERVICE,
    Change,
    Head,
    Request,
    ResumeStatus,
    Stamp,
    Status,
    cancel,
    report_resume,
)

Step = Callable[[Head, Stamp], Change | None]
"""Returns the change of a request, None to leave it as it is."""

REPORTABLE = (ResumeStatus.RESUMED, ResumeStatus.RESUME_FAILED, ResumeStatus.PAUSED_AGAIN)


@dataclass(frozen=True)
class ChangeRequest:
    """Apply a step to a request, again whenever another writer came between."""

    requests: RequestStore
    clock: Clock
    ids: Ids
    pause: Callable[[int], None]

    def __call__(
        self,
        request_id: str,
        step: Step,
        takes: Taken | None = None,
        known: Request | None = None,
        *,
        actor: str = SERVICE,
    ) -> Request:
        """Return the request after `step`.

        `takes` is written along with the change. `known` is the request as the caller read it, which saves the first
        read. Raises what `step` raises, NotFound, TakenAlready, CalledBefore, and Conflict after eight rounds.
        """
        unread = [known] if known else []

        def attempt() -> Request:
            request = unread.pop() if unread else self.requests.load(request_id)
            change = step(request.head, Stamp(self.ids.event_id(), self.clock.now(), actor))
            if change is None:
                return request
            change = replace(change, response=change.response or request.response)
            self.requests.commit(change, takes)
            return Request(change.after, request.content, change.response)

        return in_rounds(attempt, self.pause)


@dataclass(frozen=True)
class ChangeOnce:
    """Apply a step for a caller who may repeat the call: once per key."""

    change_request: ChangeRequest
    once: Once

    def __call__(
        self,
        holder: KeyHolder | SignedInMember,
        action: Action,
        request_id: str,
        step: Step,
        call: Call | None,
    ) -> Request:
        """Return the request after `step`, or as it is now if the call was made before.

        Raises what `authorize` and `ChangeRequest` raise, and IdempotencyMismatch.
        """

        def make(remember: Remember) -> Request:
            called, changes = remember(), list[Change | None]()

            def allowed(head: Head, stamp: Stamp) -> Change | None:
                authorize(holder, action, head)
                changes.append(step(head, stamp))
                return changes[-1]

            request = self.change_request(request_id, allowed, called, actor=actor_name(holder))
            if called is not None and changes[-1] is None:
                # So that a repeated call does not undo a later change.
                self.once.calls.add(called)
            return request

        def as_it_is(_: CallRecord) -> Request:
            request = self.change_request.requests.load(request_id)
            authorize(holder, action, request.head)
            return request

        return self.once(call, make, as_it_is)


@dataclass(frozen=True)
class CancelRequest:
    """Cancel a pending request for its flow or a person."""

    change_request: ChangeRequest

    def __call__(self, holder: Reader, request_id: str) -> Request:
        """Return the canceled request, even if canceled before; raises AlreadyResponded, NotFound, Forbidden."""

        def step(head: Head, stamp: Stamp) -> Change | None:
            authorize(holder, Action.CANCEL, head)
            return None if head.status is Status.CANCELLED else cancel(head, stamp=stamp)

        return self.change_request(request_id, step, actor=actor_name(holder))


@dataclass(frozen=True)
class ReportResume:
    """Record what the flow's side reports about its resumption."""

    change_once: ChangeOnce

    def __call__(
        self,
        holder: KeyHolder,
        request_id: str,
        status: str,
        detail: str | None,
        call: Call | None = None,
        *,
        once: bool = False,
    ) -> Request:
        """Return the request with the reported status; raises NotPending while it is unanswered.

        With `once`, `resumed` claims the resumption: raises AlreadyResumed for everyone but the first, who is
        recognized by the key of the `call`.
        """
        if status not in REPORTABLE:
            raise ValidationFailed([FieldError("/status", f"must be one of: {', '.join(REPORTABLE)}")])
        if once and status != ResumeStatus.RESUMED:
            raise ValidationFailed([FieldError("/once", "goes with the status resumed only")])

        def step(head: Head, stamp: Stamp) -> Change | None:
            key = call.key if call else None
            return report_resume(head, ResumeStatus(status), detail, once=once, key=key, stamp=stamp)

        # The head knows who holds the claim; a remembered call would still hold it after giving it back.
        return self.change_once(holder, Action.REPORT_RESUME, request_id, step, None if once else call)
