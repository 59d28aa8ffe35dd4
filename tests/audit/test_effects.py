"""What follows from an audit event, kind by kind."""

from typing import Any

import pytest

from flow_hitl.audit.chain import EventKind
from flow_hitl.audit.effects import Effect, EffectKind, effects_of
from tests.support import examples

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
def test_a_decision_resumes_the_flow_confirms_a_mail_and_is_told_to_webhooks(via: str, push: bool) -> None:
    expected = {EffectKind.RESUME} if push else set()
    expected |= {EffectKind.CONFIRM} if via == "email" else set()
    expected |= {EffectKind.WEBHOOK}
    assert kinds_of(EventKind.RESPONSE_SUBMITTED, {"responded_via": via, "push": push}) == expected


@pytest.mark.parametrize("webhooks", [True, False])
def test_a_new_request_is_told_to_webhooks_if_any_wants_to_know(webhooks: bool) -> None:
    data = {"notify": False, "auto_response": None, "webhooks": webhooks}
    assert kinds_of(EventKind.REQUEST_CREATED, data) == ({EffectKind.WEBHOOK} if webhooks else set())


def test_a_cancelled_request_is_told_to_webhooks() -> None:
    assert kinds_of(EventKind.REQUEST_CANCELLED, {}) == {EffectKind.WEBHOOK}


def test_an_answer_that_somebody_has_sent_again_is_sent_to_the_flow_and_to_nobody_else() -> None:
    assert kinds_of(EventKind.RESUME_RETRIED, {}) == {EffectKind.RESUME}


def test_a_rejected_reply_is_answered() -> None:
    assert kinds_of(EventKind.REPLY_REJECTED, {"reason": "expired"}) == {EffectKind.REJECT_REPLY}


@pytest.mark.parametrize("notify", [True, False])
def test_a_new_responder_is_notified_unless_the_deployment_sends_no_mail(notify: bool) -> None:
    assert kinds_of(EventKind.REQUEST_REASSIGNED, {"notify": notify}) == ({EffectKind.NOTIFY} if notify else set())


def test_each_reminder_is_scheduled_by_itself() -> None:
    moments = ["2026-01-14T12:10:00Z", "2026-01-14T12:20:00Z"]
    data = {"notify": True, "auto_response": None, "reminders": moments}
    effects = effects_of(examples.event(EventKind.REQUEST_CREATED, data))
    assert [effect.target for effect in effects if effect.kind is EffectKind.SCHEDULE_REMINDER] == moments


PEOPLE = ["ann@example.com", "bob@example.com"]


@pytest.mark.parametrize(
    ("kind", "effect"),
    [
        (EventKind.REQUEST_CREATED, EffectKind.NOTIFY),
        (EventKind.REQUEST_REASSIGNED, EffectKind.NOTIFY),
        (EventKind.REMINDER_DUE, EffectKind.REMIND),
    ],
)
def test_each_person_of_a_group_gets_a_mail_of_their_own(kind: EventKind, effect: EffectKind) -> None:
    data = {"notify": True, "auto_response": DUE, "people": PEOPLE}
    effects = effects_of(examples.event(kind, data))
    assert [each.target for each in effects if each.kind is effect] == PEOPLE
    assert all(each.target == "" for each in effects if each.kind is not effect)


def test_the_others_of_a_group_are_told_of_the_answer() -> None:
    data = {"responded_via": "email", "push": False, "others": PEOPLE}
    effects = effects_of(examples.event(EventKind.RESPONSE_SUBMITTED, data))
    assert [effect.target for effect in effects if effect.kind is EffectKind.TELL_HANDLED] == PEOPLE


@pytest.mark.parametrize(("via", "confirmed"), [("email", True), ("dashboard", False)])
def test_who_passes_a_request_on_by_mail_gets_a_confirmation(via: str, confirmed: bool) -> None:
    kinds = kinds_of(EventKind.REQUEST_REASSIGNED, {"notify": True, "via": via})
    assert (EffectKind.CONFIRM_DELEGATION in kinds) is confirmed


def test_a_reminder_that_is_due_is_a_mail() -> None:
    assert kinds_of(EventKind.REMINDER_DUE, {}) == {EffectKind.REMIND}


def test_a_retried_resumption_is_the_resumption_of_the_answer_again() -> None:
    assert kinds_of(EventKind.RESUME_RETRIED, {}) == {EffectKind.RESUME}


@pytest.mark.parametrize("push", [True, False])
def test_a_question_is_told_to_the_flow_and_to_webhooks(push: bool) -> None:
    expected = {EffectKind.WEBHOOK, *([EffectKind.ASK_FLOW] if push else [])}
    assert kinds_of(EventKind.QUESTION_ASKED, {"push": push}) == expected


@pytest.mark.parametrize("notify", [True, False])
def test_an_answered_question_is_mailed_to_whoever_asked(notify: bool) -> None:
    effects = effects_of(examples.event(EventKind.QUESTION_ANSWERED, {"notify": notify, "people": PEOPLE}))
    assert [each.target for each in effects if each.kind is EffectKind.TELL_ANSWER] == (PEOPLE if notify else [])


WITH_EFFECTS = {
    EventKind.REQUEST_CREATED,
    EventKind.REQUEST_REASSIGNED,
    EventKind.RESPONSE_SUBMITTED,
    EventKind.REPLY_REJECTED,
    EventKind.REMINDER_DUE,
    EventKind.REQUEST_CANCELLED,
    EventKind.RESUME_RETRIED,
    EventKind.RECEIPT_ISSUED,
    EventKind.QUESTION_ASKED,
    EventKind.QUESTION_ANSWERED,
}


@pytest.mark.parametrize("kind", sorted(set(EventKind) - WITH_EFFECTS))
def test_what_an_effect_leaves_behind_has_no_effect(kind: EventKind) -> None:
    assert effects_of(examples.event(kind, {})) == ()


def test_an_effect_is_named_by_its_event() -> None:
    event = examples.event(EventKind.REPLY_REJECTED, {})
    assert effects_of(event) == (Effect(EffectKind.REJECT_REPLY, examples.REQUEST_ID, 3),)
    assert effects_of(event) == effects_of(event)
