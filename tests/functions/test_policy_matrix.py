"""Every route × every role × every tenant: who gets in, who is told to stay out, and who is told nothing.

The routes are those that the resolvers declare; a route that is missing in the tables below fails the first test.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import combinations
from typing import Any
from urllib.parse import urlsplit

import pytest

from flow_hitl.bootstrap import current
from flow_hitl.domain.deployment import Permission
from flow_hitl.signing.web_tokens import WebhookName
from infra.local.hitl_fixture import Answer, Hitl
from infra.routes import all_routes
from tests.functions.asserts import EMIT, NEW, callback
from tests.functions.webhooks import hook

CREATE, MANAGE, RESPOND = Permission.CREATE_REQUESTS, Permission.MANAGE, Permission.RESPOND
SUBSETS = [frozenset(chosen) for size in range(4) for chosen in combinations(Permission, size)]
MEMBER = "member@example.com"
DEPLOYMENT = "/v1/deployments/{deployment_id}"


@dataclass(frozen=True)
class Keyed:
    """A route for API keys: any one of these permissions opens it, to a request with this body."""

    needs: frozenset[Permission]
    body: Any = None
    decided: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)


def keyed(*needs: Permission, **options: Any) -> Keyed:
    return Keyed(frozenset(needs), **options)


NOBODY_LISTENS = "http://127.0.0.1:9/"
HOOK = {"name": "Jira", "url": NOBODY_LISTENS, "events": ["new_request"]}
KEYED: dict[str, Keyed] = {
    "POST /v1/requests": keyed(CREATE, body=NEW),
    "GET /v1/requests": keyed(CREATE, MANAGE),
    "GET /v1/decisions": keyed(CREATE, MANAGE),
    "GET /v1/requests/{request_id}": keyed(CREATE, MANAGE),
    "DELETE /v1/requests/{request_id}": keyed(CREATE, MANAGE),
    "GET /v1/requests/{request_id}/timeline": keyed(CREATE, MANAGE),
    "GET /v1/requests/{request_id}/diagnosis": keyed(CREATE, MANAGE),
    "POST /v1/requests/{request_id}/reassign": keyed(MANAGE, body={"assigned_to_email": "b@example.com"}),
    "POST /v1/requests/{request_id}/resume-status": keyed(CREATE, body={"status": "resumed"}, decided=True),
    f"GET {DEPLOYMENT}/settings": keyed(MANAGE),
    f"PUT {DEPLOYMENT}/settings": keyed(MANAGE, body={}, headers={"If-Match": "*"}),
    f"GET {DEPLOYMENT}/routing-rules": keyed(MANAGE),
    f"PUT {DEPLOYMENT}/routing-rules": keyed(MANAGE, body={"rules": []}, headers={"If-Match": "*"}),
    f"POST {DEPLOYMENT}/routing-rules/dry-run": keyed(MANAGE, body={"method_name": "review", "state": {}}),
    f"GET {DEPLOYMENT}/members": keyed(MANAGE),
    f"GET {DEPLOYMENT}/members/{{email}}": keyed(MANAGE),
    f"PUT {DEPLOYMENT}/members/{{email}}": keyed(MANAGE, body={"permissions": [MANAGE.value]}),
    f"DELETE {DEPLOYMENT}/members/{{email}}": keyed(MANAGE),
    f"GET {DEPLOYMENT}/api-keys": keyed(MANAGE),
    f"POST {DEPLOYMENT}/api-keys": keyed(MANAGE, body={"name": "k", "permissions": [CREATE.value]}),
    f"GET {DEPLOYMENT}/api-keys/{{key_id}}": keyed(MANAGE),
    f"DELETE {DEPLOYMENT}/api-keys/{{key_id}}": keyed(MANAGE),
    f"POST {DEPLOYMENT}/test-request": keyed(MANAGE, body={"to": "tester@example.com"}),
    f"GET {DEPLOYMENT}/webhooks": keyed(MANAGE),
    f"POST {DEPLOYMENT}/webhooks": keyed(MANAGE, body=HOOK),
    f"PATCH {DEPLOYMENT}/webhooks/{{webhook_id}}": keyed(MANAGE, body={"active": False}),
    f"DELETE {DEPLOYMENT}/webhooks/{{webhook_id}}": keyed(MANAGE),
    f"POST {DEPLOYMENT}/webhooks/{{webhook_id}}/rotate-secret": keyed(MANAGE, body={}),
    f"POST {DEPLOYMENT}/webhooks/{{webhook_id}}/test": keyed(MANAGE),
    f"GET {DEPLOYMENT}/webhooks/{{webhook_id}}/deliveries": keyed(MANAGE),
    f"POST {DEPLOYMENT}/webhooks/{{webhook_id}}/deliveries/{{delivery_id}}/redeliver": keyed(MANAGE),
}
# The purpose of the token in each path: no API key is needed, and none helps.
SIGNED = {
    "POST /v1/callbacks/{token}": "callback",
    "GET /v1/contents/{token}": "content",
    "GET /review/{token}": "review",
    "HEAD /review/{token}": "review",
    "POST /review/{token}": "review",
}
# The API's description, in which nothing is anybody's: each route, and what it says to everybody.
OPEN = {"GET /v1/openapi.json": 200, "GET /docs": 200, "GET /docs/{name}": 404}


def test_the_tables_are_about_all_routes() -> None:
    assert sorted([*KEYED, *SIGNED, *OPEN]) == sorted(map(str, all_routes()))


@pytest.mark.parametrize("route", OPEN)
def test_the_description_is_the_same_for_everybody(hitl: Hitl, route: str) -> None:
    method, path = route.split(" ")
    answers = [hitl.api(method, path, key=key) for key in (None, "x", "own", issued(other_deployment(), frozenset()))]
    assert {answer.status for answer in answers} == {OPEN[route]}
    assert len({answer.text for answer in answers}) == 1


@dataclass(frozen=True)
class Place:
    """The fixture's deployment with something in it of every kind that a path can name."""

    hitl: Hitl
    names: Mapping[str, object]

    @classmethod
    def made_for(cls, hitl: Hitl, route: str) -> "Place":
        names: dict[str, object] = {"deployment_id": hitl.deployment_id}
        manage = current().manage_deployments
        if "{request_id}" in route:
            request = hitl.ask(emit=EMIT)
            names["request_id"] = request.id
            if KEYED[route].decided:
                callback(hitl, request)
        if "{email}" in route:
            names["email"] = MEMBER
            hitl.api("PUT", f"/v1/deployments/{hitl.deployment_id}/members/{MEMBER}", {})
        if "{key_id}" in route:
            key = manage.issue_key(hitl.deployment_id, name="k", permissions=frozenset())
            names["key_id"] = key.api_key.key_id
        if "{webhook_id}" in route:
            made = hook(hitl, NOBODY_LISTENS)
            names["webhook_id"] = made.id
            made.call("POST", "/test")
            names["delivery_id"] = made.deliveries[0]["id"]
        return cls(hitl, names)

    def call(self, route: str, key: str | None, **names: object) -> Answer:
        method, path = route.split(" ")
        asked = KEYED[route]
        filled = path.format(**{**self.names, **names})
        return self.hitl.api(method, filled, asked.body, key=key, headers=asked.headers)


def issued(deployment_id: int, permissions: frozenset[Permission]) -> str:
    return current().manage_deployments.issue_key(deployment_id, name="k", permissions=permissions).text


def other_deployment() -> int:
    manage = current().manage_deployments
    return manage.create(name="Other", creator_email="other@example.com", organization_id=1).deployment_id


@pytest.mark.parametrize("route", KEYED)
def test_a_key_opens_what_one_of_its_permissions_is_for(hitl: Hitl, route: str) -> None:
    place = Place.made_for(hitl, route)
    for permissions in SUBSETS:
        answer = place.call(route, issued(hitl.deployment_id, permissions))
        if permissions & KEYED[route].needs:
            assert 200 <= answer.status < 300, (sorted(permissions), answer.text)
            place = Place.made_for(hitl, route)
        else:
            assert answer.status == 403, (sorted(permissions), answer.text)


@pytest.mark.parametrize("route", KEYED)
def test_no_route_opens_to_what_is_no_key_of_ours(hitl: Hitl, route: str) -> None:
    place, manage = Place.made_for(hitl, route), current().manage_deployments
    everything = frozenset(Permission)
    revoked = manage.issue_key(hitl.deployment_id, name="k", permissions=everything)
    manage.revoke_key(hitl.deployment_id, revoked.api_key.key_id)
    soon = hitl.clock.now() + timedelta(seconds=1)
    expired = manage.issue_key(hitl.deployment_id, name="k", permissions=everything, expires_at=soon)
    hitl.advance(seconds=1)
    altered = hitl.api_key[:-1] + ("A" if hitl.api_key[-1] != "A" else "B")
    foreign_secret = issued(other_deployment(), everything).split("_", 2)[2]
    for key in (None, "", "x", altered, revoked.text, expired.text, f"hitl_{hitl.deployment_id}_{foreign_secret}"):
        assert place.call(route, key).status == 401, key


@pytest.mark.parametrize("route", KEYED)
def test_another_tenant_meets_nothing_of_ours(hitl: Hitl, route: str) -> None:
    place, theirs = Place.made_for(hitl, route), other_deployment()
    ours = hitl.ask().id
    for permissions in SUBSETS:
        answer = place.call(route, issued(theirs, permissions))
        if "{" in route:
            assert answer.status == 404, (sorted(permissions), answer.text)
        else:
            assert answer.status == (403 if not permissions & KEYED[route].needs else 201 if "POST" in route else 200)
            assert ours not in answer.text


# Whatever a path names below a deployment; only a member may be put where there is none.
OURS_WITHIN_THEIRS = [
    route
    for route in KEYED
    if route.count("{") > 1 and DEPLOYMENT in route and route != f"PUT {DEPLOYMENT}/members/{{email}}"
]


@pytest.mark.parametrize("route", OURS_WITHIN_THEIRS)
def test_a_name_of_ours_means_nothing_within_their_deployment(hitl: Hitl, route: str) -> None:
    place, theirs = Place.made_for(hitl, route), other_deployment()
    answer = place.call(route, issued(theirs, frozenset(Permission)), deployment_id=theirs)
    assert answer.status == 404, answer.text


@pytest.mark.parametrize("route", SIGNED)
def test_a_signed_link_opens_what_it_was_signed_for_and_nothing_else(hitl: Hitl, route: str) -> None:
    method, path = route.split(" ")
    for purpose, token in tokens(hitl).items():
        own = purpose == SIGNED[route]
        for presented, opens in ((token, own), (_altered(token), False), (token[: len(token) // 2], False)):
            answer = present(hitl, method, path.format(token=presented))
            assert (answer.status < 300) is opens, (purpose, answer.status, answer.text)
            assert opens or answer.status == 401, (purpose, answer.status, answer.text)


def tokens(hitl: Hitl) -> dict[str, str]:
    """Return one token of each purpose, each for a request of its own."""
    made = hook(hitl, NOBODY_LISTENS)
    name = WebhookName(hitl.deployment_id, made.id)
    until = hitl.clock.now() + timedelta(days=1)
    asked = hitl.ask()
    urls = {
        "callback": hitl.ask().callback_url,
        "content": current().answer_addresses.content_url(asked.id, name, until),
        "review": hitl.review_url(),
    }
    return {purpose: urlsplit(url).path.rpartition("/")[2] for purpose, url in urls.items()}


def present(hitl: Hitl, method: str, path: str) -> Answer:
    """Follow a signed link as its holder does; an API key that may do everything is shown too, and must not help."""
    if path.startswith("/review/"):
        authorization = {"authorization": f"Bearer {hitl.api_key}"}
        return hitl.page(method, path, {"comment": "fine"} if method == "POST" else None, **authorization)
    return hitl.api(method, path, {"feedback": "fine"} if method == "POST" else None)


def _altered(token: str) -> str:
    middle = len(token) // 2
    return token[:middle] + ("A" if token[middle] != "A" else "B") + token[middle + 1 :]
