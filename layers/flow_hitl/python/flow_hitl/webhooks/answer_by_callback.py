"""Another application answers through its callback URL."""

from typing import Annotated

from pydantic import Field, JsonValue

from flow_hitl.contract.shapes import Channel
from flow_hitl.contract.validation import Document
from flow_hitl.platform.key_ring import KeyRing
from flow_hitl.platform.ports import Ids
from flow_hitl.platform.records import dataclass
from flow_hitl.requests.deciding.record_response import RecordResponse, Submission
from flow_hitl.requests.request import UNCHANGED, Request
from flow_hitl.webhooks.ports import WebhookStore
from flow_hitl.webhooks.show_content import proven_callback


class CallbackAnswer(Document):
    """The body of `POST {callback_url}`."""

    feedback: str
    """What the person said. The first line is the feedback, the rest the comment."""
    source: Annotated[str, Field(max_length=256)] | None = None
    """Your application's own label."""
    outcome: Annotated[str, Field(max_length=100)] | None = None
    """One of the emit options. Left out, the first line of `feedback` is compared with them."""
    output: JsonValue = None
    """If the request is `editable`: the whole output as it is to be. Its keys and types must stay."""
    data: dict[str, JsonValue] | None = None
    """If the request has a `response_schema`: the typed answer."""
    responder: Annotated[str, Field(max_length=320)] | None = None
    """Who answered. It is stored as claimed, never as verified."""


@dataclass(frozen=True)
class AnswerByCallback:
    record_response: RecordResponse
    webhooks: WebhookStore
    keys: KeyRing
    ids: Ids

    def __call__(self, token: str, answer: CallbackAnswer) -> Request:
        """Return the decided request; raises TokenInvalid and whatever `RecordResponse` raises."""
        holder, verification = proven_callback(self.keys, self.webhooks, token)
        return self.record_response(
            Submission(
                request_id=holder.request_id,
                actor=holder,
                via=Channel.API,
                decision_id=f"callback/{self.ids.event_id()}",
                text=answer.feedback,
                outcome=answer.outcome,
                responder=answer.responder,
                source=answer.source,
                output=answer.output if "output" in answer.model_fields_set else UNCHANGED,
                data=answer.data,
                verification=verification,
            )
        )
