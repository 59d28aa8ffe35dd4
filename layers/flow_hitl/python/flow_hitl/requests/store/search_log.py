"""The search log: the texts of requests in compressed blocks, in the order of creation, written behind the requests.

Nothing of it is written on a request's way, and no index of the requests table has it.
"""

import base64
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from flow_hitl.platform.dynamodb import item, values
from flow_hitl.platform.packed import packed, unpacked
from flow_hitl.requests.ports import RequestFilter, RequestStore
from flow_hitl.requests.reading.search_text import SearchEntry, search_text
from flow_hitl.requests.request import Head
from flow_hitl.requests.store.request_index import (
    FIRST,
    LAST,
    RequestIndex,
    RowSpan,
    created_key,
    moment_key,
    places_of,
)

_entries = TypeAdapter(list[tuple[str, str]])
_Keys = Sequence[str]


class DynamoSearchLog:
    """Keys are those of the index by creation, `<moment>#<request id>`; a block is found by its first one."""

    def __init__(self, dynamodb: Any, table: str, requests_table: str, requests: Callable[[], RequestStore]) -> None:
        self._dynamodb, self._table, self._requests = dynamodb, table, requests
        self._index = RequestIndex(dynamodb, requests_table)

    def latest(self, deployment_id: int) -> str | None:
        """Return the key up to which the log has everything, None for an empty log."""
        found = self._query(deployment_id, FIRST, LAST, Limit=1, ProjectionExpression="latest")["Items"]
        return str(values(found[0])["latest"]) if found else None

    def waiting(self, deployment_id: int, after: str | None, until: datetime, most: int) -> _Keys:
        """Return the keys of requests that the log lacks, oldest first."""
        below = moment_key(until)
        if after is not None and after >= below:
            return []
        return self._keys(deployment_id, RowSpan(after or FIRST, below, after, forward=True), most)

    def newest(self, deployment_id: int, after: str | None, most: int) -> _Keys:
        """Return the keys of the newest requests that the log lacks, newest first."""
        return [key for key in self._keys(deployment_id, RowSpan(after or FIRST, LAST), most) if key != after]

    def entries(self, keys: _Keys) -> Sequence[SearchEntry]:
        """Return the entries of requests, made from themselves, in this order."""
        ids = {key.partition("#")[2]: key for key in keys}
        parts = self._requests().heads_with_contents(list(ids)) if ids else {}
        return [SearchEntry(key, one, search_text(*parts[one])) for one, key in ids.items() if one in parts]

    def append(self, deployment_id: int, entries: Sequence[SearchEntry], latest: str) -> None:
        """Write the next block: entries, oldest first, which are all up to the key `latest`."""
        self._put(deployment_id, entries[0].key if entries else latest, entries, latest)

    def rewrite(self, deployment_id: int, heads: Sequence[Head]) -> None:
        """Find requests by what their heads have, and by nothing else any more: each block is written once."""
        texts = {created_key(head): search_text(head, None) for head in heads}
        while texts:
            below = max(texts)
            found = [values(row) for row in self._query(deployment_id, FIRST, below, Limit=1)["Items"]]
            here = [key for key in texts if found and found[0]["sk"] <= key <= found[0]["latest"]]
            if here:
                entries = [replace(one, text=texts.get(one.key, one.text)) for one in _read(found[0]["block"])]
                self._put(deployment_id, found[0]["sk"], entries[::-1], found[0]["latest"])
            # One that no block holds is looked up itself.
            for key in here or [below]:
                del texts[key]

    def _put(self, deployment_id: int, first: str, entries: Sequence[SearchEntry], latest: str) -> None:
        block = json.dumps([[entry.key, entry.text] for entry in entries], ensure_ascii=False)
        record = {
            "pk": _partition(deployment_id),
            "sk": first,
            "latest": latest,
            # Octets: as text, they would be larger, and what a search takes most of its time for.
            "block": packed(block),
        }
        self._dynamodb.put_item(TableName=self._table, Item=item(record))

    def blocks(self, deployment_id: int, below: str | None) -> Iterator[Sequence[SearchEntry]]:
        """Yield the entries of blocks that begin before a key, newest first, as much as one call reads at a time."""
        start: dict[str, Any] = {}
        while True:
            answer = self._query(deployment_id, FIRST, below or LAST, **start)
            yield [entry for record in map(values, answer["Items"]) for entry in _read(record["block"])]
            if "LastEvaluatedKey" not in answer:
                return
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def has_before(self, deployment_id: int, key: str) -> bool:
        """Tell whether a block begins before a key."""
        found = self._query(deployment_id, FIRST, key, Limit=2, ProjectionExpression="sk")["Items"]
        return any(values(one)["sk"] < key for one in found)

    def _keys(self, deployment_id: int, span: RowSpan, most: int) -> _Keys:
        found, _ = self._index.read(places_of(deployment_id, RequestFilter()), span, most, {})
        return [str(entry["created_key"]) for entry in found[:most]]

    def _query(self, deployment_id: int, above: str, below: str, **options: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self._dynamodb.query(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND sk BETWEEN :above AND :below",
            ExpressionAttributeValues=item({":pk": _partition(deployment_id), ":above": above, ":below": below}),
            ScanIndexForward=False,
            **options,
        )
        return answer


def _partition(deployment_id: int) -> str:
    return f"search#{deployment_id}"


def _read(block: str | bytes) -> Iterator[SearchEntry]:
    # A text is a block of before.
    entries = zlib.decompress(base64.b85decode(block)) if isinstance(block, str) else unpacked(block)
    for key, text in reversed(_entries.validate_json(entries)):
        yield SearchEntry(key, key.partition("#")[2], text)
