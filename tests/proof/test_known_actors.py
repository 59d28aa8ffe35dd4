"""Who was a member of a deployment, and which API keys there were, as its chain says."""

from typing import Any

import pytest

from flow_hitl.proof.known_actors import KnownActors

CREATOR = "creator@example.com"
MANAGE, RESPOND, CREATE = "manage_human_feedback", "respond_to_human_feedback", "create_requests"


def happened(kind: str, at: str, before: Any = None, after: Any = None) -> dict[str, Any]:
    return {"kind": kind, "at": f"2026-01-14T{at}Z", "data": {"before": before, "after": after}}


def member(email: str, *permissions: str, aliases: Any = ()) -> dict[str, Any]:
    return {"email": email, "permissions": list(permissions), "aliases": list(aliases), "timezone": None}


def key(name: str, *permissions: str, expires_at: str | None = None) -> dict[str, Any]:
    return {"id": name, "permissions": list(permissions), "expires_at": expires_at}


def did(actor: str, kind: str = "request_cancelled", at: str = "12:30:00") -> dict[str, Any]:
    return {"actor": actor, "kind": kind, "at": f"2026-01-14T{at}Z"}


ANN = member("Ann@example.com", MANAGE, aliases=["ann@home.example"])
CHAIN = [
    {"kind": "deployment_created", "at": "2026-01-14T10:00:00Z", "data": {"after": {"creator_email": CREATOR}}},
    happened("member_set", "12:00:00", None, ANN),
    happened("member_set", "12:00:00", None, member("ben@example.com", RESPOND)),
    happened("api_key_issued", "12:00:00", None, key("aa", CREATE)),
    happened("api_key_issued", "12:00:00", None, key("bb", MANAGE, expires_at="2026-01-14T13:00:00Z")),
    happened("settings_changed", "12:10:00", {"email": "x@example.com"}, {"email": "x@example.com"}),
    happened("member_set", "14:00:00", ANN, member("ann@example.com", RESPOND)),
    happened("api_key_revoked", "14:00:00", key("aa", CREATE)),
    happened("member_removed", "15:00:00", member("ann@example.com", RESPOND)),
    happened("member_set", "16:00:00", None, ANN),
]


@pytest.fixture
def known() -> KnownActors:
    return KnownActors(CHAIN, CREATOR)


@pytest.mark.parametrize(
    "event",
    [
        did("member/creator@example.com"),
        did("member/Creator@Example.com", at="09:00:00"),
        did("member/ann@example.com"),
        did("member/ann@home.example"),
        did("member/ann@example.com", "request_reassigned"),
        did("member/ann@example.com", "resume_retried"),
        # What was allowed when the call came in is written a little later; and so it is where clocks differ.
        did("member/ann@example.com", at="11:59:00"),
        did("member/ann@example.com", at="14:01:00"),
        did("member/ann@example.com", at="16:30:00"),
        did("api_key/aa"),
        did("api_key/aa", "resume_reported"),
        did("api_key/aa", "question_answered"),
        did("api_key/aa", at="14:01:00"),
        did("api_key/bb", "request_reassigned"),
        did("api_key/bb", "request_reassigned", at="13:01:00"),
        # Whoever answers is bound by whom a request asks, and other events have no such actor.
        did("member/mallory@example.com", "response_submitted"),
        did("operator"),
        did("mallory@example.com", "request_reassigned"),
        did("flow-hitl", "request_reassigned"),
    ],
    ids=str,
)
def test_what_a_known_actor_may_do(known: KnownActors, event: dict[str, Any]) -> None:
    assert known.may(event)


@pytest.mark.parametrize(
    "event",
    [
        did("member/mallory@example.com"),
        did("member/x@example.com"),
        did("member/"),
        did("member/ann@example.com", at="11:58:59"),
        did("member/ann@example.com", at="14:01:01"),
        did("member/ann@home.example", at="14:01:01"),
        did("member/ann@example.com", at="15:30:00"),
        did("member/ben@example.com"),
        did("member/ben@example.com", "request_reassigned"),
        did("member/ann@example.com", "question_answered"),
        did("member/ann@example.com", "resume_reported"),
        did("api_key/aa", "request_reassigned"),
        did("api_key/aa", "resume_retried"),
        did("api_key/aa", at="14:01:01"),
        did("api_key/bb", at="13:01:01"),
        did("api_key/bb", "question_answered"),
        did("api_key/cc"),
        did("api_key/ann@example.com"),
    ],
    ids=str,
)
def test_what_nobody_knows_the_right_for(known: KnownActors, event: dict[str, Any]) -> None:
    assert not known.may(event)


def test_the_creator_manages_by_an_alias_too_and_nobody_does_by_having_the_creator_as_theirs() -> None:
    as_member = happened("member_set", "12:00:00", None, member(CREATOR, RESPOND, aliases=["c@home.example"]))
    assert KnownActors([as_member], CREATOR).may(did("member/c@home.example"))
    other = happened("member_set", "12:00:00", None, member("ben@example.com", RESPOND, aliases=[CREATOR]))
    assert not KnownActors([other], CREATOR).may(did("member/ben@example.com"))


def test_without_its_configuration_a_deployment_has_no_creator() -> None:
    assert not KnownActors([], None).may(did("member/creator@example.com"))
    assert not KnownActors([], None).may(did("member/None"))


def test_an_event_of_an_impossible_time_is_left_to_others(known: KnownActors) -> None:
    assert known.may({**did("member/mallory@example.com"), "at": "yesterday"})
    assert not known.may({**did("member/mallory@example.com"), "at": "0001-01-01T00:00:00Z"})
    assert not known.may({**did("member/mallory@example.com"), "at": "9999-12-31T23:59:59Z"})


@pytest.mark.parametrize(
    "data", [None, [], {"after": 1}, {"after": {}}, {"after": {"email": 1, "permissions": 2}}], ids=str
)
@pytest.mark.parametrize("kind", ["member_set", "member_removed", "api_key_issued", "api_key_revoked"])
def test_a_chain_that_we_never_wrote_allows_nothing(kind: str, data: Any) -> None:
    known = KnownActors([{"kind": kind, "at": 1, "data": data}], CREATOR)
    assert not known.may(did("member/mallory@example.com"))
    assert known.may(did("member/creator@example.com"))
