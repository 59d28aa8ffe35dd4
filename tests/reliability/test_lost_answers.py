"""An answer of AWS is lost and the SDK makes the call again: nobody takes their own write for somebody else's."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from flow_hitl.audit.effects import Effect, EffectKind
from flow_hitl.audit.ports import EffectBusy
from flow_hitl.bootstrap import current
from flow_hitl.metrics.metrics import Generations, Position, Progress
from flow_hitl.people.sign_in_rules import SignInTry
from flow_hitl.platform.errors import Conflict
from infra.local.hitl_fixture import Hitl
from tests.support.asserts import EMIT, callback
from tests.support.aws_calls import losing_answers, unsettled
from tests.support.receiver import Receiver, receiving
from tests.support.webhooks import ALL_EVENTS, hook

WRITES = ("dynamodb.PutItem", "dynamodb.UpdateItem", "s3.PutObject")


@pytest.fixture
def app() -> Iterator[Receiver]:
    """The HTTP server of another application, and of the flow."""
    with receiving() as receiver:
        yield receiver


def test_an_export_comes_to_its_end(hitl: Hitl) -> None:
    hitl.ask(emit=EMIT)
    path = f"/v1/deployments/{hitl.deployment_id}/audit/export"
    with losing_answers(*WRITES) as lost:
        answer = hitl.api("POST", path, {})
        hitl.advance(minutes=1)
    assert answer.status == 202
    shown = hitl.api("GET", f"{path}/{answer.json['export']['id']}").json["export"]
    assert shown["state"] == "done"
    assert {"dynamodb.PutItem", "s3.PutObject"} <= set(lost)


def test_another_worker_who_took_the_same_step_of_an_export_is_still_noticed(hitl: Hitl) -> None:
    with unsettled(hitl):
        answer = hitl.api("POST", f"/v1/deployments/{hitl.deployment_id}/audit/export", {})
    exports = current().manage_exports.exports
    export = exports.load(hitl.deployment_id, answer.json["export"]["id"])
    exports.commit(replace(export, version=2))
    with pytest.raises(Conflict):
        exports.commit(replace(export, version=2))


def test_a_review_goes_its_whole_way_without_a_pause(hitl: Hitl, app: Receiver) -> None:
    made = hook(hitl, app.url, events=ALL_EVENTS)
    with losing_answers(*WRITES) as lost:
        request = hitl.ask(emit=EMIT, resume_url=app.url)
        hitl.reply("approved")
    assert request.kinds.count("notification_sent") == 1
    assert request.kinds.count("confirmation_sent") == 1
    assert request.now()["resume"]["status"] == "delivered"
    assert [(one["status"], one["attempts"]) for one in made.deliveries] == [("delivered", 1)] * 2
    assert len(hitl.inbox) == 2
    assert "dynamodb.UpdateItem" in lost


def test_a_person_signs_in(hitl: Hitl) -> None:
    with losing_answers(*WRITES) as lost:
        browser = hitl.signed_in()
        assert browser.get(f"/d/{hitl.deployment_id}/requests").status == 200
    assert "dynamodb.PutItem" in lost


def test_two_tries_to_sign_in_at_once_count_as_two(hitl: Hitl) -> None:
    tries = current()._sign_in_tries
    first = SignInTry("t", "ann@example.com", "b", "1", "/d", hitl.clock.now() + timedelta(minutes=10))
    tries.begin(first)
    tries.commit(replace(first, version=1))
    with pytest.raises(Conflict):
        tries.commit(replace(first, version=1))


def test_a_lease_that_one_has_is_not_taken_for_anothers(hitl: Hitl) -> None:
    effects, now = current()._effects, hitl.clock.now()
    effect = Effect(EffectKind.NOTIFY, hitl.ask(emit=EMIT).id, 99)
    with losing_answers("dynamodb.UpdateItem") as lost:
        assert effects.claim(effect, now, timedelta(seconds=60))
    assert lost
    with pytest.raises(EffectBusy):
        effects.claim(effect, now, timedelta(seconds=60))


def test_a_new_generation_of_figures_is_begun(hitl: Hitl) -> None:
    with losing_answers("dynamodb.PutItem"):
        current()._metrics.begin(hitl.deployment_id, Generations().begun(Progress(Position(hitl.clock.now()))))
    with pytest.raises(Conflict):
        current()._metrics.begin(hitl.deployment_id, Generations().begun(Progress(Position(hitl.clock.now()))))


def test_a_call_under_a_key_is_answered_once(hitl: Hitl) -> None:
    path = f"/v1/deployments/{hitl.deployment_id}/api-keys"
    body = {"name": "flows", "permissions": ["create_requests"]}
    with losing_answers(*WRITES, "dynamodb.TransactWriteItems") as lost:
        answers = [hitl.api("POST", path, body, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert [answer.status for answer in answers] == [201, 201]
    assert answers[0].json["key"] == answers[1].json["key"]
    assert "dynamodb.TransactWriteItems" in lost
    keys = hitl.api("GET", path).json["api_keys"]
    assert [key["name"] for key in keys].count("flows") == 1


def test_usage_is_counted_once(hitl: Hitl) -> None:
    with losing_answers("dynamodb.UpdateItem") as lost:
        callback(hitl, hitl.ask(emit=EMIT))
    assert lost
    usage = current().manage_deployments.usage(hitl.deployment_id)
    assert (usage.requests, usage.mails) == (1, 1)
