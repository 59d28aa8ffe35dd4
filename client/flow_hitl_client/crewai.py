"""CrewAI: `@human_feedback` asks by Flow HITL, the flow is stored, and goes on in any process without an LLM.

In the process that starts the flow:

    import flow_hitl_client.crewai as hitl

    hitl.install(hitl.DurableProvider())
    paused = MyFlow(persistence=hitl.flow_store()).kickoff()     # a HumanFeedbackPending; the process may end

In the process that goes on, now or next week:

    client = Client()
    request = client.wait_for(hitl.pending_request_id(flow_id))
    hitl.resume(MyFlow, request, client=client)

Needs the extra `[crewai]`. Tried with crewai 1.15.30.
"""

import json
import logging
import os
import sys
import time
from pathlib import Path
from typing import Any, Final

import pydantic_core
from crewai.flow.async_feedback import (  # type: ignore[import-not-found]
    HumanFeedbackPending,
    HumanFeedbackProvider,
    PendingFeedbackContext,
)
from crewai.flow.flow_config import flow_config  # type: ignore[import-not-found]
from crewai.flow.persistence import FlowPersistence, SQLiteFlowPersistence  # type: ignore[import-not-found]

from flow_hitl_client.client import Client
from flow_hitl_client.errors import FlowHitlClientError
from flow_hitl_client.types import FreeText, Request, Response, ResumeStatus

_log = logging.getLogger(__name__)

# Under this key the pending row, and later the listener's `result.metadata`, name the request.
METADATA_KEY: Final = "flow_hitl"
_POLL_SECONDS: Final = 0.2
_LONGEST_DETAIL: Final = 1000


class NotPaused(FlowHitlClientError):
    """The flow has no stored pause for this request: it was resumed before, or is stored in another place."""


class NotDecided(FlowHitlClientError):
    """The request has no response yet, or was cancelled, so there is nothing to resume with."""


def install(provider: HumanFeedbackProvider) -> None:
    """Let every `@human_feedback` of this process that names no provider of its own ask through this one."""
    flow_config.hitl_provider = provider


def flow_store(path: str | os.PathLike[str] | None = None) -> SQLiteFlowPersistence:
    """Return the SQLite store for paused flows, by default FLOW_HITL_FLOWS or ~/.flow-hitl/flows.db.

    Give it to the flow that starts and to `resume`. CrewAI's own default lies in a directory named after the working
    directory, so that a process started elsewhere would not find the flow.
    """
    chosen = Path(path or os.environ.get("FLOW_HITL_FLOWS") or Path.home() / ".flow-hitl" / "flows.db").absolute()
    chosen.parent.mkdir(parents=True, exist_ok=True)
    return SQLiteFlowPersistence(str(chosen))


class DurableProvider:
    """Opens a request and pauses the flow: `kickoff()` returns a HumanFeedbackPending and the process may end.

    Its `callback_info["request"]` is the request object (who was asked, why, until when).
    """

    def __init__(
        self, client: Client | None = None, *, resume_url: str | None = None, free_text: FreeText = "ask_again"
    ) -> None:
        """Ask through `client` (default: from the environment).

        `free_text`: what happens to an answer that is none of the `emit` options. `ask_again` asks the person to choose
        one, so that no LLM is needed; with `accept` CrewAI lets the LLM of the decorator choose when the flow resumes.
        """
        self._client = client or Client()
        self._resume_url = resume_url
        self._free_text = free_text

    def request_feedback(self, context: PendingFeedbackContext, flow: Any) -> str:
        """Open the request for this review point and raise HumanFeedbackPending, which CrewAI stores."""
        created = self._client.create_request(
            flow_id=context.flow_id,
            flow_name=flow.name or type(flow).__name__,
            method_name=context.method_name,
            message=context.message,
            output=_plain_json(context.method_output),
            emit_options=context.emit,
            state=_plain_json(flow.state),
            metadata=_plain_json(context.metadata),
            resume_url=self._resume_url,
            free_text=self._free_text if context.emit else None,
        )
        request = created["request"]
        # A new dictionary, because the old one belongs to the decorator and so to every instance of the flow.
        context.metadata = {**context.metadata, METADATA_KEY: {"request_id": request["id"]}}
        raise HumanFeedbackPending(context=context, callback_info={"request": request})


def pending_request_id(flow_id: str, store: FlowPersistence | None = None) -> str:
    """Return the id of the request that the stored flow waits for; raises NotPaused."""
    request_id = _stored_request_id(flow_id, store or flow_store())
    if request_id is None:
        raise NotPaused(f"flow {flow_id} does not wait for a request of ours in this store")
    return request_id


def resume(
    flow_class: type[Any],
    request: Request,
    *,
    client: Client | None = None,
    store: FlowPersistence | None = None,
    wait_for_pause: float = 30.0,
) -> Any:
    """Go on with the flow that paused for this request, and return what its `kickoff()` would have returned.

    The decided outcome picks the listener, without an LLM. `result.feedback` is the person's comment, or the first line
    where there is no comment. An answer that is none of the options (possible with `free_text="accept"`) follows
    CrewAI's own rules. If the flow pauses once more, the new HumanFeedbackPending is returned.

    How it went (`resumed`, `paused_again`, `resume_failed` with the exception's text) is reported to the request's
    timeline by `client` (default: from the environment). `wait_for_pause` is in seconds: an answer can be faster than
    CrewAI stores the pause. Resume a flow in one process at a time. Raises NotDecided, NotPaused, and whatever the
    flow's own methods raise.
    """
    response = request["response"]
    if response is None:
        raise NotDecided(f"request {request['id']} is {request['status']} and has no response")
    client = client or Client()
    store = store or flow_store()
    _wait_for_pause(request, store, wait_for_pause)
    flow = flow_class.from_pending(request["flow_id"], store)
    try:
        result = flow.resume(_decide(flow.pending_feedback, response))
    except Exception as error:
        _report(client, request, "resume_failed", f"{type(error).__name__}: {error}"[:_LONGEST_DETAIL])
        raise
    _report(client, request, "paused_again" if isinstance(result, HumanFeedbackPending) else "resumed")
    return result


class _DecidedFeedback(str):
    """The person's text, which looks blank to CrewAI alone.

    To a blank text CrewAI applies `default_outcome`, to any other, even to exactly "approved", an LLM.
    """

    __slots__ = ()

    def strip(self, chars: str | None = None, /) -> str:
        caller = str(sys._getframe(1).f_globals.get("__name__"))
        return "" if caller.partition(".")[0] == "crewai" else super().strip(chars)


def _decide(pause: PendingFeedbackContext, response: Response) -> str:
    """Return the text to resume with, after fixing the outcome in the pause if the person chose one."""
    text = response["comment"] or response["feedback"]
    outcome = response["outcome"]
    if not pause.emit or outcome is None:
        return text
    pause.default_outcome = outcome
    return _DecidedFeedback(text)


def _wait_for_pause(request: Request, store: FlowPersistence, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while _stored_request_id(request["flow_id"], store) != request["id"]:
        if time.monotonic() >= deadline:
            raise NotPaused(
                f"flow {request['flow_id']} does not wait for request {request['id']} in this store: it was resumed "
                "before, or started with another persistence"
            )
        time.sleep(_POLL_SECONDS)


def _stored_request_id(flow_id: str, store: FlowPersistence) -> str | None:
    loaded = store.load_pending_feedback(flow_id)
    if loaded is None:
        return None
    _state, pause = loaded
    ours: dict[str, str] = pause.metadata.get(METADATA_KEY, {})
    return ours.get("request_id")


def _report(client: Client, request: Request, status: ResumeStatus, detail: str | None = None) -> None:
    try:
        client.report_resume_status(request["id"], status, detail=detail)
    except FlowHitlClientError as error:
        # The flow has gone on (or has its own exception to raise); a lost report must not change that.
        _log.warning("could not report %s for request %s: %s", status, request["id"], error)


def _plain_json(value: Any) -> Any:
    """Return the value as plain JSON: models, dataclasses and dates by pydantic, anything unknown by its text."""
    return json.loads(pydantic_core.to_json(value, fallback=str, inf_nan_mode="null", bytes_mode="base64"))
