"""Tries to sign in, sessions and counters: short-lived records in the requests table."""

from datetime import datetime, timedelta
from typing import Any

from pydantic import TypeAdapter

from flow_hitl.adapters.dynamodb import item, put_if, values
from flow_hitl.domain.errors import Conflict
from flow_hitl.domain.sign_in import Sessions, SignInTry

_tries, _sessions = TypeAdapter(SignInTry), TypeAdapter(Sessions)
# TTL only cleans up; what has expired is refused by its time.
_KEPT_LONGER = timedelta(days=1)


class DynamoSignInTries:
    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def begin(self, new: SignInTry) -> None:
        _put(self._client, self._table, _try_record(new), new.version)

    def load(self, try_id: str) -> SignInTry | None:
        doc = _doc(self._client, self._table, _try_key(try_id))
        return _tries.validate_json(doc) if doc is not None else None

    def commit(self, changed: SignInTry) -> None:
        _put(self._client, self._table, _try_record(changed), changed.version)


class DynamoSessionStore:
    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def load(self, email: str) -> Sessions:
        doc = _doc(self._client, self._table, _sessions_key(email))
        return _sessions.validate_json(doc) if doc is not None else Sessions(email)

    def commit(self, changed: Sessions) -> None:
        last = max(one.expires_at for one in changed.sessions)
        record = {
            **_sessions_key(changed.email),
            "doc": _sessions.dump_json(changed).decode(),
            "version": changed.version,
            "ttl": int((last + _KEPT_LONGER).timestamp()),
        }
        _put(self._client, self._table, record, changed.version)


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
    ttl = int((found.expires_at + _KEPT_LONGER).timestamp())
    return {
        **_try_key(found.try_id),
        "doc": _tries.dump_json(found).decode(),
        "version": found.version,
        "ttl": ttl,
    }


def _doc(client: Any, table: str, key: dict[str, str]) -> str | None:
    found = client.get_item(TableName=table, Key=item(key), ConsistentRead=True).get("Item")
    return str(values(found)["doc"]) if found is not None else None


def _put(client: Any, table: str, record: dict[str, Any], version: int) -> None:
    """Write a record's version after the one before it, or as the first; raises Conflict."""
    condition = "attribute_not_exists(pk) OR version = :before"
    if not put_if(client, table, record, condition, {":before": version - 1}):
        raise Conflict(f"version {version} of {record['pk'].partition('#')[0]} was written before")


def _try_key(try_id: str) -> dict[str, str]:
    return {"pk": f"sign-in#{try_id}", "sk": "sign-in"}


def _sessions_key(email: str) -> dict[str, str]:
    return {"pk": f"sessions#{email.lower()}", "sk": "sessions"}
