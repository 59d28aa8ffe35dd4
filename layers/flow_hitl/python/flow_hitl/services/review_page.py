"""The review page behind a signed link: whoever was sent it sees the request, and by POST answers it, once."""

from dataclasses import dataclass

from flow_hitl.domain.access import Action, ProvenAddress, authorize
from flow_hitl.domain.errors import AlreadyResponded, Forbidden, NotPending, ValidationFailed
from flow_hitl.domain.presentation import MessageContext, MessageKind, ReviewContext
from flow_hitl.domain.request import Channel, Request, Status
from flow_hitl.ports import Clock, Ids, RequestStore
from flow_hitl.services.present import decision_of, request_view
from flow_hitl.services.record_response import RecordResponse, Submission
from flow_hitl.signing import web_tokens
from flow_hitl.signing.keys import KeyRing

PageContext = ReviewContext | MessageContext


@dataclass(frozen=True)
class ReviewPage:
    """Read and answer a request by its review link; what is shown comes back as a page context."""

    requests: RequestStore
    record_response: RecordResponse
    keys: KeyRing
    clock: Clock
    ids: Ids

    def show(self, token: str) -> PageContext:
        """Return the page of a link; it changes nothing. Raises TokenInvalid, Forbidden, NotFound and TokenExpired."""
        request, _ = self._open(token)
        return ReviewContext(request=request_view(request)) if _is_open(request) else how_it_stands(request)

    def submit(self, token: str, outcome: str | None, comment: str) -> PageContext:
        """Answer with the button's outcome and the comment, or with the comment alone where there are no buttons.

        Returns the page that thanks, asks for what is missing, or says who was faster. Raises what `show` raises.
        """
        request, responder = self._open(token)
        if not _is_open(request):
            return how_it_stands(request)
        submission = Submission(
            request_id=request.head.request_id,
            actor=responder,
            via=Channel.DASHBOARD,
            decision_id=f"page/{self.ids.event_id()}",
            text=f"{outcome}\n{comment}" if outcome else comment,
            outcome=outcome,
            responder=request.head.assigned_to_email,
            responder_verified=True,
        )
        try:
            decided = self.record_response(submission)
        except (AlreadyResponded, NotPending):
            # Somebody was faster since we looked.
            return how_it_stands(self.requests.load(request.head.request_id))
        except ValidationFailed as refused:
            problem = refused.errors[0].message
            return ReviewContext(request=request_view(request), comment=comment, problem=f"Your answer {problem}.")
        return how_it_stands(decided, thanks=True)

    def _open(self, token: str) -> tuple[Request, ProvenAddress]:
        link = web_tokens.read_review_link(self.keys, token)
        request = self.requests.load(link.request_id)
        if not link.issued_to(request.head.assigned_to_email):
            raise Forbidden("This request has been passed on to somebody else.")
        responder = ProvenAddress(request.head.assigned_to_email)
        authorize(responder, Action.VIEW, request.head)
        if _is_open(request):
            link.require_unexpired(self.clock.now())
        return request, responder


def how_it_stands(request: Request, *, thanks: bool = False) -> MessageContext:
    """Return the page that says how a closed request was closed."""
    kind: MessageKind = "thanks" if thanks else "already_decided"
    if request.head.status is Status.CANCELLED:
        kind = "cancelled"
    return MessageContext(
        kind=kind,
        flow_name=request.head.flow_name or request.content.deployment_name,
        method_name=request.head.method_name,
        decision=decision_of(request),
    )


def _is_open(request: Request) -> bool:
    return request.head.status is Status.PENDING
