"""The management API of webhooks: made, changed, given new secrets, deleted; by whom, and what of it is kept where."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from flow_hitl import bootstrap
from flow_hitl.audit.audit_log import data_text
from flow_hitl.bootstrap import Application, current
from flow_hitl.deployments.deployment import Permission
from flow_hitl.platform.dynamodb import values
from infra.local.hitl_fixture import Hitl
from tests.support.asserts import api_key, assert_invalid, assert_problem, key_of_another_deployment
from tests.support.aws_calls import new_process, watched
from tests.support.receiver import Receiver, receiving
from tests.support.webhooks import ALL_EVENTS, hook, spec_verifies, told, webhooks_path

URL = "https://jira.example.com/hitl?key=k-1234"


@pytest.fixture
def app() -> Iterator[Receiver]:
    """The HTTP server of another application."""
    with receiving() as receiver:
        yield receiver


def listed(hitl: Hitl) -> list[dict[str, Any]]:
    webhooks: list[dict[str, Any]] = hitl.api("GET", webhooks_path(hitl)).json["webhooks"]
    return webhooks


def stored(hitl: Hitl, table: str) -> str:
    """Return all that a table holds, as text."""
    return json.dumps(hitl._clients["dynamodb"].scan(TableName=table)["Items"], default=str)


def config_events(hitl: Hitl) -> list[dict[str, Any]]:
    """Return the events about webhooks in the deployment's chain: kind, actor and data of each."""
    items = map(values, hitl._clients["dynamodb"].scan(TableName="audit")["Items"])
    own = [one for one in items if one["subject"] == f"deployment#{hitl.deployment_id}"]
    own.sort(key=lambda one: int(one["seq"]))
    return [
        {"kind": one["kind"], "actor": one["actor"], **json.loads(data_text(one["data"]))}
        for one in own
        if one["kind"].startswith("webhook_")
    ]


def test_a_webhook_is_made_with_a_secret_that_is_shown_this_once(hitl: Hitl) -> None:
    answer = hitl.api("POST", webhooks_path(hitl), {"name": "Jira", "url": URL})
    assert answer.status == 201
    assert set(answer.json) == {"webhook", "secret"}
    webhook, secret = answer.json["webhook"], answer.json["secret"]
    assert {name: webhook[name] for name in ("name", "url", "events", "active")} == {
        "name": "Jira",
        "url": URL,
        "events": ["new_request"],
        "active": True,
    }
    assert secret.startswith("whsec_")
    assert len(secret) >= len("whsec_") + 43, "256 bits"
    shown = hitl.api("GET", webhooks_path(hitl))
    assert shown.json == {"webhooks": [webhook]}
    assert secret not in shown.text
    assert "secret" not in webhook


def test_each_webhook_has_an_id_and_a_secret_of_its_own(hitl: Hitl) -> None:
    made = [hook(hitl, URL) for _ in range(3)]
    assert len({one.id for one in made}) == len({one.secret for one in made}) == 3
    assert [one["id"] for one in listed(hitl)] == [one.id for one in made]


WRONG: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    ({}, ("/name", "/url")),
    ({"name": " ", "url": URL}, ("/name",)),
    ({"name": "x", "url": "jira"}, ("/url",)),
    ({"name": "x", "url": "ftp://jira.example.com/"}, ("/url",)),
    ({"name": "x", "url": "https://user:pw@jira.example.com/"}, ("/url",)),
    ({"name": "x", "url": "https://10.0.0.1/"}, ("/url",)),
    ({"name": "x", "url": "https://169.254.169.254/latest/meta-data"}, ("/url",)),
    ({"name": "x", "url": "https://jira.example.com/" + "x" * 2048}, ("/url",)),
    ({"name": "x", "url": URL, "events": []}, ("/events",)),
    ({"name": "x", "url": URL, "events": ["new_request", "new_request"]}, ("/events/1",)),
    ({"name": "x", "url": URL, "events": ["everything"]}, ("/events/0",)),
    ({"name": "x", "url": URL, "events": ["test"]}, ("/events/0",)),
    ({"name": "x", "url": URL, "active": "yes"}, ("/active",)),
    ({"name": "x", "url": URL, "secret": "whsec_mine"}, ("/secret",)),
]


def test_a_wrong_webhook_is_refused_by_its_fields(hitl: Hitl, subtests: pytest.Subtests) -> None:
    made = hook(hitl, URL)
    before = listed(hitl)
    for body, fields in WRONG:
        with subtests.test(str(body)[:80]):
            assert_invalid(hitl.api("POST", webhooks_path(hitl), body), *fields)
            if body:
                assert_invalid(made.call("PATCH", body=body), *fields)
    assert_problem(hitl.api("POST", webhooks_path(hitl), raw="name=x"), 400, "malformed-json")
    assert listed(hitl) == before


def test_in_production_a_url_is_https_on_443(hitl: Hitl) -> None:
    old = current()
    settings = replace(old.settings, allow_insecure_urls="false")
    bootstrap.use(Application(settings, old.clock, old.ids, old.jitter))
    for url in ("http://jira.example.com/", "https://jira.example.com:8443/", "https://127.0.0.1/", "https://[::1]/"):
        assert_invalid(hitl.api("POST", webhooks_path(hitl), {"name": "x", "url": url}), "/url")
    assert hook(hitl, "https://jira.example.com:443/").id


def test_there_are_50_webhooks_at_most(hitl: Hitl) -> None:
    for _ in range(50):
        hook(hitl, URL)
    assert_invalid(hitl.api("POST", webhooks_path(hitl), {"name": "x", "url": URL}), "")


def test_a_patch_changes_what_it_names(hitl: Hitl, app: Receiver) -> None:
    made = hook(hitl, URL)
    (before,) = listed(hitl)
    answer = made.call("PATCH", body={"url": app.url})
    assert (answer.status, answer.json["webhook"]) == (200, {**before, "url": app.url})
    answer = made.call("PATCH", body={"name": "ServiceNow", "events": ALL_EVENTS[::-1], "active": False})
    after = {**before, "url": app.url, "name": "ServiceNow", "events": ALL_EVENTS, "active": False}
    assert answer.json["webhook"] == after
    assert listed(hitl) == [after]
    assert made.call("PATCH", body={}).json["webhook"] == after
    made.call("PATCH", body={"active": True})
    hitl.ask()
    assert spec_verifies(made.secret, app.received[0]), "the secret stays"
    for name in ("name", "url", "events", "active"):
        assert_invalid(made.call("PATCH", body={name: None}), f"/{name}")


def test_a_change_counts_from_the_next_request(hitl: Hitl, app: Receiver) -> None:
    made = hook(hitl, app.url)
    hitl.ask()
    made.call("PATCH", body={"active": False})
    hitl.ask()
    made.call("PATCH", body={"active": True})
    hitl.ask()
    made.call("PATCH", body={"events": ["request_cancelled"]})
    hitl.ask()
    made.call("DELETE")
    hitl.ask()
    assert [told(post)["event"] for post in app.received] == ["new_request"] * 2


def test_a_deleted_webhook_is_gone_with_its_log(hitl: Hitl, app: Receiver) -> None:
    made = hook(hitl, app.url)
    hitl.ask()
    (delivery,) = made.deliveries
    answer = made.call("DELETE")
    assert (answer.status, answer.text) == (204, "")
    assert listed(hitl) == []
    for method, path, body in routes_below(delivery["id"]):
        assert_problem(made.call(method, path, body), 404, "not-found")


def routes_below(delivery_id: str = "dlv_x") -> list[tuple[str, str, Any]]:
    """Return the routes below one webhook: method, path, and a body that would be right."""
    return [
        ("PATCH", "", {"active": True}),
        ("DELETE", "", None),
        ("POST", "/rotate-secret", None),
        ("POST", "/test", None),
        ("GET", "/deliveries", None),
        ("POST", f"/deliveries/{delivery_id}/redeliver", None),
    ]


def test_an_unknown_delivery_is_not_found(hitl: Hitl, app: Receiver) -> None:
    made, other = hook(hitl, app.url), hook(hitl, app.url)
    hitl.ask()
    (delivery,) = made.deliveries
    for unknown in ("dlv_x", delivery["id"][:-1]):
        assert_problem(made.call("POST", f"/deliveries/{unknown}/redeliver"), 404, "not-found")
    assert_problem(other.call("POST", f"/deliveries/{delivery['id']}/redeliver"), 404, "not-found")


def test_a_name_that_cannot_be_one_of_ours_is_not_looked_up(hitl: Hitl) -> None:
    made = hook(hitl, URL)
    path = webhooks_path(hitl)
    for name in ("x" * 2000, f"{made.id}0", made.id.upper()):
        with watched(hitl) as calls:
            assert_problem(hitl.api("DELETE", f"{path}/{name}"), 404, "not-found")
            assert_problem(hitl.api("GET", f"{path}/{name}/deliveries"), 404, "not-found")
            assert_problem(made.call("POST", f"/deliveries/{name}/redeliver"), 404, "not-found")
        # Of the deployment that would be changed, and of the one webhook that there is.
        assert calls.operations.count("dynamodb.GetItem") == 2, calls.operations


def test_webhooks_are_for_managers_of_this_deployment(hitl: Hitl, subtests: pytest.Subtests) -> None:
    made = hook(hitl, URL)
    callers = [
        (None, 401, "unauthorized"),
        ("hitl_1_x_nothing-of-the-kind-here", 401, "unauthorized"),
        (api_key(hitl, Permission.CREATE_REQUESTS, Permission.RESPOND), 403, "forbidden"),
        (key_of_another_deployment(), 404, "not-found"),
    ]
    before = stored(hitl, "deployments")
    for key, status, slug in callers:
        for method, path, body in routes_below():
            with subtests.test(f"{method} {path} {status}"):
                assert_problem(made.call(method, path, body, key=key), status, slug)
        with subtests.test(f"list and create {status}"):
            assert_problem(hitl.api("GET", webhooks_path(hitl), key=key), status, slug)
            assert_problem(hitl.api("POST", webhooks_path(hitl), {"name": "x", "url": URL}, key=key), status, slug)
    assert stored(hitl, "deployments") == before


def test_a_webhook_of_another_deployment_is_not_found_in_ones_own(hitl: Hitl) -> None:
    made = hook(hitl, URL)
    other = key_of_another_deployment()
    other_id = int(other.split("_")[1])
    for method, path, body in routes_below():
        answer = hitl.api(method, f"{webhooks_path(hitl, other_id)}/{made.id}{path}", body, key=other)
        assert_problem(answer, 404, "not-found")
    assert [one["id"] for one in listed(hitl)] == [made.id]


def test_secrets_are_encrypted_at_rest_each_for_its_own_webhook(hitl: Hitl) -> None:
    made, other = hook(hitl, URL), hook(hitl, URL)
    rotated = made.call("POST", "/rotate-secret").json["secret"]
    for table in ("deployments", "audit", "requests"):
        text = stored(hitl, table)
        assert not [secret for secret in (made.secret, other.secret, rotated) if secret in text or secret[6:] in text]
    rows = hitl._clients["dynamodb"].scan(TableName="deployments")["Items"]
    (doc,) = [json.loads(row["doc"]["S"]) for row in rows if row["sk"]["S"] == f"webhook#{made.id}"]
    sealed = base64.b64decode(doc["secrets"][-1]["ciphertext"])
    kms = hitl._clients["kms"]
    opened = kms.decrypt(CiphertextBlob=sealed, EncryptionContext={"webhook_id": made.id})
    assert opened["Plaintext"].decode() == rotated
    for context in ({}, {"webhook_id": other.id}):
        with pytest.raises(ClientError):
            kms.decrypt(CiphertextBlob=sealed, EncryptionContext=context)


def test_a_delivery_that_was_lost_is_not_shown_as_pending_for_ever(
    hitl: Hitl, app: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = hook(hitl, app.url)
    with monkeypatch.context() as dying:
        # The function dies after it has written the delivery and before it has queued it.
        dying.setattr("flow_hitl.webhooks.delivery_queue.SqsDeliveryQueue.send", lambda *_: None)
        made.call("POST", "/test")
    (lost,) = made.deliveries
    assert (lost["status"], lost["reason"]) == ("pending", None)
    hitl.advance(minutes=61)
    (lost,) = made.deliveries
    assert lost["status"] == "stalled"
    assert "redeliver it" in lost["reason"]

    again = made.call("POST", f"/deliveries/{lost['id']}/redeliver").json["delivery"]
    sent, _ = made.deliveries
    assert (sent["id"], sent["status"], sent["redelivery_of"]) == (again["id"], "delivered", lost["id"])
    (post,) = app.received
    assert post.headers["x-webhook-id"] == lost["id"]


def test_a_new_secret_signs_at_once(hitl: Hitl, app: Receiver) -> None:
    made = hook(hitl, app.url)
    answer = made.call("POST", "/rotate-secret")
    assert answer.status == 200
    assert set(answer.json) == {"secret", "signs_from"}
    assert answer.json["signs_from"] == "2026-01-14T12:00:00Z"
    assert answer.json["secret"] != made.secret
    hitl.ask()
    (post,) = app.received
    assert spec_verifies(answer.json["secret"], post)
    assert not spec_verifies(made.secret, post)


def test_a_new_secret_signs_from_the_stated_moment(hitl: Hitl, app: Receiver) -> None:
    made = hook(hitl, app.url)
    answer = made.call("POST", "/rotate-secret", {"signs_from": "2026-01-14T14:00:00+01:00"})
    assert answer.json["signs_from"] == "2026-01-14T13:00:00Z"
    assert listed(hitl)[0]["secret_signs_from"] == "2026-01-14T13:00:00Z"
    hitl.advance(minutes=59, seconds=59)
    hitl.ask()
    hitl.advance(seconds=1)
    hitl.ask()
    assert [spec_verifies(made.secret, post) for post in app.received] == [True, False]
    assert [spec_verifies(answer.json["secret"], post) for post in app.received] == [False, True]


def test_of_two_rotations_the_later_one_counts(hitl: Hitl, app: Receiver) -> None:
    made = hook(hitl, app.url)
    lost = made.call("POST", "/rotate-secret", {"signs_from": "2026-01-14T13:00:00Z"}).json["secret"]
    kept = made.call("POST", "/rotate-secret", {"signs_from": "2026-01-14T14:00:00Z"}).json["secret"]
    for minutes in (0, 90, 60):
        hitl.advance(minutes=minutes)
        hitl.ask()
    secrets = {"first": made.secret, "lost": lost, "kept": kept}
    signed_by = [[name for name in secrets if spec_verifies(secrets[name], post)] for post in app.received]
    assert signed_by == [["first"], ["first"], ["kept"]]


@pytest.mark.parametrize("moment", ["soon", "2026-01-14T11:58:00Z", "2026-01-14T12:00:00", "2026-03-14T12:00:00Z", 7])
def test_a_moment_that_is_none_or_out_of_reach_is_refused(hitl: Hitl, moment: object) -> None:
    made = hook(hitl, URL)
    before = listed(hitl)
    assert_invalid(made.call("POST", "/rotate-secret", {"signs_from": moment}), "/signs_from")
    assert listed(hitl) == before


def test_every_change_is_an_event_in_the_deployments_chain_without_a_secret(hitl: Hitl, app: Receiver) -> None:
    made = hook(hitl, URL)
    made.call("PATCH", body={"active": False})
    made.call("PATCH", body={"active": False})
    made.call("PATCH", body={"url": app.url})
    rotated = made.call("POST", "/rotate-secret").json["secret"]
    made.call("DELETE")
    events = config_events(hitl)
    assert [event["kind"] for event in events] == [
        "webhook_created",
        "webhook_changed",
        "webhook_changed",
        "webhook_secret_rotated",
        "webhook_deleted",
    ], "what changes nothing is no event"
    created, off, moved, _, deleted = events
    key_id = hitl.api_key.split("_")[2]
    assert {event["actor"] for event in events} == {f"api_key/{key_id}"}
    assert (created["before"], deleted["after"]) == (None, None)
    assert (off["before"]["active"], off["after"]["active"]) == (True, False)
    assert off["before"]["url_host"] == "jira.example.com"
    assert moved["before"]["url_sha256"] != moved["after"]["url_sha256"]
    text = stored(hitl, "audit")
    assert not [secret for secret in (made.secret, rotated, "k-1234") if secret in text], "nor the key in the URL"


def test_a_change_meanwhile_by_another_manager_is_not_lost(hitl: Hitl, monkeypatch: pytest.MonkeyPatch) -> None:
    from flow_hitl.deployments.deployment_store import DynamoDeploymentStore

    made = hook(hitl, URL)
    commit, rounds = DynamoDeploymentStore.commit, []

    def meanwhile(self: DynamoDeploymentStore, *args: Any, **options: Any) -> None:
        rounds.append(args)
        if len(rounds) == 1:
            made.call("PATCH", body={"name": "Theirs"})
        commit(self, *args, **options)

    monkeypatch.setattr(DynamoDeploymentStore, "commit", meanwhile)
    made.call("PATCH", body={"active": False})
    (webhook,) = listed(hitl)
    assert (webhook["name"], webhook["active"]) == ("Theirs", False)
    assert len(rounds) == 3


def test_the_deployment_knows_which_events_its_webhooks_want(hitl: Hitl) -> None:
    def wanted() -> list[str]:
        return [event.value for event in current().manage_deployments.show(hitl.deployment_id).webhook_events]

    assert wanted() == []
    one = hook(hitl, URL)
    assert wanted() == ["new_request"]
    two = hook(hitl, URL, events=["request_cancelled"])
    assert wanted() == ["new_request", "request_cancelled"]
    one.call("PATCH", body={"active": False})
    assert wanted() == ["request_cancelled"]
    two.call("DELETE")
    assert wanted() == []


def test_a_function_that_starts_anew_signs_the_same(hitl: Hitl, app: Receiver) -> None:
    made = hook(hitl, app.url)
    new_process()
    hitl.ask()
    assert spec_verifies(made.secret, app.received[0])
