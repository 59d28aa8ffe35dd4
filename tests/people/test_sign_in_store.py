"""Tries, sessions and counters in DynamoDB: of two writers at once one loses and is told; TTL cleans up."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from moto import mock_aws

from flow_hitl.people.sign_in_rules import SESSION_LASTS, TRY_LASTS, SentMails, Session, Sessions, SignInTry, SignInWay
from flow_hitl.people.sign_in_store import DynamoRateCounters, DynamoSessionStore, DynamoSignInTries
from flow_hitl.platform.errors import Conflict
from infra.tables import REQUESTS, create_table_arguments
from tests.support.examples import NOON

TRY = SignInTry("t1", "a@example.com", "b" * 64, "1", "/d", NOON + TRY_LASTS)
SESSION = Session("s1", SignInWay.CODE, NOON, NOON + SESSION_LASTS)


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "x"),
        ("AWS_SECRET_ACCESS_KEY", "x"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(name, value)
    with mock_aws():
        import boto3

        client = boto3.client("dynamodb")
        client.create_table(**create_table_arguments(REQUESTS, "requests"))
        yield client


def test_a_try_is_read_back_and_of_two_changes_one_is_refused(dynamodb: Any) -> None:
    tries = DynamoSignInTries(dynamodb, "requests")
    assert tries.load("t1") is None
    tries.begin(TRY)
    assert tries.load("t1") == TRY
    changed = replace(TRY, guesses=1, version=1)
    tries.commit(changed)
    with pytest.raises(Conflict):
        tries.commit(replace(TRY, used=True, version=1))
    assert tries.load("t1") == changed


def test_sessions_are_one_persons_whatever_the_case_of_their_address(dynamodb: Any) -> None:
    store = DynamoSessionStore(dynamodb, "requests")
    assert store.load("A@Example.com") == Sessions("A@Example.com")
    begun = store.load("a@example.com").begin(SESSION, NOON)
    store.commit(begun)
    assert store.load("A@EXAMPLE.COM").sessions == (SESSION,)
    with pytest.raises(Conflict):
        store.commit(Sessions("a@example.com").begin(SESSION, NOON))
    store.commit(begun.end(None, NOON))
    assert store.load("a@example.com").find("s1", NOON) is None


def test_a_try_is_used_up_together_with_the_session_that_it_makes_or_not_at_all(dynamodb: Any) -> None:
    tries, store = DynamoSignInTries(dynamodb, "requests"), DynamoSessionStore(dynamodb, "requests")
    tries.begin(TRY)
    sent = tries.sent_to("A@example.com").add(TRY, NOON)
    assert sent is not None
    tries.note_sent(sent)
    used, left = replace(TRY, used=True, version=1), sent.without(TRY.try_id)
    sessions = store.load("a@example.com").begin(SESSION, NOON)
    for late in ((replace(used, version=5), left, sessions), (used, replace(left, version=9), sessions)):
        with pytest.raises(Conflict):
            tries.redeem(*late)
        assert (tries.load("t1"), tries.sent_to("a@example.com")) == (TRY, sent)
        assert store.load("a@example.com").sessions == ()
    tries.redeem(used, left, sessions)
    assert (tries.load("t1"), tries.sent_to("a@example.com").mails) == (used, ())
    assert store.load("a@example.com").sessions == (SESSION,)
    with pytest.raises(Conflict):
        tries.redeem(used, left, sessions)


def test_counters_count_in_windows(dynamodb: Any) -> None:
    counters, hour = DynamoRateCounters(dynamodb, "requests"), timedelta(hours=1)
    assert [counters.count("a", hour, NOON + timedelta(minutes=minute)) for minute in (0, 30, 59)] == [1, 2, 3]
    assert counters.count("b", hour, NOON) == 1
    assert counters.count("a", hour, NOON + hour) == 1


def test_all_of_it_is_cleaned_up_some_day(dynamodb: Any) -> None:
    DynamoSignInTries(dynamodb, "requests").begin(TRY)
    DynamoSessionStore(dynamodb, "requests").commit(Sessions("a@example.com").begin(SESSION, NOON))
    sent = SentMails("a@example.com").add(TRY, NOON)
    assert sent is not None
    DynamoSignInTries(dynamodb, "requests").note_sent(sent)
    DynamoRateCounters(dynamodb, "requests").count("a", timedelta(hours=1), NOON)
    rows = dynamodb.scan(TableName="requests")["Items"]
    assert len(rows) == 4
    for row in rows:
        assert int(row["ttl"]["N"]) > NOON.timestamp()
