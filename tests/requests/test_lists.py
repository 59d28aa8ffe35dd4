"""Who asks for somebody's requests gets what that person may answer, by whichever address or group it came to them."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import pytest

from flow_hitl.bootstrap import current
from flow_hitl.deployments.deployment import Permission
from flow_hitl.people.access import SignedInMember
from flow_hitl.platform.errors import Forbidden
from flow_hitl.requests.ports import RequestFilter
from flow_hitl.requests.reading.list_rows import Order, RequestRow
from infra.local.hitl_fixture import Hitl
from tests.support.asserts import EMIT, api_key, callback, key_of_another_deployment

ANN, ANN_AT_HOME, BOB, CLEO = "ann@example.com", "ann@home.example", "bob@example.com", "cleo@example.com"
FINANCE = {"name": "finance", "address": "finance@example.com", "members": [ANN, BOB]}
LEGAL = {"address": "legal@example.com", "members": [BOB, CLEO]}
PENDING = RequestFilter(statuses=("pending",))


@pytest.fixture
def asked(hitl: Hitl) -> list[str]:
    """Six requests, oldest first: to Ann, to her alias, to two groups (one by both of its names), and to Bob."""
    hitl.configure(settings={"groups": [FINANCE, LEGAL], "email_notifications": False})
    hitl.api("PUT", f"/v1/deployments/{hitl.deployment_id}/members/{ANN}", {"aliases": [ANN_AT_HOME]})
    assignees = [ANN, ANN_AT_HOME, "group:finance", "legal@example.com", "Finance@Example.com", BOB]
    made = []
    for assignee in assignees:
        hitl.configure(rules=[{"name": "all", "match": {"method_name": "*"}, "assign_to_email": assignee}])
        made.append(hitl.ask("Pay?", emit=EMIT, method_name="approve_payment", sla_target_minutes=60).id)
        hitl.advance(seconds=1)
    return made


def listed(hitl: Hitl, asked: Sequence[str], assignee: str, limit: int = 20, **query: Any) -> list[int]:
    """Return the numbers of an assignee's requests, page by page."""
    found: list[int] = []
    cursor: dict[str, str] = {}
    for _ in range(20):
        filters = urlencode({"assigned_to": assignee, "limit": limit, **query, **cursor})
        page = hitl.api("GET", f"/v1/requests?{filters}").json
        assert len(page["requests"]) <= limit
        found += [asked.index(request["id"]) for request in page["requests"]]
        if page["next_cursor"] is None:
            return found
        cursor = {"cursor": page["next_cursor"]}
    raise AssertionError("the pages never end")


@pytest.mark.parametrize("limit", [1, 2, 20])
def test_what_somebody_may_answer_is_found_by_their_address(hitl: Hitl, asked: list[str], limit: int) -> None:
    assert listed(hitl, asked, ANN, limit) == [4, 2, 1, 0]
    assert listed(hitl, asked, ANN_AT_HOME, limit) == [4, 2, 1, 0]
    assert listed(hitl, asked, "ANN@EXAMPLE.COM", limit) == [4, 2, 1, 0]
    assert listed(hitl, asked, BOB, limit) == [5, 4, 3, 2]
    assert listed(hitl, asked, CLEO, limit) == [3]
    assert listed(hitl, asked, "nobody@example.com", limit) == []


def test_a_group_is_found_by_either_of_its_names(hitl: Hitl, asked: list[str]) -> None:
    for name in ("group:finance", "finance@example.com", "FINANCE@example.com"):
        assert listed(hitl, asked, name) == [4, 2]
    assert listed(hitl, asked, "legal@example.com") == [3]
    assert listed(hitl, asked, "group:legal") == []


def test_what_is_decided_is_found_as_decided(hitl: Hitl, asked: list[str]) -> None:
    created = hitl.ask("Pay?", emit=EMIT, id=str(asked[0])[:-1] + "f", assigned_to_email=CLEO)
    callback(hitl, created, "approved")
    for number in (2, 0):
        hitl.api("DELETE", f"/v1/requests/{asked[number]}")
    everything = [*asked, created.id]
    assert listed(hitl, everything, ANN, 1, status="pending") == [4, 1]
    assert listed(hitl, everything, ANN, status="cancelled") == [2, 0]
    assert listed(hitl, everything, BOB, status="cancelled") == [2]
    assert listed(hitl, everything, CLEO, status="responded", outcome="approved") == [6]
    assert listed(hitl, everything, ANN, 1) == [4, 2, 1, 0]


def test_who_was_in_the_group_when_it_was_asked_counts(hitl: Hitl, asked: list[str]) -> None:
    hitl.configure(settings={"groups": [{**FINANCE, "members": [BOB, CLEO]}]})
    assert listed(hitl, asked, ANN) == [4, 2, 1, 0]
    assert listed(hitl, asked, CLEO) == [3]


# --- rows, for pages


def member(hitl: Hitl, email: str) -> SignedInMember:
    return SignedInMember.of(current().manage_deployments.show(hitl.deployment_id), email)


def desk(hitl: Hitl, asked: Sequence[str], person: SignedInMember, *assignees: str, **options: Any) -> list[int]:
    page = current().list_requests.page(person, RequestFilter(assigned_to=assignees), **options)
    return [asked.index(row.request_id) for row in page.rows]


@pytest.fixture
def responders(hitl: Hitl, asked: list[str]) -> None:
    """Let Ann, by her alias too, and Bob sign in."""
    for email, aliases in ((ANN, [ANN_AT_HOME]), (BOB, [])):
        body = {"permissions": [Permission.RESPOND.value], "aliases": aliases}
        hitl.api("PUT", f"/v1/deployments/{hitl.deployment_id}/members/{email}", body)


@pytest.mark.usefixtures("responders")
def test_a_person_sees_their_own_desk_and_nobody_elses(hitl: Hitl, asked: list[str]) -> None:
    ann, at_home = member(hitl, ANN), member(hitl, ANN_AT_HOME)
    assert desk(hitl, asked, ann) == [4, 2, 0]
    # From an alias they may answer what is asked of their address; the other way round was never promised.
    assert desk(hitl, asked, at_home) == [4, 2, 1, 0]
    assert desk(hitl, asked, ann, order=Order.DUE, text="PAYMENT finance") == [4, 2]
    for other in (BOB, "group:finance", "finance@example.com"):
        assert desk(hitl, asked, ann, other) == [4, 2, 0], "whoever they ask for"


@pytest.mark.usefixtures("responders")
def test_a_manager_sees_every_desk(hitl: Hitl, asked: list[str]) -> None:
    creator = member(hitl, "creator@example.com")
    assert desk(hitl, asked, creator) == [5, 4, 3, 2, 1, 0]
    assert desk(hitl, asked, creator, BOB) == [5, 4, 3, 2]
    assert desk(hitl, asked, creator, "group:finance") == [4, 2]


@pytest.mark.usefixtures("responders")
def test_how_many_wait_and_how_many_are_done(hitl: Hitl, asked: list[str]) -> None:
    hitl.api("DELETE", f"/v1/requests/{asked[0]}")

    def counts(email: str) -> list[int]:
        found = current().list_requests.counts(member(hitl, email))
        return [one.number for one in (found.pending, found.history)]

    assert counts(ANN) == [2, 1]
    assert counts(BOB) == [4, 0]
    assert counts("creator@example.com") == [5, 1]


def test_a_programs_rows_are_its_deployments(hitl: Hitl, asked: list[str]) -> None:
    def rows(key: str) -> Sequence[RequestRow]:
        return current().list_requests.page(current().authenticate(f"Bearer {key}"), PENDING).rows

    assert [row.request_id for row in rows(api_key(hitl, Permission.MANAGE))] == asked[::-1]
    assert {row.summary for row in rows(hitl.api_key)} == {"Pay?"}
    assert rows(key_of_another_deployment()) == []
    with pytest.raises(Forbidden):
        rows(api_key(hitl, Permission.RESPOND))
