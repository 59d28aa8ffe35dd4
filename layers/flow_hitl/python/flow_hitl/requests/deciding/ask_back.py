"""Whoever may answer a request asks its flow, and the flow answers; nothing is decided by it."""

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from flow_hitl.contract.shapes import Channel
from flow_hitl.contract.validation import Document
from flow_hitl.people.access import Action, Actor, KeyHolder, authorize
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.repeated_calls import Call
from flow_hitl.requests.changing.change_request import ChangeOnce, ChangeRequest
from flow_hitl.requests.deciding.questions import answer, ask
from flow_hitl.requests.ports import RequestStore
from flow_hitl.requests.request import Change, Head, Request, Stamp


class RemarkText(Document):
    """The body of `POST {callback_url}/questions` and of `POST /v1/requests/{id}/answers`."""

    text: str
    """What is asked or answered: up to 2,000 characters, not blank."""


@dataclass(frozen=True)
class Question:
    """What someone asks, by which channel, and how they were proven; `responder` is None if they are not."""

    actor: Actor
    text: str
    via: Channel
    responder: str | None = None
    verification: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class AskBack:
    """Put a responder's question into the request's thread."""

    requests: RequestStore
    change_request: ChangeRequest

    def __call__(
        self, request_id: str, question: Question, once: str | None = None, known: Request | None = None
    ) -> Request:
        """Return the request with the question; the same one again, while it is open, changes nothing.

        Raises Forbidden, AlreadyResponded, NotPending, QuestionsOff, ValidationFailed, NotFound, and TakenAlready if
        the name `once` is taken.
        """
        request = known or self.requests.load(request_id)

        def step(head: Head, stamp: Stamp) -> Change | None:
            authorize(question.actor, Action.RESPOND, head)
            return ask(
                head,
                request.content,
                question.text,
                by=question.responder,
                via=question.via,
                verification=question.verification,
                stamp=stamp,
            )

        actor = question.responder or question.via.value
        return self.change_request(request_id, step, once, request, actor=actor)


@dataclass(frozen=True)
class AnswerQuestion:
    """Put the flow's answer into the request's thread."""

    change_once: ChangeOnce

    def __call__(self, holder: KeyHolder, request_id: str, text: str, call: Call | None = None) -> Request:
        """Return the request with the answer.

        Raises Forbidden, AlreadyResponded, NotPending, NoQuestion, ValidationFailed, NotFound, and IdempotencyMismatch.
        """

        def step(head: Head, stamp: Stamp) -> Change | None:
            return answer(head, text, holder.deployment.settings, stamp=stamp)

        return self.change_once(holder, Action.ANSWER_QUESTION, request_id, step, call)
