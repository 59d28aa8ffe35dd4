"""The requests table's indexes: what is written to them, where a request is found, and how they are read.

A request is in a shard by its id, and once more under its assignee. Each group member has a slot, a small record next
to the head, so that everyone who may answer finds it.
"""

import re
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from flow_hitl.contract.shapes import Channel
from flow_hitl.platform.address import GROUP_PREFIX, address_key
from flow_hitl.platform.dynamodb import item, values
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.unreadable import readable
from flow_hitl.requests.ports import RequestFilter
from flow_hitl.requests.reading.list_rows import MOST_COUNTED, Count, RequestRow
from flow_hitl.requests.request import Head, RemarkKind, Status

FIRST, LAST = "0", "~~"
_SHARDS = 4
_READ_AHEAD = 1000
# How many entries are read for each that is wanted of a partition that also has others.
_SIFTED = 4
# Sorts after all due times.
_NEVER = "~"
_QUESTION, _QUESTIONS = "question#", "#questions#"
INDEX_KEY = re.compile(r"~?[0-9-]{10}T[0-9:]{8}\.[0-9]{6}#[0-9a-f-]{36}")

Record = dict[str, Any]


@dataclass(frozen=True)
class RowPlace:
    """One partition of an index, and its sort key.

    `undated`: only entries without SLA are meant, of which the key in the order is the one that `due_key_of` returns.
    """

    index: str
    attribute: str
    value: str
    sort_key: str
    undated: bool = False

    def key(self, entry: Record) -> str:
        """Return an entry's key in the order."""
        return f"{_NEVER if self.undated else ''}{entry[self.sort_key]}"

    def ends(self, span: "RowSpan") -> tuple[str, str] | None:
        """Return the first and last sort key of a stretch, or None if the partition has none of it."""
        if self.undated:
            ends = span.above[1:] if span.above.startswith(_NEVER) else FIRST, span.below[1:]
            return ends if span.below.startswith(_NEVER) else None
        if self.index == "by_due":
            # Where those without SLA were once, too.
            return (span.above, min(span.below, _NEVER)) if span.above < _NEVER else None
        return span.above, span.below


@dataclass(frozen=True)
class RowSpan:
    """The stretch of an order to read, ends included; `passed` is the key where the previous page ended."""

    above: str = FIRST
    below: str = LAST
    passed: str | None = None
    forward: bool = False


EVERYTHING = RowSpan()


# --- what is written


def head_entries(head: Head) -> Record:
    """Return the index attributes of a head's record; None keeps it out of an index."""
    shard = _shard(head)
    # The feed is for flows, and none waits for a test.
    fed_at = head.decided_at if head.decision_id and not head.test else None
    is_dated = head.status is Status.PENDING and head.sla_due_at is not None
    return {
        **_desk_entry(head, head.assigned_to_email),
        "created_shard": f"{head.deployment_id}#{shard}",
        "status_shard": f"{head.deployment_id}#{head.status.value}#{shard}",
        "due_shard": f"{head.deployment_id}#{shard}" if is_dated else None,
        "due_key": _due_key(head.sla_due_at, created_key(head)) if is_dated else None,
        "decision_shard": f"{head.deployment_id}#{shard}" if fed_at else None,
        "decision_key": f"{moment_key(fed_at)}#{head.request_id}" if fed_at else None,
    }


def entries_of_before(head: Head) -> Record:
    """Return the index attributes that a head's record may have from when each pending one was in `by_due`."""
    is_pending = head.status is Status.PENDING
    return {
        "due_shard": f"{head.deployment_id}#{_shard(head)}" if is_pending else None,
        "due_key": _due_key(head.sla_due_at, created_key(head)) if is_pending else None,
    }


def slot_changes(before: Head | None, after: Head) -> list[Record]:
    """Return the slots a step changes; an emptied slot is in no index."""
    old, new = _slots(before) if before else [], _slots(after)
    changed = [slot for number, slot in enumerate(new) if slot not in old[number : number + 1]]
    return changed + [_slot_key(after, number) for number in range(len(new), len(old))]


def question_entries(before: Head, after: Head) -> list[Record]:
    """Return the entry in the feed for the question that a step asks, in places of its own: they stay as they are."""
    place = len(before.thread)
    if len(after.thread) <= place or after.test or after.thread[place].kind is not RemarkKind.QUESTION:
        return []
    return [
        {
            "pk": after.request_id,
            "sk": f"{_QUESTION}{place:02d}",
            "decision_shard": f"{after.deployment_id}{_QUESTIONS}{_shard(after)}",
            # A slow clock may give everything one moment, and what a reader was shown, they are not shown again: so no
            # other question, and no decision, has this key. A UUID that is turned round is none.
            "decision_key": f"{moment_key(after.thread[place].at)}#{after.request_id[:1:-1]}{place:02d}",
        }
    ]


def question_of(entry: Record) -> int | None:
    """Return the place in its request's thread of the question that an entry of the feed is for, None if for none."""
    sk = str(entry["sk"])
    return int(sk.removeprefix(_QUESTION)) if sk.startswith(_QUESTION) else None


def _slots(head: Head) -> list[Record]:
    return [
        {**_slot_key(head, number), **_desk_entry(head, person)} for number, person in enumerate(head.group_members)
    ]


def _slot_key(head: Head, number: int) -> Record:
    # By number, not person: a request that moves to another group overwrites the old slots.
    return {"pk": head.request_id, "sk": f"slot#{number:02d}"}


def _desk_entry(head: Head, assignee: str) -> Record:
    return {
        "assignee_status": _desk(head.deployment_id, head.status.value, assignee),
        "created_key": created_key(head),
        "status": head.status.value,
        "flow_name": head.flow_name,
        "method_name": head.method_name,
        "summary": head.summary,
        "assigned_to_email": head.assigned_to_email,
        "sla_due_at": moment_key(head.sla_due_at) if head.sla_due_at else None,
        "outcome": head.outcome,
        "responded_via": head.responded_via.value if head.responded_via else None,
        "decided_at": moment_key(head.decided_at) if head.decided_at else None,
        "test": head.test or None,
    }


def readable_rows(records: Iterable[Mapping[str, Any]]) -> list[RequestRow]:
    """Return index entries as rows, but for those that we never wrote: they keep nobody from the others."""
    what = "an index entry cannot be read"
    rows = (readable(partial(row_of, record), what, request_id=record["pk"]) for record in records)
    return [row for row in rows if row is not None]


def row_of(record: Mapping[str, Any]) -> RequestRow:
    """Return an index entry as a row."""
    created, _, request_id = str(record["created_key"]).partition("#")
    via = record.get("responded_via")
    return RequestRow(
        request_id=request_id,
        status=Status(record["status"]),
        created_at=_moment(created),
        flow_name=record.get("flow_name"),
        method_name=record["method_name"],
        summary=record["summary"],
        assigned_to_email=record["assigned_to_email"],
        sla_due_at=_moment(record["sla_due_at"]) if "sla_due_at" in record else None,
        outcome=record.get("outcome"),
        responded_via=Channel(via) if via else None,
        decided_at=_moment(record["decided_at"]) if "decided_at" in record else None,
        test=bool(record.get("test")),
    )


# --- where it is found


def places_of(deployment_id: int, wanted: RequestFilter) -> list[RowPlace]:
    """Return the partitions, sorted by creation, with all requests of these states and assignees."""
    statuses = wanted.statuses or tuple(Status)
    if wanted.assigned_to:
        desks = dict.fromkeys(_desk(deployment_id, status, name) for name in wanted.assigned_to for status in statuses)
        return [RowPlace("by_assignee", "assignee_status", desk, "created_key") for desk in desks]
    if wanted.statuses:
        return _in_status(deployment_id, statuses)
    return [RowPlace("by_created", "created_shard", shard, "created_key") for shard in _shards(deployment_id)]


def places_by_due(deployment_id: int) -> list[RowPlace]:
    """Return the partitions of a deployment's pending requests, sorted by due time, then those without SLA."""
    dated = [RowPlace("by_due", "due_shard", shard, "due_key") for shard in _shards(deployment_id)]
    return dated + [replace(place, undated=True) for place in _in_status(deployment_id, (Status.PENDING.value,))]


def _in_status(deployment_id: int, statuses: Sequence[str]) -> list[RowPlace]:
    shards = [f"{deployment_id}#{status}#{shard}" for status in statuses for shard in range(_SHARDS)]
    return [RowPlace("by_status", "status_shard", shard, "created_key") for shard in shards]


def places_of_decisions(deployment_id: int) -> list[RowPlace]:
    """Return the partitions of a deployment's decisions, sorted by decision time."""
    return [RowPlace("by_decision", "decision_shard", shard, "decision_key") for shard in _shards(deployment_id)]


def places_of_questions(deployment_id: int) -> list[RowPlace]:
    """Return the partitions of a deployment's questions, sorted by when they were asked."""
    shards = [f"{deployment_id}{_QUESTIONS}{shard}" for shard in range(_SHARDS)]
    return [RowPlace("by_decision", "decision_shard", shard, "decision_key") for shard in shards]


def creation_span(wanted: RequestFilter, passed: str | None, *, forward: bool) -> RowSpan | None:
    """Return the stretch of the creation order to read, or None if it is empty, which DynamoDB rejects."""
    above = moment_key(wanted.created_from) if wanted.created_from else FIRST
    # Times are shown in whole seconds, so a second includes its fractions.
    last = wanted.created_to or wanted.decided_to
    below = last_key(last) if last else LAST
    if passed is not None:
        above, below = (passed, below) if forward else (above, passed)
    return RowSpan(above, below, passed, forward) if above <= below else None


def equal_columns(wanted: RequestFilter) -> dict[str, str | None]:
    """Return the values columns must have, None for any."""
    return {"flow_name": wanted.flow_name, "method_name": wanted.method_name, "outcome": wanted.outcome}


def due_key_of(record: Mapping[str, Any]) -> str:
    """Return an index entry's sort key by SLA."""
    return _due_key(_moment(record["sla_due_at"]) if "sla_due_at" in record else None, record["created_key"])


def desk_name(assignee: str) -> str:
    """Return a name that is equal for the same person or group."""
    return assignee if assignee.startswith(GROUP_PREFIX) else address_key(assignee)


def moment_key(moment: datetime) -> str:
    """Return a moment as sortable text."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")


def last_key(second: datetime) -> str:
    """Return what every moment of a second comes before, as sortable text."""
    return moment_key(second).partition(".")[0] + "~"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def created_key(head: Head) -> str:
    return f"{moment_key(head.created_at)}#{head.request_id}"


def _due_key(due_at: datetime | None, created_key: str) -> str:
    return f"{moment_key(due_at)}#{created_key.partition('#')[2]}" if due_at else _NEVER + created_key


def _shard(head: Head) -> int:
    return zlib.crc32(head.request_id.encode()) % _SHARDS


def _shards(deployment_id: int) -> list[str]:
    return [f"{deployment_id}#{shard}" for shard in range(_SHARDS)]


def _desk(deployment_id: int, status: str, assignee: str) -> str:
    return f"{deployment_id}#{status}#{desk_name(assignee)}"


# --- how it is read


class RequestIndex:
    """Reads partitions of the requests table's indexes, each with one call of limited size."""

    def __init__(self, dynamodb: Any, table: str) -> None:
        self._dynamodb, self._table = dynamodb, table

    def read(
        self,
        places: Sequence[RowPlace],
        span: RowSpan,
        enough: int,
        equal: Mapping[str, str | None],
        fits: Callable[[Record], bool] | None = None,
    ) -> tuple[list[Record], str | None]:
        """Return the distinct entries of all places in one order, and the key up to which they are complete.

        The key is None if everything was read. `equal` are column values, None for any; `fits` filters the rest.
        """
        wanted = {name: value for name, value in equal.items() if value is not None}
        found: dict[str, Record] = {}
        ends: list[str] = []
        # Those without SLA come behind all others.
        dated_suffice = False
        for place in places:
            query = self._query(place, span, wanted)
            if query is None or (place.undated and span.forward and dated_suffice):
                continue
            ahead = min(_READ_AHEAD, _SIFTED * enough) if place.undated else enough
            answer = self._dynamodb.query(
                **query,
                ScanIndexForward=span.forward,
                Limit=_READ_AHEAD if wanted or fits else ahead,
            )
            entries = map(values, answer["Items"])
            found |= {place.key(entry): entry for entry in entries if fits is None or fits(entry)}
            last = answer.get("LastEvaluatedKey")
            ends += [place.key(values(last))] if last else []
            if not place.undated:
                dated_suffice = bool(ends) or len(found) - (span.passed in found) >= enough
        reached = (min(ends) if span.forward else max(ends)) if ends else None
        keys = [key for key in sorted(found, reverse=not span.forward) if key != span.passed]
        if reached is not None:
            keys = [key for key in keys if (key <= reached if span.forward else key >= reached)]
        return [found[key] for key in keys], reached

    def count(
        self,
        places: Sequence[RowPlace],
        span: RowSpan = EVERYTHING,
        *,
        tests: bool = True,
    ) -> Count:
        """Count the entries of places with one call each; without `tests`, no test requests."""
        number, more = 0, False
        for place in places:
            query = self._query(place, span, {})
            if query is None:
                continue
            if not tests:
                _sift(query, "attribute_not_exists(test)", {})
            answer = self._dynamodb.query(**query, Select="COUNT", Limit=MOST_COUNTED + 1)
            number += answer["Count"]
            more = more or "LastEvaluatedKey" in answer
            if number > MOST_COUNTED:
                break
        return _capped(number, more=more)

    def split(self, places: Sequence[RowPlace], status: str) -> tuple[Count, Count]:
        """Count the entries of places in a status, and the others, with one call each, up to a place with too many."""
        counted, others, more = 0, 0, False
        for place in places:
            query = self._query(place, EVERYTHING, {"status": status})
            if query is None:
                continue
            answer = self._dynamodb.query(**query, Select="COUNT", Limit=MOST_COUNTED + 1)
            counted += answer["Count"]
            others += answer["ScannedCount"] - answer["Count"]
            more = "LastEvaluatedKey" in answer
            if more:
                break
        return _capped(counted, more=more), _capped(others, more=more)

    def _query(self, place: RowPlace, span: RowSpan, equal: Mapping[str, str]) -> dict[str, Any] | None:
        """Return the query of a stretch of a place, None if it has nothing of it."""
        ends = place.ends(span)
        if ends is None:
            return None
        query: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": place.index,
            "KeyConditionExpression": f"{place.attribute} = :place AND {place.sort_key} BETWEEN :above AND :below",
            "ExpressionAttributeValues": item({":place": place.value, ":above": ends[0], ":below": ends[1]}),
        }
        for name, value in equal.items():
            _sift(query, f"#{name} = :{name}", {f":{name}": value}, name)
        if place.undated:
            _sift(query, "attribute_not_exists(sla_due_at)", {})
        return query


def _capped(number: int, *, more: bool) -> Count:
    return Count(min(number, MOST_COUNTED), more or number > MOST_COUNTED)


def _sift(query: dict[str, Any], condition: str, named: Mapping[str, str], *columns: str) -> None:
    """Add a condition to a query's filter, with its values and the columns that it names."""
    before = query.get("FilterExpression")
    query["FilterExpression"] = f"{before} AND {condition}" if before else condition
    query["ExpressionAttributeValues"] |= item(named)
    if columns:
        query.setdefault("ExpressionAttributeNames", {}).update({f"#{name}": name for name in columns})
