"""What follows from an audit event, kind by kind."""

from typing import Any

import pytest

from flow_hitl.domain.audit import EventKind
from flow_hitl.domain.effects import Effect, EffectKind, effects_of
from tests.unit import examples

DUE = {"timeout_minutes": 1, "default_outcome": "x", "due_at": "2026-01-14T12:01:00Z"}


def kinds_of(kind: EventKind, data: dict[str, Any]) -> set[EffectKind]:
    return {effect.kind for effect in effects_of(examples.event(kind, data))}


@pytest.mark.parametrize(
    ("notify", "auto_response", "expected"),
    [
        (True, None, {EffectKind.NOTIFY}),
        (False, None, set()),
        (True, DUE, {EffectKind.NOTIFY, EffectKind.DEADLINE}),
        (False, DUE, {EffectKind.DEADLINE}),
    ],
)
def test_a_new_request(notify: bool, auto_response: Any, expected: set[EffectKind]) -> None:
    data = {"notify": notify, "auto_response": auto_response}
    assert kinds_of(EventKind.REQUEST_CREATED, data) == expected


@pytest.mark.parametrize("via", ["email", "dashboard", "api", "auto_response"])
@pytest.mark.parametrize("push", [True, False])
def test_a_decision_resumes_the_flow_and_confirms_a_mail(via: str, push: bool) -> None:
    expected = {EffectKind.RESUME} if push else set()
    expected |= {EffectKind.CONFIRM} if via == "email" else set()
    assert kinds_of(EventKind.RESPONSE_SUBMITTED, {"responded_via": via, "push": push}) == expected


def test_a_rejected_reply_is_answered() -> None:
    assert kinds_of(EventKind.REPLY_REJECTED, {"reason": "expired"}) == {EffectKind.REJECT_REPLY}


@pytest.mark.parametrize("notify", [True, False])
def test_a_new_responder_is_notified_unless_the_deployment_sends_no_mail(notify: bool) -> None:
    assert kinds_of(EventKind.REQUEST_REASSIGNED, {"notify": notify}) == ({EffectKind.NOTIFY} if notify else set())


WITH_EFFECTS = {
    EventKind.REQUEST_CREATED,
    EventKind.REQUEST_REASSIGNED,
    EventKind.RESPONSE_SUBMITTED,
    EventKind.REPLY_REJECTED,
}


@pytest.mark.parametrize("kind", sorted(set(EventKind) - WITH_EFFECTS))
def test_what_an_effect_leaves_behind_has_no_effect(kind: EventKind) -> None:
    assert effects_of(examples.event(kind, {})) == ()


def test_an_effect_is_named_by_its_event() -> None:
    event = examples.event(EventKind.REPLY_REJECTED, {})
    assert effects_of(event) == (Effect(EffectKind.REJECT_REPLY, examples.REQUEST_ID, 3),)
    assert effects_of(event) == effects_of(event)
