"""The one place that patches crewai's own methods, once per process.

Tested with crewai 1.8.0, 1.8.1, 1.10.1, 1.14.7, and 1.15.30. `prepare` refuses a crewai that lacks what it needs, so
that a new version fails at `install()`, not in the middle of a flow. Why: docs/flows/traps/ and decision 19.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import version
from inspect import signature
from typing import Any, Final

from crewai.flow.async_feedback import HumanFeedbackPending  # type: ignore[import-not-found]
from crewai.flow.flow import Flow  # type: ignore[import-not-found]
from crewai.llm import LLM  # type: ignore[import-not-found]

from flow_hitl_client.crewai import branches, steps
from flow_hitl_client.crewai.answers import Answer, metadata_with
from flow_hitl_client.errors import FlowHitlClientError

# The package `crewai.flow` has a function of the same name as this module.
_feedback_module = import_module("crewai.flow.human_feedback")
_NEEDED: Final = ("_execute_start_method", "_execute_single_listener", "_execute_method", "_collapse_to_outcome")
# What crewai 1.10 to 1.14 take when a decorator names no LLM.
_DEFAULT_LLM: Final = "gpt-4o-mini"
_CANNOT_TELL: Final = "cannot_tell"
_resolve_llm: Final[Any] = getattr(_feedback_module, "_resolve_llm_instance", None)
# From 1.15 on, crewai raises where it cannot interpret a text. Before, it takes the first option.
STRICT: Final = hasattr(_feedback_module, "HumanFeedbackCollapseError")


class CrewAINotSupported(FlowHitlClientError):
    """The provider cannot work with this crewai."""


class NotUnderstood(FlowHitlClientError):
    """The text is none of the options, and no LLM could say which one is meant. No option was chosen."""


class _NoLlm:
    """Stands for an LLM that cannot be built; fails only when it is called."""

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def call(self, *_arguments: Any, **_options: Any) -> Any:
        raise NotUnderstood(self.reason)


def cannot_interpret(flow: Any, context: Any) -> str | None:
    """Return why crewai could not interpret free text at this review point; None if it may."""
    try:
        llm = _llm_of(flow, context)
        # From 1.14, the first call makes what needs the credentials.
        for make in filter(None, (getattr(llm, name, None) for name in ("_get_sync_client",))):
            make()
        if type(llm) is LLM and not (llm.api_key or llm.base_url or llm.api_base):
            missing = import_module("litellm").validate_environment(llm.model)["missing_keys"]
            return f"{', '.join(missing)} is missing" if missing else None
    except Exception as error:  # whatever a provider's library raises about keys and names
        return f"{type(error).__name__}: {error}"
    return None


def interpret(flow: Any, context: Any, text: str) -> str:
    """Return the option that crewai's LLM makes of free text; raises NotUnderstood, whatever went wrong."""
    try:
        outcome = flow._collapse_to_outcome(feedback=text, outcomes=context.emit, llm=_llm_of(flow, context))
    except NotUnderstood:
        raise
    except Exception as error:
        raise NotUnderstood(
            f"nothing could tell which of {context.emit} is meant: {type(error).__name__}: {error}"
        ) from error
    return str(outcome)


def _llm_of(flow: Any, context: Any) -> Any:
    """Return the LLM that crewai asks at this review point: the decorator's, as stored, or the default."""
    config = getattr(getattr(type(flow), context.method_name, None), "__human_feedback_config__", None)
    named = context.llm if config is None or config.llm is None else config.llm
    if STRICT:
        llm = _resolve_llm(named)
    elif isinstance(named, str):
        llm = LLM(model=named)
    elif isinstance(named, dict):
        llm = _feedback_module._deserialize_llm_from_context(named)
    else:
        llm = named
    if llm is None:
        raise NotUnderstood("the review point names no LLM")
    return llm


def prepare() -> None:
    """Prepare this process's crewai for our providers, once; raises CrewAINotSupported."""
    if getattr(Flow, "_flow_hitl_prepared", False):
        return
    missing = [name for name in _NEEDED if not hasattr(Flow, name)]
    if missing:
        raise CrewAINotSupported(
            f"crewai {version('crewai')} has no Flow.{', Flow.'.join(missing)}. Install crewai 1.15.30, or a newer "
            "flow-hitl-client."
        )
    _let_emit_do_without_an_llm()
    _build_an_llm_only_when_needed()
    Flow._collapse_to_outcome = _deciding(Flow._collapse_to_outcome)
    for name in ("_execute_start_method", "_execute_single_listener"):
        setattr(Flow, name, _as_branch(getattr(Flow, name)))
    Flow._execute_method = _noted(Flow._execute_method)
    for name in ("_execute_method", "_execute_single_listener"):
        setattr(Flow, name, _with_its_own_feedback(getattr(Flow, name)))
    Flow._flow_hitl_prepared = True


def _let_emit_do_without_an_llm() -> None:
    """Give crewai 1.8 and 1.9 the default LLM of 1.10: there, `emit` without `llm` is a ValueError.

    Set in the function's defaults, so that it holds where the decorator is already imported.
    """
    decorator = _feedback_module.human_feedback
    try:
        decorator(message="?", emit=["yes", "no"])
    except ValueError:
        names = decorator.__code__.co_varnames[: decorator.__code__.co_argcount]
        defaults = dict(zip(names[-len(decorator.__defaults__) :], decorator.__defaults__, strict=True))
        decorator.__defaults__ = tuple({**defaults, "llm": _DEFAULT_LLM}.values())


def _build_an_llm_only_when_needed() -> None:
    """Let 1.15 reach the person even if the review point's LLM cannot be built."""
    if not STRICT:
        return
    from crewai.flow import runtime  # type: ignore[import-not-found]

    original: Callable[[Any], Any] = runtime._resolve_llm_instance

    def resolve(llm: Any) -> Any:
        if isinstance(llm, _NoLlm):
            return llm
        try:
            built = original(llm)
        except Exception as error:  # whatever a provider's library raises about keys and names
            return _NoLlm(f"{type(error).__name__}: {error}")
        return _NoLlm("no LLM is configured") if built is None else built

    runtime._resolve_llm_instance = resolve


def _deciding(original: Callable[..., str]) -> Callable[..., str]:
    """Return `_collapse_to_outcome` that asks no LLM about a chosen option, and never guesses."""

    def collapse(self: Any, feedback: str, outcomes: Sequence[str], llm: Any) -> str:
        if isinstance(feedback, Answer) and feedback.outcome in outcomes:
            return str(feedback.outcome)
        if isinstance(llm, _NoLlm):
            raise NotUnderstood(f"{feedback!r} is none of {list(outcomes)}, and there is no LLM to ask: {llm.reason}")
        # Up to 1.14, crewai falls back to the first outcome: here, one that nobody listens to.
        chosen = original(self, feedback=str(feedback), outcomes=[_CANNOT_TELL, *outcomes], llm=llm)
        if chosen not in outcomes:
            raise NotUnderstood(f"{feedback!r} is none of {list(outcomes)}, and the LLM {llm!r} could not tell")
        return chosen

    return collapse


def _as_branch(original: Callable[..., Any]) -> Callable[..., Any]:
    """Return the flow method run as a branch: a pause in it waits until every other branch rests."""

    async def run(self: Any, *arguments: Any, **options: Any) -> Any:
        with branches.branch(self) as branch:
            try:
                return await original(self, *arguments, **options)
            except HumanFeedbackPending as pending:
                await branch.pause(pending)
                raise

    return run


def _with_its_own_feedback(original: Callable[..., Any]) -> Callable[..., Any]:
    """Return the flow method that restores its own `last_human_feedback`, and adds to it what came with the answer.

    crewai hands that to the listeners next; a parallel branch may have overwritten it.
    """

    async def run(self: Any, name: Any, *arguments: Any, **options: Any) -> Any:
        earlier = len(self.human_feedback_history)
        result = await original(self, name, *arguments, **options)
        mine = [one for one in self.human_feedback_history[earlier:] if one.method_name == str(name)]
        if mine:
            self.last_human_feedback = mine[-1]
            answer = mine[-1].feedback
            # A new dictionary: the old one belongs to the decorator, and so to every instance of the flow.
            mine[-1].metadata = metadata_with(mine[-1].metadata, answer.request if isinstance(answer, Answer) else None)
        return result

    return run


def _noted(original: Callable[..., Any]) -> Callable[..., Any]:
    """Return `_execute_method` that notes what has run, as context for the next reviewer."""
    # From 1.10, it returns an event id as well.
    with_event = "tuple" in str(signature(original).return_annotation)

    async def run(self: Any, name: Any, *arguments: Any, **options: Any) -> Any:
        steps.begin(self)
        earlier = len(self.human_feedback_history)
        result = await original(self, name, *arguments, **options)
        reviews = [one for one in self.human_feedback_history[earlier:] if one.method_name == str(name)]
        noted = steps.steps_of(self)
        noted.had_outputs = True
        if reviews:
            noted.add(steps.round_of_result(reviews[-1]))
        else:
            noted.add(steps.step(str(name), result[0] if with_event else result))
        return result

    return run


def persistence_of(flow: Any) -> Any:
    """Return the flow's persistence, or None."""
    return flow.persistence if hasattr(flow, "persistence") else flow._persistence


def set_persistence(flow: Any, persistence: Any) -> None:
    """Give the flow another persistence."""
    setattr(flow, "persistence" if hasattr(flow, "persistence") else "_persistence", persistence)


def joins_of(flow: Any) -> dict[str, Any]:
    """Return, as plain JSON, what `and_` and `or_` have seen so far, which crewai keeps only in memory."""
    seen = getattr(flow, _joins_name(flow))
    fired = getattr(flow, "_fired_or_listeners", ())
    return {
        "seen": {str(listener): sorted(map(str, events)) for listener, events in seen.items()},
        "fired": sorted(map(str, fired)),
    }


def restore_joins(flow: Any, joins: dict[str, Any]) -> None:
    """Restore what `joins_of` returned."""
    getattr(flow, _joins_name(flow)).update({listener: set(events) for listener, events in joins["seen"].items()})
    with contextlib.suppress(AttributeError):
        flow._fired_or_listeners.update(joins["fired"])


def _joins_name(flow: Any) -> str:
    return "_pending_events" if hasattr(flow, "_pending_events") else "_pending_and_listeners"


def interrupted() -> bool:
    """Tell whether this thread's task was cancelled, as by Ctrl-C."""
    branch = branches.current()
    if branch is None:
        return False
    task: asyncio.Task[Any] | None = branch.task
    if task is None:
        return False
    cancelling = getattr(task, "cancelling", None)
    return task.done() or bool(cancelling and cancelling())
