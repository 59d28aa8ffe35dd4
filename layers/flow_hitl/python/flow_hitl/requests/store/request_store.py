"""The requests table: heads, contents, responses, and the transactions that change them."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import fields
from datetime import datetime, timedelta
from functools import partial
from types import MappingProxyType
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from flow_hitl.audit.audit_log import put_event
from flow_hitl.audit.bound import is_as_written
from flow_hitl.platform.call_log import DynamoCallLog, put_call, record_of
from flow_hitl.platform.cursors import decode_cursor, encode_cursor, foreign_cursor
from flow_hitl.platform.digests import digest
from flow_hitl.platform.documents import Documents
from flow_hitl.platform.dynamodb import (
    CONTENT,
    HEAD,
    RESPONSE,
    batch_get,
    cancellation_codes,
    error_code,
    item,
    transact,
    values,
)
from flow_hitl.platform.errors import Conflict, NotAsLogged, NotFound
from flow_hitl.platform.packed import fitting, unpacked
from flow_hitl.platform.ports import CalledBefore, Reading
from flow_hitl.platform.records import replace
from flow_hitl.platform.repeated_calls import Call, CallRecord
from flow_hitl.platform.rounds import in_rounds
from flow_hitl.platform.telemetry import about
from flow_hitl.platform.unreadable import known, readable
from flow_hitl.requests.bound import StoredRequest
from flow_hitl.requests.ports import Page, RequestFilter, RoundPlace, Taken, TakenAlready
from flow_hitl.requests.reading.decision_feed import FeedPlace
from flow_hitl.requests.reading.list_rows import RequestRow
from flow_hitl.requests.request import Change, Content, Head, Request, Response
from flow_hitl.requests.store.decision_entries import next_page
from flow_hitl.requests.store.request_index import (
    EVERYTHING,
    INDEX_KEY,
    Record,
    RequestIndex,
    RowSpan,
    creation_span,
    desk_name,
    entries_of_before,
    equal_columns,
    head_entries,
    moment_key,
    places_of,
    places_of_decisions,
    places_of_questions,
    question_entries,
    question_of,
    row_of,
    slot_changes,
)

_INLINE_BYTES = 64 * 1024
# Lambda responses are limited to 6 MB and escape our JSON once more.
_PAGE_BYTES = 2 * 1024 * 1024
# Longer than any function runs: no decision older than this can still be committed.
_FEED_OVERLAP = timedelta(seconds=90)
_READ_ROUNDS = 5
_PARTS = (HEAD, CONTENT, RESPONSE)
_ANSWER = "answer"
_ONCE_DAYS = 30
_ROUND_DAYS = 90
_UNREADABLE = "What is stored of this request is nothing that this service has written."

# What the document of a head leaves out: a record of less than a kilobyte costs half as much to write.
_BESIDE = {"seq", *(member.name for member in fields(RequestRow))}
_NONE = {"routing_rule": None, "auto_response": None}
# An answer of so many bytes is in the head, which is written anyway; a longer one is not written again by each step.
_BRIEF = 480
# What our documents often say, from the rare to the frequent. It unpacks what is stored, so it never changes.
_WORDS = (
    b'{"message":"","output":"","state":{},"metadata":{},"history":[],"resume_url":"https://","warnings":[],'
    b'"deployment_name":"{"deployment_id":,"last_hash":"0123456789abcdef","flow_id":"flow_","emit_options":'
    b'["needs_revision","approved","rejected"],"free_text":"accept","assigned_by":"deployment_creator","routing_rule":'
    b'"request","token_expires_at":"2026-12-31T00:00:00Z","body_sha256":"0123456789abcdef","resume":{"status":"failed",'
    b'"waiting","delivered","attempts":1,"last_status":200},"decision_id":"mail/","last_event_at":"2026-01-01T00:00:00Z"'
    b',"answer":{"outcome":"approved","feedback":"approved","comment":"","responded_via":"dashboard","api","email",'
    b'"responder":null,"@example.com","responder_verified":false,true,"source":null,"responded_at":"2026-01-01T00:00:00Z'
    b'","response_seconds":'
)

_Part = TypeVar("_Part")
_heads, _contents, _responses = Documents(Head), Documents(Content), Documents(Response)


class DynamoRequestStore:
    """Requests in DynamoDB; contents above 64 KB are in S3, named by their SHA-256."""

    def __init__(
        self,
        dynamodb: Any,
        s3: Callable[[], Any],
        requests_table: str,
        audit_table: str,
        bucket: str,
        pause: Callable[[int], None],
    ) -> None:
        self._dynamodb, self._s3, self._pause = dynamodb, s3, pause
        self._index = RequestIndex(dynamodb, requests_table)
        self._table, self._audit_table, self._bucket = requests_table, audit_table, bucket

    def create(self, change: Change, content: Content, call: Call | None) -> Request | None:
        head = change.after
        about(request_id=head.request_id, deployment_id=head.deployment_id)
        new = {"ConditionExpression": "attribute_not_exists(pk)"}
        parts = [
            self._put(_head_record(head), **new),
            put_event(self._audit_table, change.event, head.deployment_id),
            self._put(self._content_record(head, content)),
        ]
        if call is not None:
            parts.append(put_call(self._table, CallRecord(call, head.request_id)))
        parts += map(self._put, slot_changes(None, head))
        codes, items = in_rounds(lambda: self._transact(parts, change.event.event_id), self._pause)
        if not codes:
            return None
        if "ConditionalCheckFailed" not in codes:
            raise Conflict(f"request {head.request_id} could not be written: {codes}")
        if call is not None and codes[3] == "ConditionalCheckFailed":
            return self.load(record_of(items[3], call).made)
        return self.load(head.request_id)

    def find(self, request_id: str | None, call: Call | None) -> Request | None:
        if call is not None:
            record = DynamoCallLog(self._dynamodb, self._table, self._pause).find(call)
            request_id = record.made if record is not None else None
        try:
            return self.load(request_id) if request_id is not None else None
        except NotFound:
            return None

    def head(self, request_id: str) -> Head:
        key = item({"pk": request_id, "sk": HEAD})
        found = self._dynamodb.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        if found is None:
            raise _unknown()
        head = known(lambda: _head_of(values(found)), _UNREADABLE)
        about(request_id=head.request_id, deployment_id=head.deployment_id)
        return head

    def load(self, request_id: str) -> Request:
        # Also for the line about one that cannot be read.
        about(request_id=request_id)
        try:
            return in_rounds(lambda: self._load(request_id), self._pause, _READ_ROUNDS)
        except Conflict as error:
            raise NotAsLogged(_UNREADABLE) from error

    def reading(self, request_id: str, *, aside: bool = False) -> Reading[Request]:
        if not aside:
            about(request_id=request_id)
        # Most answers are in the head; a long one costs a call more.
        keys = [{"pk": request_id, "sk": part} for part in (HEAD, CONTENT)]
        return Reading(self._table, keys, partial(self._read, aside=aside))

    def _load(self, request_id: str) -> Request:
        found = self._dynamodb.query(
            TableName=self._table,
            ConsistentRead=True,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues=item({":pk": request_id, ":prefix": "r#"}),
        )["Items"]
        return self._read([values(record) for record in found])

    def _read(self, found: Sequence[Mapping[str, Any]], *, aside: bool = False) -> Request:
        records = {record["sk"]: dict(record) for record in found}
        if HEAD not in records:
            raise _unknown()
        request = known(lambda: self._request(records), _UNREADABLE)
        if request.head.decision_id is not None and request.response is None:
            response = known(lambda: self._long_response(request.head.request_id), _UNREADABLE)
            request = replace(request, response=response)
        if not aside:
            about(request_id=request.head.request_id, deployment_id=request.head.deployment_id)
        # A query may see half of a transaction; a decision is never returned without its response.
        if (request.head.decision_id is None) != (request.response is None):
            raise Conflict(f"request {request.head.request_id} is being written")
        return request

    def _long_response(self, request_id: str) -> Response | None:
        key = item({"pk": request_id, "sk": RESPONSE})
        found = self._dynamodb.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        return _long_response(values(found)) if found else None

    def commit(self, change: Change, takes: Taken | None = None) -> None:
        head, before = change.after, change.before
        if before is None:
            raise ValueError("a first step is created, not committed")
        parts = [
            self._put(
                _head_record(head, change.response),
                ConditionExpression="seq = :seq",
                ExpressionAttributeValues=item({":seq": before.seq}),
            ),
            put_event(self._audit_table, change.event, head.deployment_id),
        ]
        if change.response is not None and (before.decision_id is None or change.content is not None):
            doc = _response_doc(change.response)
            # Where it is erased, it may be a record of its own although it is brief by now: there it goes, too.
            if change.content is not None or not _is_brief(doc):
                parts.append(self._put(fitting({"pk": head.request_id, "sk": RESPONSE, "doc": doc}, "doc", _WORDS)))
        if change.content is not None:
            parts.append(self._put(self._content_record(head, change.content)))
        if change.another_round:
            parts.append(self._put(_round_record(head, change.event.at)))
        if takes is not None:
            parts.append(self._taking(takes, change.event.at))
        last = len(parts) - 1
        parts += map(self._put, [*slot_changes(before, head), *question_entries(before, head)])
        codes, items = self._transact(parts, change.event.event_id)
        if not codes:
            return
        if takes is not None and codes[last] == "ConditionalCheckFailed":
            if isinstance(takes, CallRecord):
                raise CalledBefore(record_of(items[last], takes.call))
            raise TakenAlready(takes)
        raise Conflict(f"request {head.request_id} has moved on: {codes}")

    def earlier_rounds(self, head: Head, most: int) -> Sequence[RoundPlace]:
        found = self._dynamodb.query(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND sk < :opened",
            ExpressionAttributeValues=item({":pk": _rounds_of(head), ":opened": moment_key(head.created_at)}),
            ScanIndexForward=False,
            Limit=most,
        )["Items"]
        places = (_readable(head.request_id, partial(_round_place, values(record))) for record in found)
        return [place for place in places if place is not None]

    def content_object(self, request_id: str) -> str | None:
        found = self._dynamodb.get_item(
            TableName=self._table, Key=item({"pk": request_id, "sk": CONTENT}), ProjectionExpression="s3_key"
        )
        return values(found.get("Item", {})).get("s3_key")

    def taken(self, names: Sequence[str]) -> Set[str]:
        keys = {_once_key(name)["pk"]: name for name in names}
        found = batch_get(self._dynamodb, self._table, map(_once_key, names), self._pause)
        return {keys[record["pk"]] for record in found}

    def list_requests(self, deployment_id: int, wanted: RequestFilter, limit: int, cursor: str | None) -> Page:
        """Return a page, newest first; it may be short or empty because the number of entries read is limited."""
        passed = _list_position(cursor) if cursor else None
        span = creation_span(wanted, passed, forward=False)
        if span is None:
            return Page([], None)
        entries, reached = self._index.read(places_of(deployment_id, wanted), span, limit + 1, equal_columns(wanted))
        requests: list[Request] = []
        last = None
        for entry, request in self._in_bytes(entries[:limit]):
            last = entry["created_key"]
            if request is not None and _is_still_listed(request.head, wanted):
                requests.append(request)
        shown_all = last is None or last == entries[:limit][-1]["created_key"]
        if not shown_all or len(entries) > limit:
            return Page(requests, encode_cursor(last))
        return Page(requests, encode_cursor(reached) if reached else None)

    def recent_heads(self, deployment_id: int, limit: int) -> Sequence[Head]:
        entries, _ = self._index.read(places_of(deployment_id, RequestFilter()), EVERYTHING, limit, {})
        return list(self.heads([entry["pk"] for entry in entries[:limit]]).values())

    def heads(self, request_ids: Sequence[str]) -> Mapping[str, Head]:
        records = self._batch_get(request_ids, (HEAD,))
        there = [one for one in request_ids if HEAD in records.get(one, {})]
        found = {one: _readable(one, partial(_head_of, records[one][HEAD])) for one in there}
        return {one: head for one, head in found.items() if head is not None}

    def heads_with_contents(self, request_ids: Sequence[str]) -> Mapping[str, tuple[Head, Content | None]]:
        found = self._batch_get(request_ids, (HEAD, CONTENT))

        def read(parts: Mapping[str, dict[str, Any]]) -> tuple[Head, Content | None]:
            is_here = "doc" in parts.get(CONTENT, {})
            return _head_of(parts[HEAD]), _contents.loads(self._content_doc(parts[CONTENT])) if is_here else None

        read_ones = {one: _readable(one, partial(read, parts)) for one, parts in found.items() if HEAD in parts}
        return {one: both for one, both in read_ones.items() if both is not None}

    def responses(self, request_ids: Sequence[str]) -> Mapping[str, Response]:
        records = self._batch_get(request_ids, (HEAD, RESPONSE))
        found = {one: _parsed(parts[HEAD])[1] or _apart(parts) for one, parts in records.items() if HEAD in parts}
        return {one: response for one, response in found.items() if response is not None}

    def stored(self, request_ids: Sequence[str], *, whole: bool = True) -> Mapping[str, StoredRequest]:
        records = self._batch_get(request_ids, _PARTS if whole else (HEAD,))
        found = {one: self._stored(records.get(one, {}), whole=whole) for one in request_ids}
        for one, changed in self._changed_slots(found).items():
            problem = f"does not match {changed} entries in the lists of the responders"
            found[one] = replace(found[one], unreadable=(*found[one].unreadable, problem))
        return found

    def _stored(self, records: Mapping[str, dict[str, Any]], *, whole: bool) -> StoredRequest:
        unreadable: list[str] = []

        def read(part: str, parse: Callable[[dict[str, Any]], _Part]) -> _Part | None:
            try:
                if "ttl" in records.get(part, {}):
                    unreadable.append(f"belongs to a request whose record {part} is marked to expire")
                return parse(records[part]) if part in records else None
            except (ValueError, TypeError, RecursionError, OverflowError, KeyError, ClientError) as error:
                unreadable.append(f"belongs to a request with an unreadable record {part}: {type(error).__name__}")
                return None

        head, brief = read(HEAD, _listed_head) or (None, None)
        content = read(CONTENT, self._written_content)
        response = read(RESPONSE, _written_response)
        if brief is not None and response not in (None, brief):
            unreadable.append("belongs to a request with two answers")
        if head is not None:
            if whole and CONTENT not in records:
                unreadable.append("belongs to a request without content")
            wrong = _differing(records[HEAD], _head_record(head, brief), entries_of_before(head))
            if wrong:
                unreadable.append(f"does not match what the request is listed by: {', '.join(wrong)}")
        return StoredRequest(head, content, brief or response, tuple(unreadable))

    def _changed_slots(self, found: Mapping[str, StoredRequest]) -> Mapping[str, int]:
        """Return how many entries of a group's people are not as they should be, by request."""
        wanted = [slot for one in found.values() if one.head for slot in slot_changes(None, one.head)]
        keys = [{"pk": slot["pk"], "sk": slot["sk"]} for slot in wanted]
        there = {(row["pk"], row["sk"]): row for row in batch_get(self._dynamodb, self._table, keys, self._pause)}
        wrong = [slot["pk"] for slot in wanted if _differing(there.get((slot["pk"], slot["sk"]), {}), slot)]
        return {one: wrong.count(one) for one in wrong}

    def opened_between(
        self, deployment_id: int, since: datetime, until: datetime, limit: int, cursor: str | None
    ) -> tuple[Sequence[str], str | None]:
        passed = _list_position(cursor) if cursor else None
        span = creation_span(RequestFilter(created_from=since), passed, forward=False)
        if span is None:
            return [], None
        span = span if cursor else replace(span, below=moment_key(until))
        rows, reached = self._index.read(places_of(deployment_id, RequestFilter()), span, limit + 1, {})
        more = str(rows[limit - 1]["created_key"]) if len(rows) > limit else reached
        return [row["pk"] for row in rows[:limit]], encode_cursor(more) if more else None

    def decided_between(
        self, deployment_id: int, since: datetime, until: datetime, limit: int, cursor: str | None
    ) -> tuple[Sequence[str], str | None]:
        passed = _list_position(cursor) if cursor else None
        span = RowSpan(passed or moment_key(since), moment_key(until), passed, forward=True)
        rows, reached = self._index.read(places_of_decisions(deployment_id), span, limit + 1, {})
        more = str(rows[limit - 1]["decision_key"]) if len(rows) > limit else reached
        return [row["pk"] for row in rows[:limit]], encode_cursor(more) if more else None

    def decisions(
        self, deployment_id: int, limit: int, cursor: str | None, now: datetime, *, questions: bool = False
    ) -> Page:
        """Return decided requests, oldest first, including those that reach the index late.

        Decisions become visible in the index slightly out of order, so the cursor trails by 90 seconds. With
        `questions`, pending requests with an open question are among them, each where it was asked last.
        """
        places, settled = places_of_decisions(deployment_id), moment_key(now - _FEED_OVERLAP)
        if questions:
            places += places_of_questions(deployment_id)

        def read(above: str, below: str, most: int) -> tuple[dict[str, Record], bool]:
            rows, reached = self._index.read(places, RowSpan(above, below, passed=above, forward=True), most, {})
            return {row["decision_key"]: row for row in rows}, reached is None

        place, requests = next_page(_feed_place(cursor), limit, settled, read, self._in_bytes)
        return Page(requests, encode_cursor(place.to_document()))

    def _in_bytes(self, rows: Sequence[Record]) -> Iterator[tuple[Record, Request | None]]:
        """Load the requests of index rows in order, up to the size of a Lambda response; None if not to be shown."""
        taken = 0
        for start in range(0, len(rows), 33):
            batch = rows[start : start + 33]
            records = self._batch_get([row["pk"] for row in batch])
            for row in batch:
                parts = records.get(row["pk"], {})
                fed = HEAD in parts and _readable(row["pk"], partial(_is_still_fed, row, parts[HEAD]))
                size = _readable(row["pk"], partial(_size, parts)) if fed else None
                taken += size or 0
                if taken > _PAGE_BYTES and row is not rows[0]:
                    return
                yield row, _readable(row["pk"], partial(self._request, parts)) if size is not None else None

    def _batch_get(self, request_ids: Iterable[str], parts: Sequence[str] = _PARTS) -> dict[str, dict[str, Any]]:
        keys = [{"pk": request_id, "sk": sk} for request_id in request_ids for sk in parts]
        records: dict[str, dict[str, Any]] = {}
        for record in batch_get(self._dynamodb, self._table, keys, self._pause):
            records.setdefault(record["pk"], {})[record["sk"]] = record
        return records

    def _request(self, records: Mapping[str, dict[str, Any]]) -> Request:
        head, response = _parsed(records[HEAD])
        content = _contents.loads(self._content_doc(records[CONTENT]))
        return Request(head, content, response or _apart(records))

    def _written_content(self, record: Mapping[str, Any]) -> Content:
        """Return the content of a record; raises ValueError for one that we never wrote like this."""
        doc = self._content_doc(record)
        named = ("doc",) if "doc" in record else ("s3_key", "sha256")
        _require_written(record, named, size=len(doc))
        return _as_written(_contents, doc.decode())

    def _content_doc(self, record: Mapping[str, Any]) -> bytes:
        if "doc" in record:
            return document_text(record["doc"]).encode()
        try:
            doc: bytes = self._s3().get_object(Bucket=self._bucket, Key=record["s3_key"])["Body"].read()
        except ClientError as error:
            if error_code(error) != "NoSuchKey":
                raise
            raise ValueError(f"content {record['s3_key']} is gone") from error
        if hashlib.sha256(doc).hexdigest() != record["sha256"]:
            raise ValueError(f"content {record['s3_key']} is not what was written")
        return doc

    def _content_record(self, head: Head, content: Content) -> dict[str, Any]:
        doc = _contents.dumps(content, defaults=False).encode()
        record = {"pk": head.request_id, "sk": CONTENT, "size": len(doc)}
        if len(doc) <= _INLINE_BYTES:
            return fitting({**record, "doc": doc.decode()}, "doc", _WORDS)
        digest = hashlib.sha256(doc).hexdigest()
        # Named by content, so that a repeated call writes the same object again, and by the request that it goes with.
        key = f"content/{head.deployment_id}/{head.request_id}/{digest}"
        self._s3().put_object(Bucket=self._bucket, Key=key, Body=doc)
        return {**record, "s3_key": key, "sha256": digest}

    def _put(self, record: Mapping[str, Any], **conditions: Any) -> dict[str, Any]:
        return {
            "Put": {
                "TableName": self._table,
                "Item": item(record),
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                **conditions,
            }
        }

    def _taking(self, takes: Taken, at: datetime) -> dict[str, Any]:
        """Return the transaction's part that only one step can write."""
        if isinstance(takes, CallRecord):
            return put_call(self._table, takes)
        if isinstance(takes, Mapping):
            return dict(takes)
        record = {**_once_key(takes), "ttl": int((at + timedelta(days=_ONCE_DAYS)).timestamp())}
        return self._put(record, ConditionExpression="attribute_not_exists(pk)")

    def _transact(self, parts: list[dict[str, Any]], token: str) -> tuple[list[str], list[dict[str, Any]]]:
        """Write all or nothing; return the refusal codes and old items, both empty on success."""
        try:
            transact(self._dynamodb, parts, token)
        except ClientError as error:
            codes = cancellation_codes(error)
            if not codes:
                raise
            reasons: Any = error.response["CancellationReasons"]
            return codes, [reason.get("Item", {}) for reason in reasons]
        return [], []


def _readable(request_id: str, read: Callable[[], _Part]) -> _Part | None:
    return readable(read, "a request cannot be read", request_id=request_id)


def _size(parts: Mapping[str, Mapping[str, Any]]) -> int:
    """Return about how many bytes an answer with a request has."""
    response = document_text(parts.get(RESPONSE, {}).get("doc", ""))
    return int(parts[CONTENT]["size"]) + len(response.encode())


def _head_record(head: Head, response: Response | None = None) -> dict[str, Any]:
    doc = _heads.dumps(head, defaults=False, nulls=False, without=_BESIDE)
    if response is not None and _is_brief(answer := _response_doc(response)):
        doc = f'{doc[:-1]},"{_ANSWER}":{answer}}}'
    record = {"pk": head.request_id, "sk": HEAD, "doc": doc, "seq": head.seq, **head_entries(head)}
    return fitting(record, "doc", _WORDS)


def document_text(stored: object) -> str:
    """Return the JSON text of a document of ours as stored; raises ValueError for what we never wrote."""
    return unpacked(stored, _WORDS)


def _head_of(record: Mapping[str, Any]) -> Head:
    return _parsed(record)[0]


def _parsed(record: Mapping[str, Any]) -> tuple[Head, Response | None]:
    """Return the head of a record, also of one from when the document said everything, and the answer in it, if any."""
    beside = {**vars(row_of(record)), "request_id": record["pk"], "seq": record["seq"]}
    document = {**json.loads(document_text(record["doc"]))}
    answer = document.pop(_ANSWER, None)
    head = _heads.read({**_NONE, **beside, **document})
    return head, _responses.read(answer) if answer is not None else None


def _listed_head(record: Mapping[str, Any]) -> tuple[Head, Response | None]:
    """Do the same; raises ValueError, TypeError, or OverflowError, also for a head that no list could hold."""
    head, response = _parsed(record)
    head_entries(head)
    answered = {} if response is None else {_ANSWER: json.loads(_responses.dumps(response))}
    if not is_as_written(document_text(record["doc"]), json.loads(_heads.dumps(head)) | answered):
        raise ValueError("it holds what no head has")
    return head, response


def _apart(records: Mapping[str, Mapping[str, Any]]) -> Response | None:
    """Return the answer that is a record of its own, if it is among these."""
    return _long_response(records[RESPONSE]) if RESPONSE in records else None


def _long_response(record: Mapping[str, Any]) -> Response:
    return _responses.loads(document_text(record["doc"]))


def _response_doc(response: Response) -> str:
    return _responses.dumps(response, defaults=False)


def _is_brief(response_doc: str) -> bool:
    return len(response_doc.encode()) <= _BRIEF


def _written_response(record: Mapping[str, Any]) -> Response:
    """Return the answer of a record; raises ValueError for one that we never wrote like this."""
    _require_written(record, ("doc",))
    return _as_written(_responses, document_text(record["doc"]))


def _as_written(documents: Documents[_Part], doc: str) -> _Part:
    read = documents.loads(doc)
    if not is_as_written(doc, json.loads(documents.dumps(read))):
        raise ValueError("it holds what no such record has")
    return read


def _require_written(record: Mapping[str, Any], named: Sequence[str], **values: object) -> None:
    """Raise ValueError unless a record has its key, these members, which are texts, and these with their values."""
    texts = {name: record.get(name) for name in ("pk", "sk", *named)}
    are_texts = all(isinstance(text, str | bytes if name == "doc" else str) for name, text in texts.items())
    if not are_texts or _differing(record, {**texts, **values}):
        raise ValueError("it has other members than such a record has")


def _differing(
    record: Mapping[str, Any], wanted: Mapping[str, Any], before: Mapping[str, Any] = MappingProxyType({})
) -> Sequence[str]:
    """Return which attributes of a record, but its document, are not what they should be, or were `before`."""
    return sorted(
        name
        for name in {*record, *wanted} - {"doc"}
        if not any(_is(record, name, value) for value in (wanted.get(name), before.get(name, wanted.get(name))))
    )


def _is(record: Mapping[str, Any], name: str, value: Any) -> bool:
    """Tell whether a record has a value, or for None no such member: not even a null, nor a truth for a number."""
    if value is None:
        return name not in record
    return bool(record.get(name) == value) and isinstance(record[name], bool) == isinstance(value, bool)


def _once_key(name: str) -> dict[str, str]:
    return {"pk": f"once#{name}", "sk": "once"}


def _rounds_of(head: Head) -> str:
    # A name of a flow may be longer than a key.
    return f"rounds#{head.deployment_id}#{digest([head.flow_id, head.method_name])}"


def _round_record(head: Head, at: datetime) -> dict[str, Any]:
    """Return the record by which later requests of the flow find a round: its own item, so no two decisions meet."""
    ttl = int((at + timedelta(days=_ROUND_DAYS)).timestamp())
    return {"pk": _rounds_of(head), "sk": f"{moment_key(at)}#{head.request_id}", "seq": head.seq, "ttl": ttl}


def _round_place(record: Mapping[str, Any]) -> RoundPlace:
    return RoundPlace(record["sk"].partition("#")[2], int(record["seq"]))


def _is_still_fed(row: Record, head: Mapping[str, Any]) -> bool:
    """Tell whether an entry of the feed still says something: a question, until it is answered or asked anew."""
    place = question_of(row)
    if place is None:
        return True
    found = _head_of(head)
    return found.decided_at is None and len(found.thread) == place + 1


def _is_still_listed(head: Head, wanted: RequestFilter) -> bool:
    """Tell whether a request still matches the filters, because the index lags behind."""
    desks = {desk_name(name) for name in (head.assigned_to_email, *head.group_members)}
    is_theirs = not wanted.assigned_to or not desks.isdisjoint(map(desk_name, wanted.assigned_to))
    return is_theirs and (not wanted.statuses or head.status.value in wanted.statuses)


def _list_position(cursor: str) -> str:
    position = decode_cursor(cursor)
    if not isinstance(position, str) or not INDEX_KEY.fullmatch(position):
        raise foreign_cursor()
    return position


def _feed_place(cursor: str | None) -> FeedPlace:
    place = FeedPlace.of(decode_cursor(cursor)) if cursor else FeedPlace()
    if place is None:
        raise foreign_cursor()
    return place


def _unknown() -> NotFound:
    return NotFound("There is no such request.")
