"""A call that comes again with its `Idempotency-Key`, because its answer was lost, makes nothing a second time."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from flow_hitl.bootstrap import current
from flow_hitl.deployments.deployment import Permission
from infra.local.hitl_fixture import Answer, AskedRequest, Hitl, hitl_on_moto, made_once
from infra.openapi.document import description
from tests.support.asserts import (
    EMIT,
    NEW,
    api_key,
    assert_problem,
    callback,
    everything_written,
    key_of_another_deployment,
)
from tests.support.aws_calls import NO_DEATH, When, crashing, deaths, unsettled, watched
from tests.support.receiver import Receiver, receiving
from tests.support.webhooks import Hook, hook, webhooks_path

ANN, BOB = "ann@example.com", "bob@example.com"


@dataclass(frozen=True)
class Place:
    """A deployment with all that calls are about: a pending request, an answered one, and a webhook that was called."""

    hitl: Hitl
    app: Receiver
    hook: Hook
    pending: AskedRequest
    answered: AskedRequest
    delivery: str

    @property
    def deployment(self) -> str:
        return f"/v1/deployments/{self.hitl.deployment_id}"

    def post(self, path: str, body: Any, call: str | None = "k-1", **options: Any) -> Answer:
        """Make a call under an idempotency key, or without one."""
        headers = {"Idempotency-Key": call} if call is not None else {}
        return self.hitl.api("POST", path, body, headers=headers, **options)


def make_place(hitl: Hitl, app: Receiver) -> Place:
    made = hook(hitl, app.url)
    answered, pending = hitl.ask(emit=EMIT), hitl.ask(emit=EMIT, assigned_to_email=ANN, questions=True)
    assert (
        hitl.api("POST", f"{urlsplit(pending.callback_url).path}/questions", {"text": "Why?"}, key=None).status == 200
    )
    assert callback(hitl, answered).status == 200
    return Place(hitl, app, made, pending, answered, made.deliveries[0]["id"])


@pytest.fixture(scope="module")
def app() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def place_of(app: Receiver) -> Callable[[Hitl], Place]:
    return made_once(lambda hitl: make_place(hitl, app))


@pytest.fixture
def place(hitl: Hitl, app: Receiver, place_of: Callable[[Hitl], Place]) -> Place:
    return replace(place_of(hitl), app=app)


@dataclass(frozen=True)
class Operation:
    """A POST that makes or sends something: where, with what, and with what else; then how many of it there are."""

    path: Callable[[Place], str]
    body: Any
    other: Any
    count: Callable[[Place], int]


def events(kind: str) -> Callable[[Place], int]:
    """Return how to count the audit events of a kind, in whichever chain."""

    def number(place: Place) -> int:
        items = place.hitl._clients["dynamodb"].scan(TableName="audit")["Items"]
        return sum(item["kind"]["S"] == kind for item in items)

    return number


_IN_A_TRANSACTION = ["dynamodb.GetItem", "dynamodb.TransactWriteItems"]


def deliveries(place: Place) -> int:
    return len(place.hook.deliveries)


OPERATIONS = {
    "request": Operation(lambda _: "/v1/requests", NEW, {**NEW, "message": "Another?"}, events("request_created")),
    "reassign": Operation(
        lambda place: f"/v1/requests/{place.pending.id}/reassign",
        {"assigned_to_email": BOB},
        {"assigned_to_email": "eve@example.com"},
        events("request_reassigned"),
    ),
    "answers": Operation(
        lambda place: f"/v1/requests/{place.pending.id}/answers",
        {"text": "Because."},
        {"text": "Just so."},
        events("question_answered"),
    ),
    "resume-status": Operation(
        lambda place: f"/v1/requests/{place.answered.id}/resume-status",
        {"status": "resumed"},
        {"status": "resume_failed"},
        events("resume_reported"),
    ),
    "test-request": Operation(
        lambda place: f"{place.deployment}/test-request", {"to": BOB}, {"to": ANN}, events("request_created")
    ),
    "api-key": Operation(
        lambda place: f"{place.deployment}/api-keys",
        {"name": "flows", "permissions": ["create_requests"]},
        {"name": "flows", "permissions": ["manage_human_feedback"]},
        events("api_key_issued"),
    ),
    "webhook": Operation(
        lambda place: webhooks_path(place.hitl),
        {"name": "Jira", "url": "https://jira.example.com/"},
        {"name": "Jira", "url": "https://other.example.com/"},
        events("webhook_created"),
    ),
    "rotate-secret": Operation(
        lambda place: f"{webhooks_path(place.hitl)}/{place.hook.id}/rotate-secret",
        {},
        {"signs_from": "2026-01-15T12:00:00Z"},
        events("webhook_secret_rotated"),
    ),
    "test-webhook": Operation(
        lambda place: f"{webhooks_path(place.hitl)}/{place.hook.id}/test", None, {"other": 1}, deliveries
    ),
    "redeliver": Operation(
        lambda place: f"{webhooks_path(place.hitl)}/{place.hook.id}/deliveries/{place.delivery}/redeliver",
        None,
        {"other": 1},
        deliveries,
    ),
    "audit-export": Operation(
        lambda place: f"{place.deployment}/audit/export", {"format": "csv"}, {}, events("audit_exported")
    ),
}


def _is_known(path: str) -> bool:
    """Tell whether a path's second call changes nothing: whom a request is given to, and what was just answered."""
    return path.endswith(("/reassign", "/answers"))


EACH = pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)


def made_by(answer: Answer) -> Any:
    """Return what stays the same of an answer while the thing itself goes on: ids and secrets."""
    body = answer.json
    ids = {name: value["id"] for name, value in body.items() if isinstance(value, dict)}
    return {**ids, **{name: value for name, value in body.items() if isinstance(value, str)}}


@EACH
def test_the_same_call_again_makes_nothing_and_gets_the_same_answer(place: Place, operation: Operation) -> None:
    before = operation.count(place)
    first = place.post(operation.path(place), operation.body)
    assert 200 <= first.status < 300, first.text
    posts, mails = len(place.app.received), len(place.hitl.inbox)
    place.hitl.advance(minutes=1)
    again = place.post(operation.path(place), operation.body)
    assert 200 <= again.status < 300, again.text
    assert made_by(again) == made_by(first)
    assert operation.count(place) == before + 1
    assert (len(place.app.received), len(place.hitl.inbox)) == (posts, mails)


@pytest.mark.exhaustive(3)
@EACH
def test_another_body_under_the_same_key_is_refused(place: Place, operation: Operation) -> None:
    assert place.post(operation.path(place), operation.body).status < 300
    written = everything_written(place.hitl)
    assert_problem(place.post(operation.path(place), operation.other), 422, "idempotency-mismatch")
    assert everything_written(place.hitl) == written


@pytest.mark.exhaustive(3)
@EACH
def test_another_key_makes_another(place: Place, operation: Operation) -> None:
    before = operation.count(place)
    one = place.post(operation.path(place), operation.body, "k-1")
    place.post(operation.path(place), operation.body, "k-2")
    more = 1 if _is_known(operation.path(place)) else 2
    assert operation.count(place) == before + more
    assert made_by(place.post(operation.path(place), operation.body, "k-1")) == made_by(one)


@pytest.mark.exhaustive(3)
@EACH
def test_a_key_is_kept_for_seven_days(place: Place, operation: Operation) -> None:
    first = place.post(operation.path(place), operation.body)
    before = operation.count(place)
    place.hitl.advance(days=7, seconds=-1)
    again = place.post(operation.path(place), operation.body)
    assert (again.status < 300, operation.count(place)) == (True, before)
    assert made_by(again) == made_by(first)


@pytest.mark.exhaustive(3)
@EACH
def test_after_seven_days_a_key_stands_for_a_new_call(place: Place, operation: Operation) -> None:
    place.post(operation.path(place), operation.body)
    before = operation.count(place)
    place.hitl.advance(days=7, seconds=1)
    place.post(operation.path(place), operation.body)
    assert operation.count(place) == before + (0 if _is_known(operation.path(place)) else 1)


@pytest.mark.exhaustive(3)
@EACH
def test_the_order_and_spacing_of_a_body_do_not_matter(place: Place, operation: Operation) -> None:
    if not operation.body:
        pytest.skip("it has no fields")
    first = place.post(operation.path(place), operation.body)
    other_way = json.dumps(dict(reversed(operation.body.items())), indent=3)
    again = place.post(operation.path(place), None, raw=other_way)
    assert made_by(again) == made_by(first)


@pytest.mark.exhaustive(12, "operation", "key")
@EACH
@pytest.mark.parametrize("key", ["", "two words", "x" * 256, "schlüssel"])
def test_a_key_is_visible_ascii(place: Place, operation: Operation, key: str) -> None:
    assert_problem(place.post(operation.path(place), operation.body, key), 422, "validation")


def test_a_key_is_its_operations_own(place: Place) -> None:
    for operation in OPERATIONS.values():
        assert place.post(operation.path(place), operation.body).status < 300, operation


def test_a_key_is_its_deployments_own(place: Place) -> None:
    operation = OPERATIONS["request"]
    first = place.post(operation.path(place), operation.body)
    theirs = place.post(operation.path(place), operation.body, key=key_of_another_deployment())
    assert (first.status, theirs.status) == (201, 201)
    assert theirs.json["request"]["id"] != first.json["request"]["id"]


def test_whoever_may_not_do_it_does_not_see_the_answer_either(place: Place) -> None:
    only_flows = api_key(place.hitl, Permission.CREATE_REQUESTS)
    for name in ("reassign", "api-key", "webhook", "rotate-secret"):
        operation = OPERATIONS[name]
        assert place.post(operation.path(place), operation.body).status < 300
        headers = {"Idempotency-Key": "k-1"}
        refused = place.hitl.api("POST", operation.path(place), operation.body, key=only_flows, headers=headers)
        assert_problem(refused, 403, "forbidden")


def test_a_refused_call_may_be_put_right_under_the_same_key(place: Place) -> None:
    path = webhooks_path(place.hitl)
    assert place.post(path, {"name": "Jira", "url": "ftp://jira.example.com/"}).status == 422
    assert place.post(path, {"name": "Jira", "url": "https://jira.example.com/"}).status == 201


def test_no_secret_is_stored_in_plain_text(place: Place) -> None:
    secrets = [
        place.post(OPERATIONS["webhook"].path(place), OPERATIONS["webhook"].body).json["secret"],
        place.post(OPERATIONS["rotate-secret"].path(place), {}).json["secret"],
        place.post(OPERATIONS["api-key"].path(place), OPERATIONS["api-key"].body).json["key"],
    ]
    dynamodb = place.hitl._clients["dynamodb"]
    stored = json.dumps(
        [dynamodb.scan(TableName=table)["Items"] for table in ("requests", "audit", "deployments")], default=str
    )
    webhook, rotated, api_key = secrets
    for secret in (*secrets, webhook.removeprefix("whsec_"), rotated.removeprefix("whsec_"), api_key.split("_", 3)[3]):
        assert len(secret) >= 32
        assert secret not in stored


def test_a_new_signing_key_changes_no_answer(place: Place) -> None:
    first = place.post(OPERATIONS["api-key"].path(place), OPERATIONS["api-key"].body)
    current().manage_signing_keys.rotate()
    again = place.post(OPERATIONS["api-key"].path(place), OPERATIONS["api-key"].body)
    assert again.json["key"] == first.json["key"]


def test_the_key_that_was_issued_works_and_the_secret_signs(place: Place) -> None:
    place.post(OPERATIONS["api-key"].path(place), OPERATIONS["api-key"].body)
    key = place.post(OPERATIONS["api-key"].path(place), OPERATIONS["api-key"].body).json["key"]
    assert place.hitl.api("POST", "/v1/requests", NEW, key=key).status == 201


def test_a_reassignment_that_came_before_another_is_not_done_again(place: Place) -> None:
    path = OPERATIONS["reassign"].path(place)
    place.post(path, {"assigned_to_email": BOB}, "k-1")
    place.post(path, {"assigned_to_email": "eve@example.com"}, "k-2")
    again = place.post(path, {"assigned_to_email": BOB}, "k-1")
    assert again.json["request"]["assigned_to_email"] == "eve@example.com"


def test_nor_is_one_that_found_nothing_to_do(place: Place) -> None:
    path = OPERATIONS["reassign"].path(place)
    place.post(path, {"assigned_to_email": ANN}, "k-1")
    place.post(path, {"assigned_to_email": BOB}, "k-2")
    again = place.post(path, {"assigned_to_email": ANN}, "k-1")
    assert again.json["request"]["assigned_to_email"] == BOB


def test_the_answer_is_found_also_when_the_call_would_be_refused_by_now(place: Place) -> None:
    path = OPERATIONS["reassign"].path(place)
    place.post(path, {"assigned_to_email": BOB})
    assert callback(place.hitl, place.pending).status == 200
    again = place.post(path, {"assigned_to_email": BOB})
    assert (again.status, again.json["request"]["status"]) == (200, "responded")


def test_a_request_is_found_again_whatever_was_configured_since(hitl: Hitl) -> None:
    body = {**NEW, "assigned_to_email": ANN}
    headers = {"Idempotency-Key": "k-1"}
    first = hitl.api("POST", "/v1/requests", body, headers=headers)
    hitl.configure(settings={"allowed_assignee_domains": ["example.org"]})
    again = hitl.api("POST", "/v1/requests", body, headers=headers)
    assert (again.status, again.json["request"]["id"]) == (200, first.json["request"]["id"])
    assert_problem(hitl.api("POST", "/v1/requests", body), 422, "validation")


def test_two_at_once_make_one(place: Place) -> None:
    """The second call comes when the first has looked for the key, and has not yet written."""
    for name, operation in OPERATIONS.items():
        before, answers = operation.count(place), list[Answer]()

        def meanwhile(call: Any, when: str, op: Operation = operation, made: list[Answer] = answers) -> None:
            writes = call.operation in ("dynamodb.TransactWriteItems", "dynamodb.PutItem")
            if when == "before" and writes and not made and call.run == 1:
                made.append(place.post(op.path(place), op.body, "both"))

        with unsettled(place.hitl), watched(place.hitl, meanwhile):
            first = place.post(operation.path(place), operation.body, "both")
        place.hitl.advance(seconds=1)
        assert answers, name
        assert (first.status < 300, answers[0].status < 300) == (True, True), (name, first.text, answers[0].text)
        assert made_by(first) == made_by(answers[0]), name
        assert operation.count(place) == before + 1, name


@pytest.mark.exhaustive(3, "operation")
@EACH
@pytest.mark.parametrize("when", ["before", "after"])
def test_whoever_dies_in_between_the_call_is_made_again_and_makes_one(operation: Operation, when: When) -> None:
    with hitl_on_moto() as hitl, receiving() as app:
        place = make_place(hitl, app)
        as_it_was, before = hitl.checkpoint(), operation.count(place)
        with unsettled(hitl):
            numbers = deaths(hitl, when, lambda: place.post(operation.path(place), operation.body))
        for number in numbers:
            as_it_was()
            app.received = []
            with unsettled(hitl), crashing(hitl, number, when) as calls:
                place.post(operation.path(place), operation.body)
            again = place.post(operation.path(place), operation.body)
            where = f"died {when} {calls.died_at}"
            assert again.status < 300, where
            hitl.advance(minutes=10)
            assert operation.count(place) == before + 1, where
            if operation.count is deliveries:
                assert place.hook.deliveries[0]["status"] == "delivered", where
                assert len(app.received) == 1, where
            if "export" in again.json:
                shown = hitl.api("GET", f"{place.deployment}/audit/export/{again.json['export']['id']}")
                assert shown.json["export"]["state"] == "done", where
            assert (calls.died_at is None) == (number == NO_DEATH)


def test_without_a_key_no_call_costs_more(place: Place) -> None:
    """What a key adds to a call: a look for it, and KMS where there is a secret to keep."""
    expected = {"request": [], "test-request": [], "test-webhook": _IN_A_TRANSACTION, "redeliver": _IN_A_TRANSACTION}
    for name, operation in OPERATIONS.items():
        asked = {**operation.body, "assigned_to_email": "eve@example.com"} if name == "reassign" else operation.body
        with unsettled(place.hitl), watched(place.hitl) as plain:
            place.post(operation.path(place), operation.body, None)
        with unsettled(place.hitl), watched(place.hitl) as keyed:
            place.post(operation.path(place), asked)
        secret = ["kms.Encrypt"] if name in ("api-key", "webhook", "rotate-secret") else []
        more, less = Counter(keyed.operations), Counter(plain.operations)
        assert sorted((more - less).elements()) == sorted(expected.get(name, ["dynamodb.GetItem", *secret])), name
        place.hitl.advance(seconds=1)


def test_every_post_that_makes_something_says_so_in_its_description() -> None:
    """A callback is answered, and asked, once by itself; a dry run makes nothing, and a page is for browsers."""
    without = {
        path
        for path, methods in description()["paths"].items()
        if "post" in methods
        and "Idempotency-Key" not in {parameter["name"] for parameter in methods["post"].get("parameters", [])}
    }
    assert without == {
        "/v1/callbacks/{token}",
        "/v1/callbacks/{token}/questions",
        "/v1/deployments/{deployment_id}/routing-rules/dry-run",
        "/review/{token}",
    }


def test_a_key_outlives_its_moment_in_the_table_by_nothing(place: Place) -> None:
    place.post(OPERATIONS["webhook"].path(place), OPERATIONS["webhook"].body)
    items = place.hitl._clients["dynamodb"].scan(TableName="requests")["Items"]
    (record,) = [item for item in items if item["pk"]["S"].startswith("idempotency#")]
    assert int(record["ttl"]["N"]) == int((place.hitl.clock.now() + timedelta(days=7)).timestamp())
