"""Tell the flow a question: POST it, signed, to the `resume_url` until it is accepted or a day has passed."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

from flow_hitl.audit.chain import AuditEvent, EventKind
from flow_hitl.audit.effects import Effect
from flow_hitl.audit.ports import AuditLog, EffectLog
from flow_hitl.contract.shapes import as_json
from flow_hitl.delivery.resume_flow import attempt_data, claimed, give_back, signed
from flow_hitl.delivery.retries import RESUME
from flow_hitl.deployments.deployment import Deployment
from flow_hitl.deployments.ports import DeploymentStore
from flow_hitl.platform.errors import NotFound
from flow_hitl.platform.key_ring import KeyRing
from flow_hitl.platform.ports import Clock, HttpPoster, PostResult, ReadTogether
from flow_hitl.platform.records import dataclass
from flow_hitl.requests.bound import has_content, is_state_after, is_unbroken
from flow_hitl.requests.changing.change_request import ChangeRequest
from flow_hitl.requests.deciding.questions import open_questions, question_with
from flow_hitl.requests.ports import RequestStore
from flow_hitl.requests.request import Change, Head, Remark, Request, RequestShown, Stamp, Status, note

_NOT_TOLD = "Not sent: the stored question, content, or state is not the one in the audit log"


@dataclass(frozen=True)
class AskFlow:
    """Deliver one question to its flow at least once; each attempt is on the timeline."""

    requests: RequestStore
    audit: AuditLog
    deployments: DeploymentStore
    effects: EffectLog
    read: ReadTogether
    poster: HttpPoster
    change_request: ChangeRequest
    shown: Callable[[Request], RequestShown]
    keys: KeyRing
    clock: Clock

    def __call__(self, effect: Effect, attempt: int) -> None:
        """Make attempt number `attempt` (from 1); raises NotDelivered and EffectBusy."""
        if not claimed(self.effects, effect, attempt, self.clock.now()):
            return
        request_id, seq = effect.request_id, effect.event_seq
        request, events = self.read(self.requests.reading(request_id), self.audit.reading_first(request_id, seq))
        if not events or events[-1].seq != seq:
            raise NotFound(f"Request {request_id} has no event {seq}.")
        url, question = request.content.resume_url, _still_open(request, events[-1])
        if url is None or question is None:
            self.effects.complete(effect)
            return
        if self._is_as_logged(request, events, question):
            result = self._post(url, request, question, self.deployments.load(request.head.deployment_id))
        else:
            result = PostResult(None, _NOT_TOLD)
        data = attempt_data(effect, url, attempt, result)

        def step(head: Head, stamp: Stamp) -> Change:
            return note(head, EventKind.QUESTION_ATTEMPTED, data, stamp=stamp)

        self.change_request(effect.request_id, step, known=request)
        if not result.delivered:
            give_back(self.effects, effect, RESUME.pause_after(attempt))

    def _is_as_logged(self, request: Request, events: Sequence[AuditEvent], question: Remark) -> bool:
        event = events[-1]
        if event.data.get("question") != as_json(question) or not is_unbroken(events):
            return False
        later = partial(self.audit.later, event.request_id, event.seq)
        return has_content(request, events, later) and is_state_after(request.head, event, later)

    def _post(self, url: str, request: Request, question: Remark, deployment: Deployment) -> PostResult:
        whole = {**as_json(self.shown(request)), "question": as_json(question)}
        body = json.dumps({"event": "question_asked", "request": whole}, ensure_ascii=False).encode()
        once = f"{request.head.request_id}/{question.id}"
        return self.poster.post(url, body, signed(self.keys, deployment, body, self.clock.now(), once))


@dataclass(frozen=True)
class AskedRequest(RequestShown):
    """The request, and what was asked."""

    question: Remark
    """The question, which is also in the thread."""


@dataclass(frozen=True)
class QuestionPayload:
    """What is POSTed to a `resume_url` when a reviewer asks back."""

    event: Literal["question_asked"]
    """Always `question_asked`."""
    request: AskedRequest
    """The request, still pending, with the question."""


def _still_open(request: Request, event: AuditEvent) -> Remark | None:
    """Return the question of an event, None if the flow need not be told any more."""
    if request.head.status is not Status.PENDING:
        return None
    return question_with(open_questions(request.head.thread), event.event_id)
