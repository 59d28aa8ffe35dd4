"""What a review point asks the server."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from flow_hitl_client.client import Client
from flow_hitl_client.crewai.answers import text_of
from flow_hitl_client.crewai.plain import plain_json, rfc3339, state_of
from flow_hitl_client.journal import Pause
from flow_hitl_client.types import CreatedRequest, FreeText, HistoryEntry, Request

_LONGEST_HISTORY: Final = 100


@dataclass(frozen=True)
class Wishes:
    """What an author may say about all requests of a process."""

    free_text: FreeText = "ask_again"
    resume_url: str | None = None


def body_of(context: Any, flow: Any, request_id: str, history: list[HistoryEntry], wishes: Wishes) -> dict[str, Any]:
    """Return the arguments of `create_request` for one review point."""
    fields = {
        "request_id": request_id,
        "flow_id": context.flow_id,
        "flow_name": flow.name or type(flow).__name__,
        "method_name": context.method_name,
        "message": context.message,
        "output": plain_json(context.method_output),
        "emit_options": context.emit,
        "state": plain_json(state_of(flow)),
        "metadata": plain_json(context.metadata),
        "history": history[-_LONGEST_HISTORY:] or None,
        "resume_url": wishes.resume_url,
        "free_text": wishes.free_text if context.emit else None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def create(client: Client, body: dict[str, Any]) -> CreatedRequest:
    """Ask, and return the request with its addresses."""
    return client.create_request(**body)


def waiting(created: CreatedRequest, flow: str) -> str:
    """Return for whom a flow waits, and below it the page where whoever signs in sees the request.

    The links of the mail let their reader answer, so no program is given them.
    """
    request, page = created["request"], created.get("dashboard_url")
    text = f"Waiting for {whom(request)}: {flow}.{request['method_name']}"
    return f"{text}\n  {page}" if page else text


def history_of_results(results: Iterable[Any]) -> list[HistoryEntry]:
    """Return the earlier rounds that crewai's own `human_feedback_history` has."""
    return [
        {
            "method": str(result.method_name),
            "at": rfc3339(result.timestamp),
            "output": _round(plain_json(result.output), result.outcome, str(result.feedback)),
        }
        for result in results
    ]


def history_of_pauses(pauses: Iterable[Pause]) -> list[HistoryEntry]:
    """Return the earlier rounds that the journal has."""
    history: list[HistoryEntry] = []
    for pause in pauses:
        response = pause.decision["response"] if pause.decision else None
        if response is not None:
            output = _round(pause.body.get("output"), response["outcome"], text_of(response))
            history.append({"method": pause.body["method_name"], "at": response["responded_at"], "output": output})
    return history


def _round(output: Any, outcome: str | None, said: str) -> Any:
    """Return what was shown together with what was answered: as text where it was text."""
    answer = outcome or said
    if isinstance(output, str):
        return f"{output}\n\n**{answer}**" + ("" if said == answer else f": {said}")
    return {"output": output, "answer": answer, "comment": "" if said == answer else said}


def whom(request: Request) -> str:
    """Return who is asked and why, such as `alice@example.com (rule Content to Alice)`."""
    why = {
        "request": "named by the flow",
        "deployment_creator": "deployment creator",
        "reassignment": "passed on",
    }.get(request["assigned_by"])
    rule = request["routing_rule"]
    return f"{request['assigned_to_email']} ({why or f'rule {rule}'})"
