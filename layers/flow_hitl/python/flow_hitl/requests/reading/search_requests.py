"""Search: the newest requests that have all words, from the search log and, for what it lacks yet, from themselves."""

from collections.abc import Iterator, Sequence
from itertools import islice

from flow_hitl.platform.address import GROUP_PREFIX, same_address
from flow_hitl.platform.cursors import decode_cursor, encode_cursor, foreign_cursor
from flow_hitl.platform.records import dataclass
from flow_hitl.requests.ports import RequestFilter, RequestStore, RowPage, SearchLog
from flow_hitl.requests.reading.list_rows import RequestRow
from flow_hitl.requests.reading.search_text import SearchEntry, words_of
from flow_hitl.requests.request import Head

# Not yet in the log: a few more than a block waits for.
_MOST_FRESH = 100
# Each of up to a megabyte.
_MOST_READS = 4
_HEADS_AT_ONCE = 50
_MOST_HEADS = 300


@dataclass(frozen=True)
class SearchRequests:
    """Each page reads a limited part of the log, newest first; its cursor leads on where it stopped."""

    log: SearchLog
    requests: RequestStore

    def __call__(
        self, deployment_id: int, wanted: RequestFilter, *, text: str, limit: int, cursor: str | None
    ) -> RowPage:
        """Return what has all words and passes the filters; raises ValidationFailed for a foreign cursor."""
        below, words, rows = _place(cursor), words_of(text), list[RequestRow]()
        looked_at = 0
        reached = below
        for part in self._parts(deployment_id, below):
            found = [entry for entry in part if entry.has(words)]
            for start in range(0, len(found), _HEADS_AT_ONCE):
                batch = found[start : start + _HEADS_AT_ONCE]
                heads = self.requests.heads([entry.request_id for entry in batch])
                for entry in batch:
                    head = heads.get(entry.request_id)
                    if head is not None and _fits(wanted, head):
                        if len(rows) == limit:
                            return RowPage(rows, encode_cursor(reached))
                        rows.append(RequestRow.of(head))
                    reached = entry.key
                looked_at += len(batch)
                if looked_at >= _MOST_HEADS:
                    return RowPage(rows, encode_cursor(reached))
            reached = part[-1].key if part else reached
        more = reached is not None and self.log.has_before(deployment_id, reached)
        return RowPage(rows, encode_cursor(reached) if more else None)

    def _parts(self, deployment_id: int, below: str | None) -> Iterator[Sequence[SearchEntry]]:
        """Yield entries below a key, newest first and each once, in a limited number of parts."""
        latest = self.log.latest(deployment_id)
        seen: set[str] = set()

        def unseen(entries: Sequence[SearchEntry]) -> Sequence[SearchEntry]:
            new = [one for one in entries if one.request_id not in seen and (below is None or one.key < below)]
            seen.update(one.request_id for one in new)
            return new

        if below is None or latest is None or below > latest:
            yield unseen(self.log.entries(self.log.newest(deployment_id, latest, _MOST_FRESH)))
        for part in islice(self.log.blocks(deployment_id, below), _MOST_READS):
            yield unseen(part)


def _fits(wanted: RequestFilter, head: Head) -> bool:
    names = (head.assigned_to_email, *head.group_members)
    return (
        (not wanted.statuses or head.status.value in wanted.statuses)
        and (not wanted.assigned_to or any(_is(name, one) for name in wanted.assigned_to for one in names))
        and wanted.method_name in (None, head.method_name)
        and wanted.flow_name in (None, head.flow_name)
        and wanted.outcome in (None, head.outcome)
        and (wanted.created_from is None or head.created_at >= wanted.created_from)
        and (wanted.created_to is None or head.created_at.replace(microsecond=0) <= wanted.created_to)
        and (wanted.decided_from is None or (head.decided_at is not None and head.decided_at >= wanted.decided_from))
        and (
            wanted.decided_to is None
            or (head.decided_at is not None and head.decided_at.replace(microsecond=0) <= wanted.decided_to)
        )
    )


def _is(name: str, other: str) -> bool:
    return name == other if name.startswith(GROUP_PREFIX) else same_address(name, other)


def _place(cursor: str | None) -> str | None:
    if cursor is None:
        return None
    place = decode_cursor(cursor)
    if not isinstance(place, str) or "#" not in place:
        raise foreign_cursor()
    return place
