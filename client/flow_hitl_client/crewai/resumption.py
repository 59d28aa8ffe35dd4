"""Resuming a stored flow."""

import asyncio
import logging
import threading
import uuid
from collections.abc import Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from flow_hitl_client.client import Client
from flow_hitl_client.crewai import versions
from flow_hitl_client.crewai.answers import Answer, metadata_with, text_of
from flow_hitl_client.crewai.providers import resuming
from flow_hitl_client.crewai.registry import Entry
from flow_hitl_client.crewai.steps import restore, rounds_of_pauses
from flow_hitl_client.crewai.store import Asker, StoreThenAsk, context_of
from flow_hitl_client.errors import AlreadyResumed, FlowHitlClientError, NotFound, ValidationFailed
from flow_hitl_client.journal import Journal, Pause
from flow_hitl_client.types import ResumeStatus
from flow_hitl_client.waiting import awaits_receipt

_log = logging.getLogger("flow_hitl_client")

_LEASE_SECONDS: Final = 60.0
_LONGEST_DETAIL: Final = 1000
_RECEIPT_SECONDS: Final = 5
T = TypeVar("T")


class NotPaused(FlowHitlClientError):
    """No flow waits for this request in this store: it has resumed, or is stored elsewhere."""


class NotDecided(FlowHitlClientError):
    """The request has no answer yet, or not the receipt that was asked for, or was cancelled."""


class Busy(FlowHitlClientError):
    """Another process is resuming this flow."""


class _Unclear(Exception):
    """Nothing could tell which options the answers to these pauses mean."""

    def __init__(self, pauses: Sequence[Pause]) -> None:
        super().__init__()
        self.pauses = pauses


@dataclass(frozen=True)
class GoneOn:
    """How a resumption ended: `result` is what `kickoff()` would have returned, `error` what stopped the flow."""

    status: ResumeStatus
    result: Any = None
    error: Exception | None = None


async def go_on(entry: Entry, pauses: Sequence[Pause], inner: Any, asker: Asker) -> GoneOn:
    """Resume the flow from the decided pauses of one moment, and note the result in the journal.

    Raises NotPaused if the flow has resumed before, also elsewhere; Busy if another process is resuming it; NotDecided
    if a receipt that was asked for is not signed yet; and the other errors of `Client.claim_resumption`.
    """
    journal, flow_id = asker.journal, pauses[0].flow_id
    with _claimed(journal, flow_id):
        # Read again: the previous owner may have resumed it.
        pauses = journal.group(pauses[0].group_id)
        if any(pause.status != "decided" for pause in pauses):
            raise NotPaused(f"flow {flow_id} has already resumed from request {pauses[0].request_id}")
        if _fetch_receipts(pauses, asker):
            pauses = journal.group(pauses[0].group_id)
        _claim_resumption(pauses, asker)
        try:
            result, paused_again = await _run(entry, pauses, inner, asker)
        except _Unclear as unclear:
            return GoneOn("paused_again", asker.ask_again(unclear.pauses)[0])
        except Exception as error:
            if not threading.main_thread().is_alive():
                raise  # the interpreter is ending; the next resumer runs the flow again
            _log.warning("flow %s failed to resume", flow_id, exc_info=True)
            journal.finish(pauses, "resume_failed", f"{type(error).__name__}: {error}"[:_LONGEST_DETAIL])
            return GoneOn("resume_failed", error=error)
        status: ResumeStatus = "paused_again" if paused_again else "resumed"
        journal.finish(pauses, status)
        return GoneOn(status, result)


def _fetch_receipts(pauses: Sequence[Pause], asker: Asker) -> bool:
    """Fetch the receipts that the feed was too early for; return whether there were any. Raises NotDecided."""
    late = [pause.request_id for pause in pauses if pause.decision and awaits_receipt(pause.decision)]
    for request_id in late:
        request = asker.client.get_request(request_id, wait=_RECEIPT_SECONDS)
        if awaits_receipt(request):
            raise NotDecided(f"the receipt of request {request_id} is not signed yet; the flow resumes when it is")
        asker.journal.complete(request)
    return bool(late)


def _claim_resumption(pauses: Sequence[Pause], asker: Asker) -> None:
    """Claim the requests at the server: another store, such as a copy or a backup, may have the flow too."""
    for pause in pauses:
        try:
            asker.client.claim_resumption(pause.request_id, asker.journal.resumption(pause.request_id))
        except AlreadyResumed as error:
            asker.journal.leave_to_others(pauses, str(error))
            raise NotPaused(
                f"flow {pause.flow_id} has resumed, or is resuming, from request {pause.request_id} elsewhere. If that "
                "had no effect, report resume_failed for the request; then retry."
            ) from error


async def _run(entry: Entry, pauses: Sequence[Pause], inner: Any, asker: Asker) -> tuple[Any, bool]:
    contexts = [context_of(pause.snapshot) for pause in pauses]
    state = pauses[0].snapshot["state"]
    store = StoreThenAsk(inner, asker, resuming=(state, contexts[0]))
    token = resuming.set(store)
    try:
        flow = entry.flow_class.from_pending(pauses[0].flow_id, store, **entry.arguments)
        versions.restore_joins(flow, pauses[0].snapshot["joins"])
        steps = restore(flow, pauses[0].body.get("history", ()), pauses[0].snapshot.get("steps_left_out", 0))
        steps.add(*rounds_of_pauses(pauses))
        answers = await _answers(flow, pauses, contexts)
        result: Any = None
        # One flow object for all answers, so that what joins the branches sees each of them.
        for answer, context in zip(answers, contexts, strict=True):
            context.metadata = metadata_with(context.metadata, answer.request)
            flow._pending_feedback_context = context
            result = await flow.resume_async(answer)
        paused = store.commit()
    finally:
        resuming.reset(token)
    if paused:
        return paused[0], True
    # Up to 1.10, `resume` does not return what `kickoff` does.
    return (result if versions.STRICT or not flow.method_outputs else flow.method_outputs[-1]), False


async def _answers(flow: Any, pauses: Sequence[Pause], contexts: Sequence[Any]) -> list[Answer]:
    """Return the texts to resume with, after fixing the outcomes in their pauses.

    Raises _Unclear, before anything has run, if a free text is none of the options to crewai's LLM either.
    """
    answers, unclear = list[Answer](), list[Pause]()
    for pause, context in zip(pauses, contexts, strict=True):
        request = pause.decision
        response = request["response"] if request else None
        if request is None or response is None:
            raise NotDecided(f"request {pause.request_id} has no response")
        text, outcome = text_of(response, pause.snapshot.get("said", "")), response["outcome"]
        if context.emit and outcome is None:
            try:
                outcome = await asyncio.to_thread(versions.interpret, flow, context, text)
            except versions.NotUnderstood as error:
                _log.warning("request %s is asked again: %s", pause.request_id, error)
                unclear.append(pause)
                continue
        if context.emit:
            context.default_outcome = outcome
            if not versions.STRICT:
                context.llm = None  # these versions build it even where they do not ask it
        answers.append(Answer(text, request, outcome, looks_blank=bool(context.emit)))
    if unclear:
        raise _Unclear(unclear)
    return answers


@contextmanager
def _claimed(journal: Journal, flow_id: str) -> Iterator[None]:
    """Hold the flow alone; the claim outlives this process by at most a minute."""
    owner = str(uuid.uuid4())
    if not journal.claim(flow_id, owner, _LEASE_SECONDS):
        raise Busy(f"another process is resuming flow {flow_id}; try again when it has finished")
    over = threading.Event()

    def keep() -> None:
        while not over.wait(_LEASE_SECONDS / 4):
            journal.claim(flow_id, owner, _LEASE_SECONDS)

    keeper = threading.Thread(target=keep, name="flow-hitl-claim", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        over.set()
        keeper.join()
        journal.release(flow_id, owner)


def send_reports(journal: Journal, client: Client) -> None:
    """Report to the timelines how their flows resumed; what fails now is reported next time."""
    for report in journal.reports():
        try:
            client.report_resume_status(report.request_id, report.status, detail=report.detail)
        except FlowHitlClientError as error:
            # A lost report must not change how the flow ended.
            _log.warning("could not report %s for request %s: %s", report.status, report.request_id, error)
            if not isinstance(error, (NotFound, ValidationFailed)):
                return
        journal.reported(report)


def run_coroutine(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run the coroutine to its end, also if an event loop is running in this thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(asyncio.run, coroutine).result()
