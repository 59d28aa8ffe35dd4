"""A forger writes over records that no event binds, such as sessions, figures, and deliveries: nothing fails for it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import pytest

from infra.local.hitl_fixture import Browser, Hitl, made_once
from infra.local.hitl_fixture.seen import Answer
from tests.proof.test_audit_export import exported
from tests.support.asserts import EMIT
from tests.support.aws_calls import unsettled
from tests.support.receiver import receiving
from tests.support.webhooks import ALL_EVENTS, hook

DAMAGES: dict[str, Any] = {
    "null": {"NULL": True},
    "text": {"S": "{"},
    "list": {"S": "[]"},
    "object": {"S": "{}"},
    "huge": {"N": "1e100"},
    "map": {"M": {}},
    "bytes": {"B": b"\xff"},
    "gone": None,
}


@dataclass
class Place:
    """A deployment with a record of each kind that no event binds."""

    hitl: Hitl
    request: str
    webhook: str
    export: str
    browser: Browser
    review_url: str

    def write_over(self, pk: str, sk: str, name: str, value: Any) -> int:
        """Give all records whose keys begin so another member, or none; return how many there are."""
        dynamodb, count = self.hitl._clients["dynamodb"], 0
        for table in ("requests", "deployments"):
            for row in dynamodb.scan(TableName=table)["Items"]:
                if row["pk"]["S"].split("#")[0] == pk and row["sk"]["S"].startswith(sk):
                    kept = {one: each for one, each in row.items() if one != name}
                    dynamodb.put_item(TableName=table, Item={**kept, name: value} if value else kept)
                    count += 1
        return count


def used(hitl: Hitl) -> Place:
    browser = hitl.signed_in("creator@example.com")
    with receiving() as app:
        made = hook(hitl, app.url, events=ALL_EVENTS)
        hitl.ask("Publish?", emit=EMIT)
        hitl.reply("approved")
        app.away = 1
        grouped = hitl.ask("Pay?", emit=EMIT)
        url = hitl.review_url()
    export = exported(hitl)["id"]
    hitl.advance(minutes=30)
    hitl.bounce(grouped, "creator@example.com")
    return Place(hitl, grouped.id, made.id, export, browser, url)


a_place = made_once(used)


def looks(place: Place) -> Iterator[Answer]:
    own, pages = f"/v1/deployments/{place.hitl.deployment_id}", f"/d/{place.hitl.deployment_id}"
    for path in ("webhooks", f"webhooks/{place.webhook}/deliveries", f"audit/export/{place.export}", "analytics"):
        yield place.hitl.api("GET", f"{own}/{path}")
    for path in ("api-keys", "members", "audit/verify"):
        yield place.hitl.api("GET", f"{own}/{path}")
    for path in ("/v1/requests", "/v1/requests?q=pay", "/v1/decisions", f"/v1/requests/{place.request}/diagnosis"):
        yield place.hitl.api("GET", path)
    for path in ("requests", "analytics", "audit", "settings/webhooks", f"settings/webhooks/{place.webhook}"):
        yield place.browser.get(f"{pages}/{path}")
    for path in ("settings/api-keys", "settings/checks", f"requests/{place.request}"):
        yield place.browser.get(f"{pages}/{path}")
    yield place.browser.get("/d")
    yield place.hitl.page("GET", place.review_url)


# What a record is found by, and a member of it.
MEMBERS = [
    ("key-use", "", "at"),
    ("sessions", "", "doc"),
    ("suppressed", "", "reason"),
    ("deployment", "activity", "mails"),
    ("deployment", "activity", "requests_12"),
    ("deployment", "webhook", "doc"),
    ("webhook", "delivery", "doc"),
    ("webhook", "delivery", "attempts"),
    ("webhook", "delivery", "result"),
    ("exports", "export", "doc"),
    ("metrics", "generations", "doc"),
    ("metrics", "position", "doc"),
    ("metrics", "day", "cut"),
    ("metrics", "day", "value"),
    ("metrics", "day", "created"),
    ("metrics", "month", "outcome"),
    ("person", "deployment", "name"),
    ("person", "deployment", "id"),
    ("deployments", "counter", "last_id"),
]


@pytest.mark.exhaustive(8, "member", "damage")
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("member", MEMBERS, ids=" ".join)
def test_what_cannot_be_read_is_said_or_left_out(hitl: Hitl, member: tuple[str, str, str], damage: str) -> None:
    place = a_place(hitl)
    with unsettled(hitl), patch("flow_hitl.mails.mail_account.SesAccount.state", return_value=None):
        assert place.write_over(*member, DAMAGES[damage]) > 0
        for answer in looks(place):
            assert answer.status < 500, answer.text
            assert "Traceback" not in answer.text


def test_all_of_them_are_shown_before(hitl: Hitl) -> None:
    place = a_place(hitl)
    with unsettled(hitl), patch("flow_hitl.mails.mail_account.SesAccount.state", return_value=None):
        assert {answer.status for answer in looks(place)} <= {200, 303}


def test_a_webhook_that_was_forged_is_said_to_be(hitl: Hitl) -> None:
    place = a_place(hitl)
    place.write_over("deployment", "webhook", "doc", {"S": "{}"})
    path = f"/v1/deployments/{hitl.deployment_id}/webhooks/{place.webhook}/deliveries"
    answer = hitl.api("GET", path)
    assert (answer.status, "nothing that this service has written" in answer.json["detail"]) == (403, True)
