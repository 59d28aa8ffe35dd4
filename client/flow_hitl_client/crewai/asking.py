"""What a review point asks the server."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from flow_hitl_client.answers import schema_of
from flow_hitl_client.attachments import attachment_of
from flow_hitl_client.client import Client
from flow_hitl_client.crewai import versions
from flow_hitl_client.crewai.answers import WISHES_KEY, text_of
from flow_hitl_client.crewai.plain import plain_json, state_of
from flow_hitl_client.crewai.steps import round_of_body
from flow_hitl_client.types import CreatedRequest, FreeText, HistoryEntry, Request, Response

# The key of request ids in a request's metadata, the stored pause, and `result.metadata`.
METADATA_KEY: Final = "flow_hitl"

# What `metadata={"hitl": {…}}` of a decorator may ask for.
_WISHES: Final = (
    "title",
    "options",
    "receipt",
    "approval_ttl_minutes",
    "editable",
    "response_schema",
    "attachments",
    "questions",
)

_LONGEST_QUOTE: Final = 300
_MOST_HISTORY: Final = 100


@dataclass(frozen=True)
class Wishes:
    """What an author may set for all requests of a process."""

    free_text: FreeText | None = None
    resume_url: str | None = None


def wishes_of(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a review point asks for in its metadata; raises ValueError for what there is not."""
    wishes = metadata.get(WISHES_KEY)
    if not isinstance(wishes, Mapping):
        return {}
    unknown = sorted(map(str, set(wishes) - set(_WISHES)))
    if unknown:
        raise ValueError(f"metadata[{WISHES_KEY!r}] takes {', '.join(_WISHES)}, not {', '.join(unknown)}")
    schema = wishes.get("response_schema")
    return {**wishes, "response_schema": schema_of(schema)} if schema is not None else dict(wishes)


def _attachments(sources: Any) -> list[dict[str, str]] | None:
    """Return the files as they are now, so that asking again, or later, sends the same ones."""
    return [attachment_of(one) for one in sources] if sources else None


def body_of(context: Any, flow: Any, request_id: str, history: list[HistoryEntry], wishes: Wishes) -> dict[str, Any]:
    """Return the arguments of `create_request` for one review point.

    Free text is asked again if nothing could interpret it; otherwise the deployment's setting applies.
    """
    free_text = wishes.free_text
    if context.emit and free_text is None and versions.cannot_interpret(flow, context):
        free_text = "ask_again"
    wanted = wishes_of(context.metadata)
    metadata = {name: value for name, value in context.metadata.items() if name != WISHES_KEY or not wanted}
    fields = {
        **wanted,
        "attachments": _attachments(wanted.get("attachments")),
        "request_id": request_id,
        "flow_id": context.flow_id,
        "flow_name": flow.name or type(flow).__name__,
        "method_name": context.method_name,
        "message": context.message,
        "output": plain_json(context.method_output),
        "emit_options": context.emit,
        "state": plain_json(state_of(flow)),
        "metadata": plain_json(metadata),
        "history": history or None,
        "resume_url": wishes.resume_url,
        "free_text": free_text if context.emit else None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def create(client: Client, body: dict[str, Any]) -> CreatedRequest:
    """Ask, and return the request with its addresses."""
    return client.create_request(**body)


def waiting(created: CreatedRequest, flow: str) -> str:
    """Return for whom a flow waits, and the request's dashboard page."""
    request, page = created["request"], created.get("dashboard_url")
    text = f"Waiting for {whom(request)}: {flow}.{request['method_name']}"
    return f"{text}\n  {page}" if page else text


def again(body: dict[str, Any], message: str, request: Request, response: Response) -> dict[str, Any]:
    """Return the arguments that ask the assignee to choose an option, after an answer that nothing could interpret.

    `message` is the review point's.
    """
    said = text_of(response)
    quote = said if len(said) <= _LONGEST_QUOTE else said[:_LONGEST_QUOTE] + "…"
    who = response["responder"] or "Someone"
    told = f"{who} answered, but it is not clear which option they meant: “{quote}” Please choose one."
    reassigned = request["assigned_by"] == "reassignment"
    return {
        **body,
        "request_id": str(uuid.uuid4()),
        "message": f"{told}\n\n{message}",
        "metadata": {**body.get("metadata", {}), METADATA_KEY: {"follows": request["id"]}},
        "history": [*body.get("history", []), round_of_body(body, response)][-_MOST_HISTORY:],
        "free_text": "ask_again",
        **({"assigned_to_email": request["assigned_to_email"]} if reassigned else {}),
    }


def asked_again(body: dict[str, Any]) -> str:
    """Return, for the timeline, what became of an answer that nothing could interpret."""
    return f"It was not clear which option the answer meant, so it was asked again: request {body['request_id']}"


def whom(request: Request) -> str:
    """Return who is asked and why, such as `alice@example.com (rule Content to Alice)`."""
    why = {
        "request": "named by the flow",
        "deployment_creator": "deployment creator",
        "reassignment": "reassigned",
    }.get(request["assigned_by"])
    rule = request["routing_rule"]
    return f"{request['assigned_to_email']} ({why or f'rule {rule}'})"
