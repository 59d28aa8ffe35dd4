"""Checks a request's records against its audit log: what they say and the log does not was forged."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, TypeVar

from flow_hitl.audit.bound import HALF, STATE_BEFORE, bound_digest
from flow_hitl.audit.chain import CHAIN_START, AuditEvent, EventKind, data_of, event_hash
from flow_hitl.contract.shapes import as_json
from flow_hitl.platform.errors import NotAsLogged
from flow_hitl.platform.records import dataclass, replace
from flow_hitl.requests.request import (
    Content,
    DecidedResponse,
    Head,
    Request,
    Response,
    Resume,
    ResumeStatus,
    Status,
    answered_more,
    head_digest,
)

_Explained = TypeVar("_Explained")
_DECIDED_BY = {Status.RESPONDED: EventKind.RESPONSE_SUBMITTED, Status.CANCELLED: EventKind.REQUEST_CANCELLED}


@dataclass(frozen=True)
class StoredRequest:
    """A request's records as stored, possibly forged; one that is missing or cannot be read is None.

    `unreadable` says what is wrong with them by themselves.
    """

    head: Head | None = None
    content: Content | None = None
    response: Response | None = None
    unreadable: tuple[str, ...] = ()


@dataclass(frozen=True)
class Mismatch:
    """What differs between a record and the event at a position of the chain."""

    seq: int
    detail: str


def mismatches(stored: StoredRequest, chain: Sequence[Mapping[str, Any]]) -> Iterator[Mismatch]:
    """Yield where a request's records differ from its chain, which is in order and not empty.

    The events are taken as stored: their hashes and digests prove them. Events from before records were bound say less.
    """
    last, decision = chain[-1], _last_of(chain, EventKind.RESPONSE_SUBMITTED)
    yield from (Mismatch(_seq(last), problem) for problem in stored.unreadable)
    if stored.head is not None and stored.head.seq == _seq(last):
        yield from _head_mismatches(stored.head, chain)
    erased = next((event for event in chain if event.get("kind") == EventKind.CONTENT_ERASED.value), None)
    if erased is not None and not any(
        _seq(event) < _seq(erased) for kind in _DECIDED_BY.values() for event in _of(chain, kind)
    ):
        yield Mismatch(_seq(erased), "erased the content of a request that was pending")
    if stored.content is not None:
        stored_digest = _kept_digest(stored.content)
        was = stored_digest
        if erased is not None:
            # What stood there is bound by the event that erased it, which had to match it, and so do the others.
            was = str(data_of(erased).get("kept_sha256"))
            if data_of(erased).get("left_sha256") != stored_digest:
                yield Mismatch(_seq(erased), "does not match what is stored of the erased content")
        for event in (_last_of(chain, EventKind.REQUEST_CREATED), decision):
            if event is not None and data_of(event).get("kept_sha256", was) != was:
                yield Mismatch(_seq(event), f"does not match the {'erased' if erased else 'stored'} content")
    if decision is not None:
        problems = answer_problems(stored.response, data_of(decision), erased=erased is not None)
        yield from (Mismatch(_seq(decision), problem) for problem in problems)
    elif stored.response is not None:
        yield Mismatch(_seq(last), "is the last event, and no event has the stored answer")


def answer_problems(response: Response | None, data: Mapping[str, Any], *, erased: bool = False) -> Iterator[str]:
    """Yield what differs between a request's answer and the data of the event of its decision.

    `erased`: the changed output and the typed answer are no longer stored.
    """
    if response is None:
        yield "is an answer that is not stored"
        return
    more: dict[str, Any] = {"data_sha256": None, "output_sha256": None, **answered_more(response)}
    if "data" in data:
        # Events of before have the typed answer itself.
        del more["data_sha256"]
        more["data"] = response.data
    if erased:
        more = {name: value for name, value in more.items() if value is not None}
    members = {**as_json(response, DecidedResponse), **more, "decision_id": response.decision_id}
    wrong = sorted(name for name, value in members.items() if data.get(name) != value)
    if wrong:
        yield f"does not match the stored answer: {', '.join(wrong)}"


def told_problems(
    request: Request, events: Sequence[AuditEvent], later: Callable[[int], Iterable[AuditEvent]]
) -> Sequence[str]:
    """Return why nobody must be told an answer: it is not what the log leads to; else nothing.

    `events` are the request's first ones, up to its decision or further. `later` returns those behind a place, which
    only few requests take to explain their state.
    """
    decision = decision_in(events)
    if decision is None or not _is_intact(decision):
        return ["has no intact event"]
    erased = request.head.content_erased_at is not None
    problems = list(answer_problems(request.response, decision.data, erased=erased))
    before = events[: events.index(decision)]
    until_then = [*before, decision]
    if not (_is_from_the_first(until_then) and all(map(_is_intact, before))):
        problems.append("does not follow on the state that the events before it left")
    behind = partial(later, decision.seq)
    if not has_content(request, until_then, behind):
        problems.append("does not match the stored content")
    if not is_state_after(request.head, decision, behind):
        problems.append("does not match the stored state of the request")
    return problems


def decision_in(events: Iterable[AuditEvent]) -> AuditEvent | None:
    """Return the event that decided a request, None if there is none among these."""
    return next((event for event in events if event.kind is EventKind.RESPONSE_SUBMITTED), None)


def is_as_logged(request: Request, events: Sequence[AuditEvent]) -> bool:
    """Tell whether head and content of a request are what all events up to that head lead to.

    What somebody changed in them would otherwise be bound by the next event.
    """
    if not is_unbroken(events) or not has_content(request, events, lambda: events):
        return False
    last, head = events[-1], request.head
    bound = last.data.get("head_sha256")
    return (last.seq, last.hash) == (head.seq, head.last_hash) and bound in (None, head_digest(head))


def is_unbroken(events: Sequence[AuditEvent]) -> bool:
    """Tell whether events are intact and the first of a chain, each written on the state that the one before left."""
    return _is_from_the_first(events) and all(map(_is_intact, events))


def explained(events: Sequence[AuditEvent], explain: Callable[[], _Explained], what: str) -> _Explained:
    """Return what a request's events explain; raises NotAsLogged, which says `what`, if they are no chain of ours."""
    try:
        return explain()
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        if is_unbroken(events):
            raise
        raise NotAsLogged(what) from error


def _is_intact(event: AuditEvent) -> bool:
    return event_hash(event) == event.hash


def _is_from_the_first(events: Sequence[AuditEvent]) -> bool:
    return bool(events) and (events[0].seq, events[0].prev_hash) == (1, CHAIN_START) and _is_chain(events)


def _is_chain(events: Sequence[AuditEvent]) -> bool:
    """Tell whether each event follows on the one before; those of before do not say on which state."""
    return all(
        (after.seq, after.prev_hash) == (before.seq + 1, before.hash)
        and ("head_sha256" not in before.data or after.data.get(STATE_BEFORE) in (None, _left(before)[:HALF]))
        for before, after in pairwise(events)
    )


def has_content(request: Request, events: Sequence[AuditEvent], later: Callable[[], Iterable[AuditEvent]]) -> bool:
    """Tell whether a content is the one that events are about, or what its erasure, which is among the later, left."""
    stored = _kept_digest(request.content)
    if request.head.content_erased_at is not None:
        return any(event.data.get("left_sha256") == stored for event in later())
    return all(event.data.get("kept_sha256") in (None, stored) for event in events)


def is_state_after(head: Head, event: AuditEvent, later: Callable[[], Iterable[AuditEvent]]) -> bool:
    """Tell whether a head is what an event left behind, but for what the events behind it say that they changed.

    `later` may return events from after the head was read: somebody may act at the same moment.
    """
    bound = event.data.get("head_sha256")
    if bound in (None, head_digest(_as_of(head, event))):
        return True
    chain = [event, *(one for one in later() if one.seq <= head.seq)]
    last = chain[-1]
    return _is_chain(chain) and (last.seq, last.hash, event_hash(last), _left(last)) == (
        head.seq,
        head.last_hash,
        head.last_hash,
        head_digest(head),
    )


def _left(event: AuditEvent) -> str:
    return str(event.data.get("head_sha256"))


def _as_of(head: Head, event: AuditEvent) -> Head:
    """Return a head as it was right after an event, if nothing of it has changed since but what most requests change.

    A flow that is told an answer learns no more by the other members.
    """
    before = replace(head, seq=event.seq, last_event_at=event.at)
    if event.kind is not EventKind.RESPONSE_SUBMITTED:
        return before
    return replace(before, receipt=None, resume=None if head.test else Resume(ResumeStatus.WAITING))


def _kept_digest(content: Content) -> str:
    """Return the digest of a content as stored; none, which no event has, of one that JSON cannot hold."""
    try:
        return bound_digest(content)
    except (ValueError, RecursionError):
        return ""


def _head_mismatches(head: Head, chain: Sequence[Mapping[str, Any]]) -> Iterator[Mismatch]:
    last = chain[-1]
    bound = data_of(last).get("head_sha256")
    if bound is not None:
        if bound != head_digest(head):
            yield Mismatch(_seq(last), "does not match the stored state of the request")
        return
    decided_by = _DECIDED_BY.get(head.status)
    if decided_by is None and any(_last_of(chain, kind) for kind in _DECIDED_BY.values()):
        yield Mismatch(_seq(last), f"follows a decision, but the request is stored as {head.status.value}")
    elif decided_by is not None and _last_of(chain, decided_by) is None:
        yield Mismatch(_seq(last), f"is the last event, and none made the request {head.status.value}")


def _of(chain: Sequence[Mapping[str, Any]], kind: EventKind) -> Iterator[Mapping[str, Any]]:
    return (event for event in chain if event.get("kind") == kind.value)


def _last_of(chain: Sequence[Mapping[str, Any]], kind: EventKind) -> Mapping[str, Any] | None:
    return next((event for event in reversed(chain) if event.get("kind") == kind.value), None)


def _seq(event: Mapping[str, Any]) -> int:
    return int(event["seq"])
