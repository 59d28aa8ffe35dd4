"""CrewAI: `@human_feedback` asks through Flow HITL, and the person's answer picks the listener, without an LLM.

    import flow_hitl_client.crewai as hitl

    hitl.install()      # reads FLOW_HITL_URL and FLOW_HITL_API_KEY; decorators stay unchanged; waits in place

To survive the end of the process, a flow pauses instead:

    hitl.install(durable=True)
    paused = MyFlow().kickoff()     # stored, then asked; a HumanFeedbackPending

It is resumed by `flow-hitl-client resume --app my_flows:registry`, by an endpoint (`flow_hitl_client.crewai.resumer`),
or by `hitl.resume(MyFlow, request)`.

Needs the extra `[crewai]`. Tested with crewai 1.8.0, 1.8.1, 1.10.1, 1.14.7, and 1.15.30.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from crewai.flow.flow_config import flow_config  # type: ignore[import-not-found]

from flow_hitl_client.answers import schema_of
from flow_hitl_client.client import Client
from flow_hitl_client.crewai import resumption
from flow_hitl_client.crewai.answers import WISHES_KEY, Answer
from flow_hitl_client.crewai.providers import BlockingProvider, DurableProvider, ReviewCancelled, Stopped
from flow_hitl_client.crewai.registry import Registry, UnknownFlow, registry_of
from flow_hitl_client.crewai.resumption import Busy, NotDecided, NotPaused
from flow_hitl_client.crewai.store import FlowStore, flow_store, opened
from flow_hitl_client.crewai.versions import CrewAINotSupported, NotUnderstood
from flow_hitl_client.types import FreeText, OptionLook, Request

__all__ = [
    "Answer",
    "BlockingProvider",
    "Busy",
    "CrewAINotSupported",
    "DurableProvider",
    "FlowStore",
    "NotDecided",
    "NotPaused",
    "NotUnderstood",
    "Registry",
    "ReviewCancelled",
    "Stopped",
    "UnknownFlow",
    "flow_store",
    "install",
    "pending_request_id",
    "registry_of",
    "resume",
    "resume_async",
    "review",
]


def install(
    provider: Any = None,
    *,
    durable: bool | None = None,
    client: Client | None = None,
    resume_url: str | None = None,
    free_text: FreeText | None = None,
    store: str | os.PathLike[str] | None = None,
    say: Callable[[str], None] | None = None,
) -> None:
    """Let every `@human_feedback` of this process without its own provider ask through Flow HITL.

    By default it waits in place (BlockingProvider). With `durable`, or FLOW_HITL_MODE=durable in the environment, it
    stores the flow (DurableProvider, which takes `resume_url` and `store`). Your own `provider` replaces both.
    On crewai 1.8 and 1.9, call it before defining classes with `emit`. Raises NotConfigured, CrewAINotSupported.
    """
    if provider is None:
        options: dict[str, Any] = {"free_text": free_text} | ({} if say is None else {"say": say})
        if durable if durable is not None else os.environ.get("FLOW_HITL_MODE") == "durable":
            provider = DurableProvider(client, resume_url=resume_url, store=store, **options)
        else:
            provider = BlockingProvider(client, **options)
    flow_config.hitl_provider = provider


def review(
    *,
    title: str | None = None,
    options: Mapping[str, OptionLook] | None = None,
    editable: bool | None = None,
    response_schema: Any = None,
    attachments: Sequence[str | os.PathLike[str]] | None = None,
    receipt: bool | None = None,
    approval_ttl_minutes: int | None = None,
    questions: bool | None = None,
    **metadata: Any,
) -> dict[str, Any]:
    """Return the `metadata` of a decorator that asks for more: `metadata=hitl.review(editable=True)`.

    `response_schema` is a flat JSON Schema or a pydantic model. `attachments` are paths of images and PDFs, read when
    the person is asked. With `questions`, reviewers may ask back; answer with `Client.answer_question`. What came is in
    `result.metadata["hitl"]`: `output` (as the reviewer changed it, None if they did not), `data`, `receipt`, and
    `valid_until`. `approved_output` and `typed_answer` of `flow_hitl_client` read them from `result.feedback.request`.
    Other arguments are metadata.
    Raises ValueError for a model with a field that cannot be asked for.
    """
    wishes = {
        "title": title,
        "options": options,
        "editable": editable,
        "response_schema": None if response_schema is None else schema_of(response_schema),
        "attachments": None if attachments is None else [os.fspath(one) for one in attachments],
        "receipt": receipt,
        "approval_ttl_minutes": approval_ttl_minutes,
        "questions": questions,
    }
    return {**metadata, WISHES_KEY: {name: value for name, value in wishes.items() if value is not None}}


def pending_request_id(flow_id: str, store: Any = None) -> str:
    """Return the id of the first request that the stored flow waits for; raises NotPaused."""
    _persistence, journal = opened(store)
    waiting = journal.open(flow_id)
    if not waiting:
        raise NotPaused(f"flow {flow_id} is not waiting for anyone in {journal.path}")
    return waiting[0].request_id


def resume(flow: Any, request: Request, *, client: Client | None = None, store: Any = None) -> Any:
    """Resume the flow that paused for this request, and return what its `kickoff()` would have returned.

    `flow` is its class or a Registry. The outcome picks the listener, without an LLM. `result.feedback` is the person's
    comment, or the first line if there is none; for free text, all of it. Crewai's LLM interprets an answer that is
    none of the options; if it cannot, the person is asked again. If the flow pauses again, the new HumanFeedbackPending
    is returned. A flow whose listener failed can be resumed again.

    `client` (default: from the environment) reports `resumed`, `paused_again`, or `resume_failed` to the request's
    timeline. May be called while an event loop is running. Raises NotDecided (also while a parallel review point
    waits), NotPaused, Busy, and whatever the flow's methods raise.
    """
    return resumption.run_coroutine(resume_async(flow, request, client=client, store=store))


async def resume_async(flow: Any, request: Request, *, client: Client | None = None, store: Any = None) -> Any:
    """Do what `resume` does, in the running event loop."""
    if request["response"] is None:
        raise NotDecided(f"request {request['id']} is {request['status']} and has no response")
    client = client or Client()
    inner, journal = opened(store)
    journal.decide([request])
    journal.again(request["id"])
    pause = journal.pause(request["id"])
    if pause is None or pause.status != "decided":
        raise NotPaused(f"no flow in {journal.path} waits for request {request['id']}")
    pauses = journal.group(pause.group_id)
    # Parallel review points may be decided too.
    journal.decide([client.get_request(one.request_id) for one in pauses if one.decision is None])
    pauses = journal.group(pause.group_id)
    waiting = [one.request_id for one in pauses if one.decision is None]
    if waiting:
        raise NotDecided(f"the flow also waits for {', '.join(waiting)}; it resumes when all are answered")
    entry = registry_of(flow).find(pause.flow_class)
    gone_on = await resumption.go_on(entry, pauses, inner, DurableProvider(client).asker(journal))
    resumption.send_reports(journal, client)
    if gone_on.error is not None:
        raise gone_on.error
    return gone_on.result
