"""The review page behind a signed link, where its recipient sees the request and answers it by POST, once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from flow_hitl.contract.shapes import Channel
from flow_hitl.deployments.ports import DeploymentStore
from flow_hitl.mails.contexts import FileView
from flow_hitl.mails.request_view import decision_of, is_said, news_of, repeats, request_view, what_follows
from flow_hitl.pages.evidence import page_shown, sign_page
from flow_hitl.pages.requests.answer_form import answer_form, gives_same, is_begun, written
from flow_hitl.pages.requests.review_contexts import (
    WRONG_VALUES,
    MessageContext,
    MessageKind,
    News,
    ReviewContext,
    refusal,
)
from flow_hitl.people.access import Action, ProvenAddress, authorize
from flow_hitl.platform.errors import (
    AlreadyResponded,
    Forbidden,
    NotAsLogged,
    NotPending,
    QuestionsOff,
    SelfApproval,
    ValidationFailed,
)
from flow_hitl.platform.key_ring import KeyRing
from flow_hitl.platform.ports import Clock, Ids
from flow_hitl.platform.records import dataclass
from flow_hitl.requests.changing.delegate import Delegate, Delegation
from flow_hitl.requests.deciding import web_tokens
from flow_hitl.requests.deciding.record_response import RecordResponse, Submission
from flow_hitl.requests.ports import RequestStore
from flow_hitl.requests.reading.read_as_logged import ReadAsLogged
from flow_hitl.requests.reading.read_earlier_rounds import ReadEarlierRounds
from flow_hitl.requests.request import Request, Status

if TYPE_CHECKING:
    from flow_hitl.requests.deciding.ask_back import AskBack

PageContext = ReviewContext | MessageContext

_BY_LINK = {"method": "review_link"}


@dataclass(frozen=True)
class ReviewPage:
    """Read and answer a request by its review link."""

    requests: RequestStore
    deployments: DeploymentStore
    as_logged: ReadAsLogged
    earlier_rounds: ReadEarlierRounds
    record_response: RecordResponse
    delegate: Delegate
    ask_back: Callable[[], "AskBack"]
    files: Callable[[Request], Sequence[FileView]]
    keys: KeyRing
    clock: Clock
    ids: Ids

    def show(self, token: str, words: str | None = None, number: str | None = None) -> PageContext:
        """Return the page of a link, with an option to confirm, chosen by its words or its position from 1.

        Changes nothing. Raises TokenInvalid, Forbidden, NotFound, and TokenExpired.
        """
        request, responder = self._open(token)
        chosen = _chosen(request.head.emit_options, words, number)
        if not _is_open(request):
            return _closed(request, responder, chosen)
        return replace(self._review(token, request, responder), chosen=chosen)

    def news(self, token: str) -> News:
        """Return what became of a request while someone was looking at it; raises as `show`."""
        try:
            request, _ = self._open(token)
        except Forbidden:
            return News("The request is with someone else now.")
        return News(news_of(request), len(request.head.thread))

    def pass_on(self, token: str, to: str) -> PageContext:
        """Pass the request on to another person; raises what `show` raises, and DelegationOff."""
        request, responder = self._open(token)
        if not _is_open(request):
            return _closed(request, responder)
        deployment = self.deployments.load(request.head.deployment_id)
        delegation = Delegation(responder, responder.email, to.strip(), Channel.DASHBOARD, _BY_LINK)
        try:
            given = self.delegate(deployment, request.head.request_id, delegation)
        except (AlreadyResponded, NotPending):
            return _closed(self.requests.load(request.head.request_id), responder)
        except (SelfApproval, ValidationFailed) as refused:
            problem = refusal("The address", refused)
            return replace(self._review(token, request, responder), problem=problem, delegate_to=to)
        return MessageContext(
            kind="passed_on",
            flow_name=given.head.flow_name or given.content.deployment_name,
            title=given.title,
            passed_on_to=delegation.to,
            test=given.head.test,
        )

    def ask(
        self, token: str, text: str, comment: str = "", texts: Mapping[str, str] = MappingProxyType({})
    ) -> PageContext | None:
        """Ask the flow back; returns None once it is asked, else the page with what is wrong. Raises as `show`.

        Of an answer that was begun, `comment` and `texts`, the page comes back too.
        """
        from flow_hitl.requests.deciding.ask_back import Question

        request, responder = self._open(token)
        if not _is_open(request):
            return _closed(request, responder, written=text)
        question = Question(responder, text, Channel.DASHBOARD, responder.email, _BY_LINK)
        try:
            self.ask_back()(request.head.request_id, question, known=request)
        except (AlreadyResponded, NotPending):
            return _closed(self.requests.load(request.head.request_id), responder, written=text)
        except (QuestionsOff, SelfApproval, ValidationFailed) as refused:
            problem = refusal("Your question", refused)
            form = answer_form(request.content, texts)
            page = self._review(token, request, responder)
            return replace(page, problem=problem, question=text, comment=comment, form=form)
        if not is_begun(request.content, comment, texts):
            return None
        page = self._review(token, self.requests.load(request.head.request_id), responder)
        return replace(page, comment=comment, form=answer_form(request.content, texts))

    def submit(
        self,
        token: str,
        outcome: str | None,
        comment: str,
        shown: str | None = None,
        texts: Mapping[str, str] = MappingProxyType({}),
    ) -> PageContext:
        """Answer with the button's outcome and the comment, or just the comment if there are no buttons.

                `shown` is the form's hidden field, `texts` are its fields for the output and the typed answer.
        Returns the page that says thanks, what is wrong, or who was faster. Raises
        what `show` raises.
        """
        request, responder = self._open(token)
        if not _is_open(request):
            return _closed(request, responder, outcome, comment, texts)
        said = written(request.content, texts)
        if said.problems:
            return self._again(token, request, responder, outcome, comment, texts, WRONG_VALUES, said.problems)
        submission = Submission(
            request_id=request.head.request_id,
            actor=responder,
            via=Channel.DASHBOARD,
            decision_id=f"page/{self.ids.event_id()}",
            text=f"{outcome}\n{comment}" if outcome else comment,
            outcome=outcome,
            output=said.output,
            data=said.data,
            responder=responder.email,
            responder_verified=True,
            verification=_BY_LINK,
            shown=page_shown(self.keys, request.head.request_id, responder.email, shown),
        )
        try:
            decided = self.record_response(submission, self.as_logged(request.head))
        except (AlreadyResponded, NotPending):
            # Someone was faster since we looked.
            return _closed(self.requests.load(request.head.request_id), responder, outcome, comment, texts)
        except (NotAsLogged, SelfApproval, ValidationFailed) as refused:
            return self._again(token, request, responder, outcome, comment, texts, refusal("Your answer", refused))
        return _message(decided, "thanks", then=what_follows(decided))

    def _again(
        self,
        token: str,
        request: Request,
        responder: ProvenAddress,
        outcome: str | None,
        comment: str,
        texts: Mapping[str, str],
        problem: str,
        problems: Mapping[str, str] = MappingProxyType({}),
    ) -> ReviewContext:
        """Return the page with what was written and what is wrong with it."""
        form = answer_form(request.content, texts, problems)
        page = self._review(token, request, responder)
        chosen = outcome if problems and outcome in request.head.emit_options else None
        return replace(page, comment=comment, problem=problem, form=form, chosen=chosen)

    def _review(self, token: str, request: Request, responder: ProvenAddress) -> ReviewContext:
        settings = self.deployments.load(request.head.deployment_id).settings
        earlier = self.earlier_rounds(responder, request)
        view = request_view(request, responder.email, may_pass_on=settings.allow_delegation, earlier=earlier)
        shown = sign_page(self.keys, request.head.request_id, view)
        form = answer_form(request.content)
        news, files = f"/review/{token}/news", self.files(request)
        return ReviewContext(request=view, shown=shown, news_address=news, form=form, files=files)

    def _open(self, token: str) -> tuple[Request, ProvenAddress]:
        link = web_tokens.read_review_link(self.keys, token)
        request = self.requests.load(link.request_id)
        address = next(filter(link.issued_to, request.head.responders), None)
        if address is None:
            raise Forbidden("This request has been passed on to someone else.")
        responder = ProvenAddress(address)
        if request.head.not_to_be_answered_by:
            responder = ProvenAddress.of(self.deployments.load(request.head.deployment_id), address)
        authorize(responder, Action.VIEW, request.head)
        if _is_open(request):
            link.require_unexpired(self.clock.now())
        return request, responder


def _chosen(options: Sequence[str], words: str | None, number: str | None) -> str | None:
    if words in options:
        return words
    return next((option for place, option in enumerate(options, start=1) if str(place) == number), None)


def _closed(
    request: Request,
    responder: ProvenAddress,
    outcome: str | None = None,
    written: str = "",
    texts: Mapping[str, str] = MappingProxyType({}),
) -> MessageContext:
    """Return the page that says how a request was closed, also to someone whose own answer it was."""
    response = request.response
    if response is None:
        return _message(request, "cancelled", written=written)
    own = response.responder_verified and responder.is_known_as(response.responder or "")
    same = repeats(response, outcome, written) and gives_same(request.content, texts, response)
    kind: MessageKind = "yours" if own and same else "already_decided"
    return _message(request, kind, own=own, written="" if is_said(written, response) else written)


def _message(request: Request, kind: MessageKind, **more: Any) -> MessageContext:
    return MessageContext(
        kind=kind,
        flow_name=request.head.flow_name or request.content.deployment_name,
        title=request.title,
        decision=decision_of(request),
        test=request.head.test,
        **more,
    )


def _is_open(request: Request) -> bool:
    return request.head.status is Status.PENDING
