"""Tries to sign in, sessions and counters: short-lived records in the requests table."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from flow_hitl.people.sign_in_rules import MAILS_COUNT, SentMails, Sessions, SignInTry
from flow_hitl.platform.documents import Documents
from flow_hitl.platform.dynamodb import cancellation_codes, item, put_if, transact, values
from flow_hitl.platform.errors import Conflict
from flow_hitl.platform.ports import Reading
from flow_hitl.platform.unreadable import known

_tries, _sent, _sessions = Documents(SignInTry), Documents(SentMails), Documents(Sessions)
_NEXT_VERSION = "attribute_not_exists(pk) OR version = :before"
# TTL only cleans up; what has expired is refused by its time.
_KEPT_LONGER = timedelta(days=1)
_UNREADABLE = "What is stored of a sign-in is nothing that this service has written."


class DynamoSignInTries:
    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def begin(self, new: SignInTry) -> None:
        _put(self._client, self._table, _try_record(new))

    def load(self, try_id: str) -> SignInTry | None:
        found = _found(self._client, self._table, _try_key(try_id))
        return known(lambda: _tries.loads(found[0]["doc"]), _UNREADABLE) if found else None

    def commit(self, changed: SignInTry) -> None:
        _put(self._client, self._table, _try_record(changed))

    def sent_to(self, email: str) -> SentMails:
        found = _found(self._client, self._table, _sent_key(email))
        return known(lambda: _sent.loads(found[0]["doc"]), _UNREADABLE) if found else SentMails(email)

    def note_sent(self, changed: SentMails) -> None:
        _put(self._client, self._table, _sent_record(changed))

    def redeem(self, used: SignInTry, left: SentMails, sessions: Sessions) -> None:
        records = (_try_record(used), _sent_record(left), _sessions_record(sessions))
        try:
            transact(self._client, [{"Put": _versioned(self._table, record)} for record in records])
        except ClientError as error:
            if "ConditionalCheckFailed" not in cancellation_codes(error):
                raise
            raise Conflict("somebody signed in with this before, or at the same time") from None


class DynamoSessionStore:
    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def load(self, email: str) -> Sessions:
        return self.reading(email).made(_found(self._client, self._table, _sessions_key(email)))

    def reading(self, email: str) -> Reading[Sessions]:
        def made(records: Sequence[Mapping[str, Any]]) -> Sessions:
            return known(lambda: _sessions.loads(records[0]["doc"]), _UNREADABLE) if records else Sessions(email)

        return Reading(self._table, [_sessions_key(email)], made)

    def commit(self, changed: Sessions) -> None:
        _put(self._client, self._table, _sessions_record(changed))

    def forget(self, email: str) -> None:
        for key in (_sessions_key(email), _sent_key(email)):
            self._client.delete_item(TableName=self._table, Key=item(key))


class DynamoRateCounters:
    """Counts in fixed windows: one atomic update each, however many there are at once."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def count(self, name: str, window: timedelta, now: datetime) -> int:
        seconds = int(window.total_seconds())
        number = int(now.timestamp()) // seconds
        answer = self._client.update_item(
            TableName=self._table,
            Key=item({"pk": f"rate#{name}", "sk": str(number)}),
            UpdateExpression="SET #ttl = :ttl ADD seen :one",
            ExpressionAttributeNames={"#ttl": "ttl"},
            ExpressionAttributeValues=item({":ttl": (number + 2) * seconds, ":one": 1}),
            ReturnValues="UPDATED_NEW",
        )
        return int(values(answer["Attributes"])["seen"])


def _try_record(found: SignInTry) -> dict[str, Any]:
    return _record(_try_key(found.try_id), _tries, found, found.expires_at.timestamp())


def _sent_record(found: SentMails) -> dict[str, Any]:
    # Where none is left there is none whose time the record could need.
    last = max((one.sent_at.timestamp() for one in found.mails), default=0)
    return _record(_sent_key(found.email), _sent, found, last + MAILS_COUNT.total_seconds())


def _sessions_record(found: Sessions) -> dict[str, Any]:
    last = max(one.expires_at for one in found.sessions)
    return _record(_sessions_key(found.email), _sessions, found, last.timestamp())


def _record(key: dict[str, str], adapter: Documents[Any], found: Any, needed_until: float) -> dict[str, Any]:
    ttl = int(needed_until + _KEPT_LONGER.total_seconds())
    return {**key, "doc": adapter.dumps(found), "version": found.version, "ttl": ttl}


def _found(client: Any, table: str, key: dict[str, str]) -> Sequence[Mapping[str, Any]]:
    found = client.get_item(TableName=table, Key=item(key), ConsistentRead=True).get("Item")
    return [values(found)] if found is not None else []


def _put(client: Any, table: str, record: dict[str, Any]) -> None:
    """Write a record's version after the one before it, or as the first; raises Conflict."""
    if not put_if(client, table, record, _NEXT_VERSION, {":before": record["version"] - 1}):
        raise Conflict(f"version {record['version']} of {record['pk'].partition('#')[0]} was written before")


def _versioned(table: str, record: dict[str, Any]) -> dict[str, Any]:
    return {
        "TableName": table,
        "Item": item(record),
        "ConditionExpression": _NEXT_VERSION,
        "ExpressionAttributeValues": item({":before": record["version"] - 1}),
    }


def _try_key(try_id: str) -> dict[str, str]:
    return {"pk": f"sign-in#{try_id}", "sk": "sign-in"}


def _sessions_key(email: str) -> dict[str, str]:
    return {"pk": f"sessions#{email.lower()}", "sk": "sessions"}


def _sent_key(email: str) -> dict[str, str]:
    return {"pk": f"sign-in-mails#{email.lower()}", "sk": "mails"}
