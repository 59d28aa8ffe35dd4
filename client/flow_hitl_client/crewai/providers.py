"""The two providers for `@human_feedback`: wait in place, or store the flow and end."""

import logging
import os
import sys
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, Final

from crewai.flow.async_feedback import HumanFeedbackPending  # type: ignore[import-not-found]

from flow_hitl_client.client import Client
from flow_hitl_client.crewai import asking, versions
from flow_hitl_client.crewai.answers import Answer, text_of
from flow_hitl_client.crewai.plain import plain_json
from flow_hitl_client.crewai.steps import steps_of
from flow_hitl_client.crewai.store import Asker, StoreThenAsk, opened
from flow_hitl_client.errors import FlowHitlClientError, ProblemError, ServerUnreachable
from flow_hitl_client.types import FreeText, Request, ResumeStatus
from flow_hitl_client.waiting import Look, ReceiptPatience, next_look

_log = logging.getLogger("flow_hitl_client")

# How often a waiting flow checks whether its process was told to stop.
_LOOK_SECONDS: Final = 0.3
_LONGEST_PAUSE_SECONDS: Final = 30.0

# Set while a stored flow resumes: its next review points are stored too, whatever the provider.
resuming: ContextVar["StoreThenAsk | None"] = ContextVar("flow_hitl_resuming", default=None)


class ReviewCancelled(FlowHitlClientError):
    """The request was cancelled while the flow waited for it; `request` is its last state."""

    def __init__(self, request: Request) -> None:
        super().__init__(f"request {request['id']} was cancelled, so the flow has no answer to continue with")
        self.request = request


class Stopped(FlowHitlClientError):
    """The program was told to stop while the flow waited for a person; the request was cancelled."""


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")  # in one write: parallel branches print too
    sys.stdout.flush()


class BlockingProvider:
    """Opens a request and waits in place for as long as people need.

    The wait survives an unreachable server, but not the end of the process: for that, use DurableProvider.
    """

    def __init__(
        self,
        client: Client | None = None,
        *,
        free_text: FreeText | None = None,
        say: Callable[[str], None] = _say,
    ) -> None:
        """Ask through `client` (default: from the environment); `say` reports whom the flow waits for.

        `free_text` says what happens to an answer that is none of the `emit` options: `ask_again` asks the person to
        choose one; with `accept`, crewai's LLM chooses, and if it cannot, the person is asked again. The default is the
        deployment's setting, or `ask_again` if crewai has no usable LLM.
        """
        versions.prepare()
        self._client = client or Client()
        self._wishes = asking.Wishes(free_text=free_text)
        self._say = say

    def request_feedback(self, context: Any, flow: Any) -> str:
        """Ask for this review point and return the answer; raises ReviewCancelled."""
        store = resuming.get()
        if store is not None:
            return pause(context, flow, store)
        body, text = asking.body_of(context, flow, str(uuid.uuid4()), steps_of(flow).shown(), self._wishes), ""
        while True:
            request = self._answered(body)
            response = request["response"]
            if response is None:
                raise ReviewCancelled(request)
            text, outcome = text_of(response, text), response["outcome"]
            try:
                if context.emit and outcome is None:
                    outcome = versions.interpret(flow, context, text)
            except versions.NotUnderstood as error:
                body = asking.again(body, context.message, request, response)
                _log.warning("request %s: %s; asking again by request %s", request["id"], error, body["request_id"])
                self._report(request, "paused_again", asking.asked_again(body))
                continue
            self._report(request, "resumed")
            return Answer(text, request, outcome)

    def _answered(self, body: dict[str, Any]) -> Request:
        """Ask, and return the request once it is closed."""
        created = asking.create(self._client, body)
        self._say(asking.waiting(created, body["flow_name"]))
        request = self._wait(created["request"])
        response = request["response"]
        if response is not None:
            nobody = "The clock" if response["responded_via"] == "auto_response" else "Someone"
            self._say(f"{response['responder'] or nobody} answered: {response['outcome'] or response['feedback']}")
        return request

    def _wait(self, request: Request) -> Request:
        """Return the request once it is closed and has its receipt, through any outage of the server."""
        asked, pause_seconds, patience = request["assigned_to_email"], 1.0, ReceiptPatience()
        began = time.monotonic()
        while (pending := request["status"] == "pending") or patience.waits(request):
            try:
                # A receipt follows its decision within seconds.
                request = self._poll(request["id"], next_look(time.monotonic() - began if pending else 0.0))
                pause_seconds = 1.0
            except (ServerUnreachable, ProblemError) as error:
                if isinstance(error, ProblemError) and error.status < 500 and error.status != 429:
                    raise
                _log.warning("Flow HITL does not answer; still waiting: %s", error)
                time.sleep(pause_seconds)
                pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)
            if request["assigned_to_email"] != asked:
                asked = request["assigned_to_email"]
                self._say(f"Waiting for {asking.whom(request)}")
        return request

    def _poll(self, request_id: str, look: Look) -> Request:
        """Ask once; raises Stopped when the program is to end."""
        # In a daemon thread, which does not delay the interpreter's end.
        poll: Future[Request] = Future()
        threading.Thread(
            target=self._resolve, args=(poll, request_id, look), name="flow-hitl-poll", daemon=True
        ).start()
        while True:
            with suppress(FutureTimeout):
                return poll.result(timeout=_LOOK_SECONDS)
            if versions.interrupted():
                self._client.cancel(request_id)
                raise Stopped(f"stopped while waiting for a person; request {request_id} was cancelled")

    def _resolve(self, poll: "Future[Request]", request_id: str, look: Look) -> None:
        try:
            time.sleep(look.pause)
            poll.set_result(self._client.get_request(request_id, wait=look.wait))
        except Exception as error:
            poll.set_exception(error)

    def _report(self, request: Request, status: ResumeStatus, detail: str | None = None) -> None:
        try:
            self._client.report_resume_status(request["id"], status, detail=detail)
        except FlowHitlClientError as error:
            # The flow has its answer; a lost report must not stop it.
            _log.warning("could not report that the flow of request %s resumed: %s", request["id"], error)


class DurableProvider:
    """Stores the flow, then opens a request: `kickoff()` returns a HumanFeedbackPending and the process may end.

    Its `callback_info` has the `request_id`, and the `request` if the server could be reached. A resumer
    (`flow-hitl-client resume`) resumes the flow.
    """

    def __init__(
        self,
        client: Client | None = None,
        *,
        resume_url: str | None = None,
        free_text: FreeText | None = None,
        store: str | os.PathLike[str] | None = None,
        say: Callable[[str], None] = _say,
    ) -> None:
        """Ask through `client` (default: from the environment).

        `resume_url` is your resumer's endpoint, if the server is to push decisions. `free_text` is as in
        BlockingProvider. `store` is the file for paused flows; see `flow_store`. A flow keeps its own persistence if it
        has one; its pauses are in `store` as well.
        """
        versions.prepare()
        # The program is about to end; the resumer has time to retry.
        self._client = client or Client(timeout=10, retries=1)
        self._wishes = asking.Wishes(free_text=free_text, resume_url=resume_url)
        self._store = store
        self._say = say

    def request_feedback(self, context: Any, flow: Any) -> str:
        """Raise the HumanFeedbackPending that crewai stores; then the person is asked."""
        return pause(context, flow, resuming.get() or self._attached(flow))

    def _attached(self, flow: Any) -> StoreThenAsk:
        """Give the flow a persistence with the journal beside it, and return that."""
        present = versions.persistence_of(flow)
        if isinstance(present, StoreThenAsk):
            return present
        persistence, journal = opened(self._store if present is None or self._store else present)
        attached = StoreThenAsk(present or persistence, self.asker(journal))
        versions.set_persistence(flow, attached)
        return attached

    def asker(self, journal: Any) -> Asker:
        """Return what sends the requests of this provider's pauses."""
        return Asker(self._client, journal, self._wishes, self._say)


def pause(context: Any, flow: Any, store: StoreThenAsk) -> str:
    """Raise the pause that crewai hands to the flow's `store`."""
    asking.wishes_of(context.metadata)  # before anything is stored, if they are wrong
    # crewai stores JSON: up to 1.10 it fails on a model, later it makes a dictionary of it, as here.
    context.method_output = plain_json(context.method_output, nan="constants")
    context.metadata = plain_json(context.metadata)
    pending = HumanFeedbackPending(context=context, callback_info={"request_id": str(uuid.uuid4())})
    pending.flow_hitl_flow = flow
    context.flow_hitl_pending = pending
    if versions.persistence_of(flow) is not store:
        versions.set_persistence(flow, store)
    raise pending
