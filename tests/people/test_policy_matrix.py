"""Every route × every role × every tenant: who gets in, who is told to stay out, and who is told nothing.

The routes are those that the resolvers declare; a route that is missing in the tables below fails the first test.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import combinations
from typing import Any
from urllib.parse import urlsplit

import pytest

from flow_hitl.bootstrap import current
from flow_hitl.deployments.deployment import Member, Permission
from flow_hitl.requests.deciding.web_tokens import WebhookName
from infra.local.hitl_fixture import Answer, AskedRequest, Browser, Hitl
from infra.routes import all_routes
from tests.support.asserts import EMIT, NEW, callback
from tests.support.slices import WHOLE
from tests.support.webhooks import hook

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
    asked_back: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)


def keyed(*needs: Permission, **options: Any) -> Keyed:
    return Keyed(frozenset(needs), **options)


IMAGE = {
    "name": "dot.gif",
    "media_type": "image/gif",
    "content": "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7",
}
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
    "POST /v1/requests/{request_id}/answers": keyed(CREATE, body={"text": "It is."}, asked_back=True),
    f"GET {DEPLOYMENT}/settings": keyed(MANAGE),
    f"PUT {DEPLOYMENT}/settings": keyed(MANAGE, body={}, headers={"If-Match": "*"}),
    f"GET {DEPLOYMENT}/routing-rules": keyed(MANAGE),
    f"PUT {DEPLOYMENT}/routing-rules": keyed(MANAGE, body={"rules": []}, headers={"If-Match": "*"}),
    f"POST {DEPLOYMENT}/routing-rules/dry-run": keyed(MANAGE, body={"method_name": "review", "state": {}}),
    f"POST {DEPLOYMENT}/rotate-resume-secret": keyed(MANAGE, body={}),
    f"GET {DEPLOYMENT}/members": keyed(MANAGE),
    f"GET {DEPLOYMENT}/members/{{email}}": keyed(MANAGE),
    f"PUT {DEPLOYMENT}/members/{{email}}": keyed(MANAGE, body={"permissions": [MANAGE.value]}),
    f"DELETE {DEPLOYMENT}/members/{{email}}": keyed(MANAGE),
    f"GET {DEPLOYMENT}/api-keys": keyed(MANAGE),
    f"POST {DEPLOYMENT}/api-keys": keyed(MANAGE, body={"name": "k", "permissions": [CREATE.value]}),
    f"GET {DEPLOYMENT}/api-keys/{{key_id}}": keyed(MANAGE),
    f"DELETE {DEPLOYMENT}/api-keys/{{key_id}}": keyed(MANAGE),
    f"POST {DEPLOYMENT}/test-request": keyed(MANAGE, body={"to": "tester@example.com"}),
    f"GET {DEPLOYMENT}/analytics": keyed(MANAGE),
    f"GET {DEPLOYMENT}/audit": keyed(MANAGE),
    f"GET {DEPLOYMENT}/audit/verify": keyed(MANAGE),
    f"POST {DEPLOYMENT}/audit/export": keyed(MANAGE, body={}),
    f"GET {DEPLOYMENT}/audit/export/{{export_id}}": keyed(MANAGE),
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
    "POST /v1/callbacks/{token}/questions": "callback",
    "GET /v1/contents/{token}": "content",
    "GET /v1/attachments/{token}": "attachment",
    "GET /review/{token}": "review",
    "HEAD /review/{token}": "review",
    "POST /review/{token}": "review",
    "GET /review/{token}/news": "review",
}


@dataclass(frozen=True)
class SignedIn:
    """A page for signed-in people: which of a deployment's roles it opens to, and the form that it takes.

    The roles: `manager` and `asked`, who is asked in the request of the path, and `other`, who is asked in none.
    To those who may not manage, a request that they are not asked does not exist.
    """

    roles: frozenset[str]
    form: Mapping[str, str] = field(default_factory=dict)


def signed_in(*roles: str, **form: str) -> SignedIn:
    return SignedIn(frozenset(roles), form)


REQUEST = "/d/{deployment_id}/requests/{request_id}"
SETTINGS = (
    "/answers",
    "/email",
    "/sla",
    "/auto-response",
    "/retention",
    "/rules",
    "/rules/{rule}",
    "/webhooks",
    "/webhooks/{webhook_id}",
    "/members",
    "/api-keys",
    "/groups/{group}",
    "/checks",
)
# Something for each of their forms, but for the state of things that it was made from.
FILLED = {
    "name": "New",
    "email": "new@example.com",
    "method_name": "review",
    "url": NOBODY_LISTENS,
    "new_request": "on",
    "create_requests": "on",
    "to": "new@example.com",
}
PAGES: dict[str, SignedIn] = {
    "GET /d/{deployment_id}/requests": signed_in("manager", "asked", "other"),
    "GET /d/{deployment_id}/news": signed_in("manager", "asked", "other"),
    "GET /d/{deployment_id}/answers": signed_in("manager", "asked", "other"),
    # Of each request that is named, it says what the door says: nobody answers what they are not asked.
    "POST /d/{deployment_id}/answers": signed_in("manager", "asked", "other"),
    "GET /d/{deployment_id}/analytics": signed_in("manager"),
    "GET /d/{deployment_id}/audit": signed_in("manager"),
    "GET /d/{deployment_id}/audit/verify": signed_in("manager"),
    "GET /d/{deployment_id}/audit/export": signed_in("manager"),
    "POST /d/{deployment_id}/audit/export": signed_in("manager"),
    f"GET {REQUEST}": signed_in("manager", "asked"),
    f"GET {REQUEST}/news": signed_in("manager", "asked"),
    f"POST {REQUEST}": signed_in("asked", outcome="approved"),
    f"GET {REQUEST}/pass-on": signed_in("manager", "asked"),
    f"POST {REQUEST}/pass-on": signed_in("asked", delegate_to="new@example.com"),
    f"GET {REQUEST}/diagnosis": signed_in("manager"),
    f"GET {REQUEST}/manage": signed_in("manager"),
    f"POST {REQUEST}/manage": signed_in("manager", do="cancel", sure="yes"),
    **{
        f"{method} /d/{{deployment_id}}/settings{place}": signed_in("manager", **FILLED)
        for method, places in (
            ("GET", ("", "/groups", "/advanced")),
            ("GET", SETTINGS),
            ("POST", SETTINGS),
        )
        for place in places
    },
}
# The API's description, in which nothing is anybody's: each route, and what it says to everybody.
DESCRIPTION = {
    "GET /v1/openapi.json": 200,
    "GET /v1/keys": 200,
    "GET /docs": 200,
    "GET /docs/{name}": 404,
    "GET /docs/guide": 200,
    "GET /docs/guide/{name}": 404,
}
# For everybody: nothing of a deployment is shown or done here, but for what somebody proves in signing in.
OPEN = {
    "GET /",
    "GET /d",
    "GET /sign-in",
    "POST /sign-in",
    "GET /sign-in/code",
    "POST /sign-in/code",
    "GET /sign-in/link/{token}",
    "HEAD /sign-in/link/{token}",
    "POST /sign-in/link/{token}",
    "POST /sign-out",
    "GET /help",
    "GET /assets/{file_name}",
}
PEOPLE = {"manager": "manager@example.com", "asked": "asked@example.com", "other": "other@example.com"}


def test_the_tables_are_about_all_routes() -> None:
    assert sorted([*KEYED, *SIGNED, *PAGES, *OPEN, *DESCRIPTION]) == sorted(map(str, all_routes()))


@pytest.mark.parametrize("route", DESCRIPTION)
def test_the_description_is_the_same_for_everybody(hitl: Hitl, route: str) -> None:
    method, path = route.split(" ")
    answers = [hitl.api(method, path, key=key) for key in (None, "x", "own", issued(other_deployment(), frozenset()))]
    assert {answer.status for answer in answers} == {DESCRIPTION[route]}
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
            request = hitl.ask(emit=EMIT, questions=KEYED[route].asked_back)
            names["request_id"] = request.id
            if KEYED[route].asked_back:
                hitl.api("POST", f"{urlsplit(request.callback_url).path}/questions", {"text": "Is it?"}, key=None)
            if KEYED[route].decided:
                callback(hitl, request)
        if "{email}" in route:
            names["email"] = MEMBER
            hitl.api("PUT", f"/v1/deployments/{hitl.deployment_id}/members/{MEMBER}", {})
        if "{key_id}" in route:
            key = manage.issue_key(hitl.deployment_id, name="k", permissions=frozenset())
            names["key_id"] = key.api_key.key_id
        if "{export_id}" in route:
            asked_for = hitl.api("POST", f"/v1/deployments/{hitl.deployment_id}/audit/export", {})
            names["export_id"] = asked_for.json["export"]["id"]
        if "{webhook_id}" in route:
            made = hook(hitl, NOBODY_LISTENS)
            names["webhook_id"] = made.id
            made.call("POST", "/test")
            names["delivery_id"] = made.deliveries[0]["id"]
        if "{export_id}" in route:
            export = hitl.api("POST", f"/v1/deployments/{hitl.deployment_id}/audit/export", {})
            names["export_id"] = export.json["export"]["id"]
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


@pytest.mark.exhaustive
@pytest.mark.parametrize("route", KEYED)
def test_a_key_opens_what_one_of_its_permissions_is_for(hitl: Hitl, route: str) -> None:
    place = Place.made_for(hitl, route)
    unused = hitl.checkpoint()
    needs = KEYED[route].needs
    telling = [frozenset[Permission](), frozenset(Permission) - needs, *(frozenset({one}) for one in sorted(needs))]
    for permissions in SUBSETS if WHOLE else telling:
        answer = place.call(route, issued(hitl.deployment_id, permissions))
        if permissions & KEYED[route].needs:
            assert 200 <= answer.status < 300, (sorted(permissions), answer.text)
            unused()
        else:
            assert answer.status == 403, (sorted(permissions), answer.text)


@pytest.mark.parametrize("permissions", [[RESPOND], [CREATE, RESPOND], [MANAGE, RESPOND], list(Permission)])
def test_no_key_is_issued_that_could_not_do_what_it_says(hitl: Hitl, permissions: list[Permission]) -> None:
    """A key proves no person, so to respond by one would be to respond as nobody."""
    path = DEPLOYMENT.format(deployment_id=hitl.deployment_id) + "/api-keys"
    wish = {"name": "k", "permissions": [one.value for one in permissions]}
    problem = hitl.api("POST", path, wish).json
    (error,) = problem["errors"]
    assert error["field"] == f"/permissions/{permissions.index(RESPOND)}"
    for named in ("create_requests, manage_human_feedback", "only the people who are asked respond", "callback_url"):
        assert named in error["message"]


def test_a_key_from_before_that_may_respond_is_shown_and_revoked_as_ever(hitl: Hitl) -> None:
    old = current().manage_deployments.issue_key(hitl.deployment_id, name="old", permissions=frozenset({RESPOND}))
    path = DEPLOYMENT.format(deployment_id=hitl.deployment_id) + f"/api-keys/{old.api_key.key_id}"
    assert hitl.api("GET", path).json["api_key"]["permissions"] == [RESPOND.value]
    assert hitl.api("DELETE", path).status == 204


@dataclass(frozen=True)
class Answering:
    """A way to answer one request: it decides, or is refused with this status."""

    answer: Callable[[Hitl, AskedRequest], object]
    decides: bool


ASKER = "asker@example.com"
BOSS = "boss@example.com"
# Every way in which a request is answered or moved, where the asker may not decide: boss@example.com is asked.
WAYS: dict[str, Answering] = {
    "callback, nobody named": Answering(lambda hitl, request: callback(hitl, request), False),
    "callback, somebody else named": Answering(lambda hitl, request: callback(hitl, request, responder=BOSS), False),
    "callback, the asker named": Answering(lambda hitl, request: callback(hitl, request, responder=ASKER), False),
    "callback, a display name": Answering(lambda hitl, one: callback(hitl, one, responder=f"A <{ASKER}>"), False),
    "mail of who is asked": Answering(lambda hitl, _: hitl.reply("approved"), True),
    "mail of the asker": Answering(lambda hitl, _: hitl.reply("approved", sender=ASKER), False),
    "review link": Answering(lambda hitl, _: hitl.page("POST", hitl.review_url(), {"outcome": "approved"}), True),
    "session of who is asked": Answering(lambda hitl, request: by_session(hitl, request, BOSS), True),
    "session of the asker, who manages": Answering(lambda hitl, request: by_session(hitl, request, ASKER), False),
    "auto-response": Answering(lambda hitl, _: hitl.advance(minutes=60), True),
    "delegation to the asker": Answering(lambda hitl, _: hitl.reply(f"delegate: {ASKER}"), False),
    "delegation to another spelling": Answering(lambda hitl, _: hitl.reply("delegate: asker+2@example.com"), False),
    "reassignment to the asker by API": Answering(lambda hitl, request: reassign(hitl, request, ASKER), False),
    "reassignment to their alias": Answering(lambda hitl, request: reassign(hitl, request, "ask@home.example"), False),
    "reassignment to their group": Answering(lambda hitl, request: reassign(hitl, request, "group:askers"), False),
}


def by_session(hitl: Hitl, request: AskedRequest, who: str) -> Answer:
    browser = hitl.signed_in(who)
    path = f"/d/{hitl.deployment_id}/requests/{request.id}"
    browser.get(path)
    return browser.post(path, {"outcome": "approved", "comment": ""})


def reassign(hitl: Hitl, request: AskedRequest, to: str) -> None:
    answer = hitl.api("POST", f"/v1/requests/{request.id}/reassign", {"assigned_to_email": to})
    assert answer.status == 422, answer.text


@pytest.mark.parametrize("way", WAYS)
def test_where_the_asker_may_not_decide_only_who_is_proven_to_be_another_does(hitl: Hitl, way: str) -> None:
    manage = current().manage_deployments
    manage.set_member(hitl.deployment_id, Member(ASKER, frozenset({MANAGE, RESPOND}), ("ask@home.example",)))
    manage.set_member(hitl.deployment_id, Member(BOSS, frozenset({RESPOND})))
    groups = [{"name": "askers", "members": [ASKER, "ask@home.example"]}]
    hitl.configure(settings={"forbid_self_approval": True, "allow_delegation": True, "groups": groups})
    auto = {"timeout_minutes": 60, "default_outcome": "approved"}
    asked: dict[str, Any] = {"metadata": {"requested_by": ASKER}, "assigned_to_email": BOSS, "auto_response": auto}
    request = hitl.ask(emit=EMIT, **asked)
    WAYS[way].answer(hitl, request)
    assert (request.status == "responded") is WAYS[way].decides
    assert request.now()["assigned_to_email"] == BOSS


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
        "callback": hitl.ask(questions=True).callback_url,
        "content": current().answer_addresses.content_url(asked.id, name, until),
        "review": hitl.review_url(),
        "attachment": hitl.ask(attachments=[IMAGE]).now()["attachments"][0]["url"],
    }
    return {purpose: urlsplit(url).path.rpartition("/")[2] for purpose, url in urls.items()}


def present(hitl: Hitl, method: str, path: str) -> Answer:
    """Follow a signed link as its holder does; an API key that may do everything is shown too, and must not help."""
    if path.startswith("/review/"):
        authorization = {"authorization": f"Bearer {hitl.api_key}"}
        return hitl.page(method, path, {"comment": "fine"} if method == "POST" else None, **authorization)
    body = {"text": "Is it?"} if path.endswith("/questions") else {"feedback": "fine"}
    return hitl.api(method, path, body if method == "POST" else None)


def _altered(token: str) -> str:
    middle = len(token) // 2
    return token[:middle] + ("A" if token[middle] != "A" else "B") + token[middle + 1 :]


def test_every_page_opens_to_its_roles_and_to_nobody_else(hitl: Hitl) -> None:
    browsers, place = signed_in_people(hitl), PagePlace.made(hitl)
    for route, asked in PAGES.items():
        for role, browser in browsers.items():
            answer = place.visit(browser, route)
            if role in asked.roles:
                # 409: they may, and the form was not made from what is there.
                assert answer.status in (200, 303, 409), (route, role, answer.status, answer.text)
            else:
                # Who may see a request knows that it is there, and everybody here that the deployment is.
                is_there = role != "other" or "{request_id}" not in route
                assert answer.status == (403 if is_there else 404), (route, role, answer.status)


def test_no_page_opens_to_who_is_not_signed_in(hitl: Hitl) -> None:
    place = PagePlace.made(hitl)
    for route in PAGES:
        answer = place.visit(hitl.browser(), route)
        if route.startswith("GET "):
            assert (answer.status, answer.headers["Location"][:14]) == (303, "/sign-in?next="), route
        else:
            assert answer.status == 401, route


def test_another_tenants_manager_meets_none_of_our_pages(hitl: Hitl) -> None:
    theirs = other_deployment()
    stranger = hitl.signed_in("other@example.com")
    assert stranger.get(f"/d/{theirs}/requests").status == 200
    place = PagePlace.made(hitl)
    for route in PAGES:
        assert place.visit(stranger, route).status == 404, route
        if "{request_id}" in route:
            assert place.visit(stranger, route, deployment_id=theirs).status == 404, route


def signed_in_people(hitl: Hitl) -> dict[str, Browser]:
    manage = current().manage_deployments
    hitl.configure(settings={"allow_delegation": True})
    for role, email in PEOPLE.items():
        permission = Permission.MANAGE if role == "manager" else Permission.RESPOND
        manage.set_member(hitl.deployment_id, Member(email, frozenset({permission})))
    browsers = {role: hitl.signed_in(email) for role, email in PEOPLE.items()}
    for browser in browsers.values():
        browser.get(f"/d/{hitl.deployment_id}/requests")
    return browsers


@dataclass(frozen=True)
class PagePlace:
    """The fixture's deployment with what a page's path can name in it; what a form changes is put back."""

    names: Mapping[str, object]
    as_it_was: Callable[[], None]

    @classmethod
    def made(cls, hitl: Hitl) -> "PagePlace":
        names = {
            "deployment_id": hitl.deployment_id,
            "request_id": hitl.ask(emit=EMIT, assigned_to_email=PEOPLE["asked"]).id,
            "webhook_id": hook(hitl, NOBODY_LISTENS).id,
            "rule": "new",
            "group": "new",
        }
        return cls(names, hitl.checkpoint())

    def visit(self, browser: Browser, route: str, **names: object) -> Answer:
        method, path = route.split(" ")
        filled = path.format(**{**self.names, **names})
        if method == "GET":
            return browser.get(filled)
        answer = browser.post(filled, PAGES[route].form)
        self.as_it_was()
        return answer
