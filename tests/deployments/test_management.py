"""The management API: settings, routing rules, members and API keys, each change in the deployment's own chain."""

import json
from typing import Any
from unittest.mock import patch
from urllib.parse import quote

import pytest

from flow_hitl.audit.chain import CHAIN_START, event_hash
from flow_hitl.bootstrap import current
from flow_hitl.contract.shapes import as_json
from flow_hitl.deployments.configuration_documents import parse_settings
from flow_hitl.deployments.deployment import Permission
from flow_hitl.deployments.deployment_store import DynamoDeploymentStore
from infra.local.hitl_fixture import Answer, Hitl
from tests.support.asserts import EMIT, api_key, assert_invalid, assert_problem, callback, key_of_another_deployment

RULE = {
    "name": "Approvals to Finance",
    "match": {"method_name": "approve_*"},
    "assign_to_email": "finance@company.com",
    "assign_from_input": None,
}


def path(hitl: Hitl, rest: str) -> str:
    return f"/v1/deployments/{hitl.deployment_id}/{rest}"


def get(hitl: Hitl, rest: str) -> Answer:
    answer = hitl.api("GET", path(hitl, rest))
    assert answer.status == 200, answer.text
    return answer


def put(hitl: Hitl, rest: str, document: Any, if_match: str | None = "*") -> Answer:
    headers = {"If-Match": if_match} if if_match else {}
    return hitl.api("PUT", path(hitl, rest), document, headers=headers)


def change(hitl: Hitl, **settings: Any) -> Answer:
    """Change some settings, as a client does: read, edit, write back."""
    now = get(hitl, "settings")
    answer = put(hitl, "settings", {**now.json, **settings}, now.headers["ETag"])
    assert answer.status == 200, answer.text
    return answer


def chain(hitl: Hitl) -> list[dict[str, Any]]:
    """Return the deployment's own audit events in order."""
    from flow_hitl.audit.audit_log import event_from_item

    items = hitl._clients["dynamodb"].scan(TableName="audit")["Items"]
    events = [event_from_item(one) for one in items if one["subject"]["S"] == f"deployment#{hitl.deployment_id}"]
    events.sort(key=lambda event: event.seq)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert [event.prev_hash for event in events] == [CHAIN_START, *(event.hash for event in events[:-1])]
    assert all(event_hash(event) == event.hash for event in events)
    return [as_json(event) for event in events]


# --- settings


def test_settings_are_read_and_replaced(hitl: Hitl) -> None:
    before = get(hitl, "settings")
    assert before.json["reply_token_days"] == 7
    wanted = {**before.json, "reply_token_days": 3, "sla_target_minutes": 60}
    changed = put(hitl, "settings", wanted, before.headers["ETag"])
    assert (changed.status, changed.json) == (200, {**wanted, "warnings": []})
    after = get(hitl, "settings")
    assert after.json == wanted
    assert after.headers["ETag"] == changed.headers["ETag"] != before.headers["ETag"]


def test_a_change_counts_from_the_next_request(hitl: Hitl) -> None:
    change(hitl, sla_target_minutes=30)
    assert hitl.ask().now()["sla_due_at"] == "2026-01-14T12:30:00Z"


def test_an_answer_to_put_can_be_sent_back(hitl: Hitl) -> None:
    changed = change(hitl, email_notifications=False)
    assert changed.json["warnings"]
    assert put(hitl, "settings", changed.json, changed.headers["ETag"]).status == 200


@pytest.mark.parametrize("rest", ["settings", "routing-rules"])
def test_an_edit_of_what_has_changed_since_is_refused_and_loses_nothing(hitl: Hitl, rest: str) -> None:
    mine = get(hitl, rest)
    theirs = {"reply_token_days": 3} if rest == "settings" else {"rules": [RULE]}
    assert put(hitl, rest, {**mine.json, **theirs}, mine.headers["ETag"]).status == 200
    now = get(hitl, rest).json
    assert_problem(put(hitl, rest, mine.json, mine.headers["ETag"]), 412, "precondition-failed")
    assert get(hitl, rest).json == now


@pytest.mark.parametrize("rest", ["settings", "routing-rules"])
def test_whoever_does_not_say_what_they_have_seen_changes_nothing(hitl: Hitl, rest: str) -> None:
    document = get(hitl, rest).json
    problem = assert_problem(put(hitl, rest, document, None), 428, "precondition-required")
    assert "If-Match" in problem["detail"]


@pytest.mark.parametrize("if_match", ["*", '"one-of-many", {etag}'])
def test_a_client_may_name_several_states_or_any(hitl: Hitl, if_match: str) -> None:
    now = get(hitl, "settings")
    assert put(hitl, "settings", now.json, if_match.format(etag=now.headers["ETag"])).status == 200


def test_other_changes_of_the_deployment_do_not_stand_in_the_way(hitl: Hitl) -> None:
    now = get(hitl, "settings")
    put(hitl, "routing-rules", {"rules": [RULE]})
    put(hitl, "members/a@example.com", {})
    assert put(hitl, "settings", {**now.json, "reply_token_days": 1}, now.headers["ETag"]).status == 200


def test_of_two_who_write_at_the_same_moment_the_later_is_refused(hitl: Hitl) -> None:
    mine = get(hitl, "settings")
    commit = DynamoDeploymentStore.commit
    others = iter([{**mine.json, "reply_token_days": 2}])

    def somebody_is_faster(store: DynamoDeploymentStore, *args: Any, **options: Any) -> None:
        for document in others:
            current().manage_deployments.set_settings(hitl.deployment_id, parse_settings(json.dumps(document)))
        commit(store, *args, **options)

    with patch.object(DynamoDeploymentStore, "commit", somebody_is_faster):
        answer = put(hitl, "settings", {**mine.json, "free_text": "ask_again"}, mine.headers["ETag"])
    assert_problem(answer, 412, "precondition-failed")
    after = get(hitl, "settings").json
    assert (after["reply_token_days"], after["free_text"]) == (2, "accept")
    assert [event["kind"] for event in chain(hitl)].count("settings_changed") == 1


def test_changes_of_different_things_at_the_same_moment_both_count(hitl: Hitl) -> None:
    commit = DynamoDeploymentStore.commit
    others = iter(["b@example.com"])

    def somebody_is_faster(store: DynamoDeploymentStore, *args: Any, **options: Any) -> None:
        for email in others:
            put(hitl, f"members/{email}", {})
        commit(store, *args, **options)

    with patch.object(DynamoDeploymentStore, "commit", somebody_is_faster):
        assert put(hitl, "members/a@example.com", {}).status == 200
    assert {member["email"] for member in get(hitl, "members").json["members"]} == {"a@example.com", "b@example.com"}
    chain(hitl)


def test_wrong_settings_change_nothing_and_name_each_field(hitl: Hitl) -> None:
    before = get(hitl, "settings")
    events = len(chain(hitl))
    answer = put(hitl, "settings", {"sla_target_minutes": 0, "free_text": "maybe", "more": 1})
    assert_invalid(answer, "/sla_target_minutes", "/free_text", "/more")
    assert get(hitl, "settings").json == before.json
    assert len(chain(hitl)) == events
    assert_problem(hitl.api("PUT", path(hitl, "settings"), raw="{"), 400, "malformed-json")


# --- what is said when a configuration is saved


def test_an_outcome_that_recent_requests_did_not_offer_is_warned_of(hitl: Hitl) -> None:
    hitl.ask(emit=EMIT, method_name="review_post")
    hitl.ask(emit=("yes", "no"), method_name="review_deal")
    hitl.ask()
    setting = {"enabled": True, "timeout_minutes": 60, "default_outcome": "approved"}
    (warning,) = change(hitl, auto_response=setting).json["warnings"]
    assert 'auto-response "approved" is no emit option of 1 of the last 2 requests (review_deal)' in warning
    assert change(hitl, auto_response={**setting, "enabled": False}).json["warnings"] == []


def test_a_rules_outcome_is_measured_by_its_own_requests(hitl: Hitl) -> None:
    put(hitl, "routing-rules", {"rules": [RULE]})
    hitl.ask(emit=EMIT, method_name="approve_post")
    hitl.ask(emit=("yes", "no"), method_name="review_deal")
    setting = {"enabled": True, "timeout_minutes": 60, "default_outcome": "approved"}
    assert put(hitl, "routing-rules", {"rules": [{**RULE, "auto_response": setting}]}).json["warnings"] == []
    setting["default_outcome"] = "yes"
    (warning,) = put(hitl, "routing-rules", {"rules": [{**RULE, "auto_response": setting}]}).json["warnings"]
    assert 'of the rule "Approvals to Finance" is no emit option of 1 of the last 1' in warning


def test_that_nobody_will_hear_of_requests_is_warned_of(hitl: Hitl) -> None:
    (warning,) = change(hitl, email_notifications=False).json["warnings"]
    assert "only appear in the dashboard" in warning


def test_that_a_rule_leads_to_where_requests_may_not_go_is_warned_of(hitl: Hitl) -> None:
    put(hitl, "routing-rules", {"rules": [RULE]})
    (warning,) = change(hitl, allowed_assignee_domains=["example.com"]).json["warnings"]
    assert "will not reach finance@company.com: company.com is not among the allowed assignee domains" in warning


# --- routing rules


def test_rules_are_read_and_replaced_in_their_order(hitl: Hitl) -> None:
    assert get(hitl, "routing-rules").json == {"rules": []}
    rules = {"rules": [RULE, {**RULE, "name": "Other", "match": {"method_name": "*"}}]}
    assert put(hitl, "routing-rules", rules).json == {**rules, "warnings": []}
    assert get(hitl, "routing-rules").json == rules
    assert hitl.ask(method_name="approve_x").now()["routing_rule"] == "Approvals to Finance"


def test_amounts_above_a_threshold_go_to_somebody_else_with_deadlines_of_their_own(hitl: Hitl) -> None:
    change(hitl, sla_target_minutes=600, auto_response=_auto("rejected", 600))
    big = {
        **RULE,
        "name": "Big",
        "match": {"method_name": "approve_*", "condition": {"state.amount": {"gt": 10000}}},
        "assign_to_email": "cfo@company.com",
        "sla_target_minutes": 30,
        "auto_response": _auto("approved", 60),
    }
    never = {**RULE, "name": "Never", "match": {"method_name": "sign_*"}, "auto_response": {"enabled": False}}
    put(hitl, "routing-rules", {"rules": [big, never, RULE]})

    def asked(method_name: str, amount: int, **fields: Any) -> tuple[Any, ...]:
        request = hitl.ask(emit=EMIT, method_name=method_name, state={"amount": amount}, **fields).now()
        auto = request["auto_response"]
        return request["assigned_to_email"], request["sla_due_at"][11:16], auto and auto["timeout_minutes"]

    assert asked("approve_x", 10001) == ("cfo@company.com", "12:30", 60)
    assert asked("approve_x", 10000) == ("finance@company.com", "22:00", 600)
    assert asked("sign_x", 1) == ("finance@company.com", "22:00", None)
    own = {"sla_target_minutes": 5, "auto_response": {"timeout_minutes": 7, "default_outcome": "approved"}}
    assert asked("approve_x", 10001, **own) == ("cfo@company.com", "12:05", 7)
    assert asked("approve_x", 10001, auto_response=None) == ("cfo@company.com", "12:30", None)


def test_an_answer_is_valid_for_as_long_as_the_request_says_or_its_rule_or_the_deployment(hitl: Hitl) -> None:
    def valid_until(method_name: str, **fields: Any) -> str | None:
        request = hitl.ask(emit=EMIT, method_name=method_name, **fields)
        assert request.now()["response"] is None
        callback(hitl, request)
        response: dict[str, Any] = request.now()["response"]
        assert response["responded_at"] == "2026-01-14T12:00:00Z"
        until: str | None = response["valid_until"]
        return until[11:16] if until else None

    assert valid_until("approve_x") is None
    assert hitl.ask(method_name="approve_x", approval_ttl_minutes=30).now()["approval_ttl_minutes"] == 30
    assert valid_until("approve_x", approval_ttl_minutes=30) == "12:30"
    change(hitl, approval_ttl_minutes=60)
    put(hitl, "routing-rules", {"rules": [{**RULE, "approval_ttl_minutes": 120}]})
    assert valid_until("other") == "13:00"
    assert valid_until("approve_x") == "14:00"
    assert valid_until("approve_x", approval_ttl_minutes=1) == "12:01"
    body = {"method_name": "approve_x"}
    assert hitl.api("POST", path(hitl, "routing-rules/dry-run"), body).json["approval_ttl_minutes"] == 120


def test_a_rules_outcome_that_a_request_does_not_offer_is_left_out_with_a_warning(hitl: Hitl) -> None:
    put(hitl, "routing-rules", {"rules": [{**RULE, "auto_response": _auto("approved", 60)}]})
    request = hitl.ask(method_name="approve_x", emit=("yes", "no")).now()
    assert request["auto_response"] is None
    assert 'of the rule "Approvals to Finance"' in request["warnings"][0]


def test_a_dry_run_says_who_would_be_asked_and_why_no_other_rule_matched(hitl: Hitl) -> None:
    big = {
        **RULE,
        "name": "Big",
        "match": {"method_name": "approve_*", "condition": {"state.amount": {"gt": 10000}}},
        "sla_target_minutes": 30,
    }
    from_state = {**RULE, "assign_from_input": "lead.email", "auto_response": _auto("approved", 60)}
    put(hitl, "routing-rules", {"rules": [{**RULE, "name": "R", "match": {"method_name": "r_*"}}, big, from_state]})
    events, mails = len(chain(hitl)), len(hitl.inbox)
    body: dict[str, Any] = {"method_name": "approve_x", "state": {"amount": 5}}
    answer = hitl.api("POST", path(hitl, "routing-rules/dry-run"), body)
    assert answer.status == 200
    assert answer.json == {
        "assigned_to_email": "finance@company.com",
        "assigned_by": "assign_to_email",
        "routing_rule": "Approvals to Finance",
        "reasons": [
            'rule "Approvals to Finance" matches approve_x by approve_*',
            "assign_from_input: the state has no lead.email",
            "assign_to_email of the rule",
        ],
        "considered": [
            {"name": "R", "matched": False, "reason": "approve_x does not fit r_*"},
            {"name": "Big", "matched": False, "reason": "amount in the state does not pass gt 10000"},
            {
                "name": "Approvals to Finance",
                "matched": True,
                "reason": 'rule "Approvals to Finance" matches approve_x by approve_*',
            },
        ],
        "sla_target_minutes": None,
        "auto_response": {"timeout_minutes": 60, "default_outcome": "approved"},
        "approval_ttl_minutes": None,
    }
    real = hitl.ask(**body).now()
    assert (real["assigned_to_email"], real["routing_rule"]) == ("finance@company.com", "Approvals to Finance")
    assert (len(chain(hitl)), len(hitl.inbox)) == (events, mails + 1)


def test_a_dry_run_that_no_rule_is_for_ends_with_the_creator(hitl: Hitl) -> None:
    answer = hitl.api("POST", path(hitl, "routing-rules/dry-run"), {"method_name": "x"}).json
    assert (answer["assigned_to_email"], answer["assigned_by"]) == ("creator@example.com", "deployment_creator")
    assert (answer["routing_rule"], answer["considered"]) == (None, [])
    assert_invalid(hitl.api("POST", path(hitl, "routing-rules/dry-run"), {"state": 5}), "/method_name", "/state")


def test_a_configuration_beyond_what_one_record_holds_is_refused_clearly(hitl: Hitl) -> None:
    long = [{**RULE, "name": f"{number} {'x' * 50}"} for number in range(900)]
    assert put(hitl, "routing-rules", {"rules": long}).status == 200
    people = [f"{number}-{'x' * 50}@{'y' * 60}.example.com" for number in range(50)]
    groups = [{"name": f"group {number}", "members": people} for number in range(25)]
    assert put(hitl, "settings", {"groups": groups}).status == 200
    for number in range(20):
        aliases = [f"{alias}-{'x' * 50}@{'y' * 60}.{'z' * 60}.example.com" for alias in range(20)]
        answer = put(hitl, f"members/{number}@example.com", {"aliases": aliases})
        if answer.status != 200:
            break
    problem = assert_problem(answer, 422, "validation")
    assert "390,000 can be kept" in problem["errors"][0]["message"]
    hitl.ask()


# --- to whom requests may go


def test_a_state_written_by_an_ai_cannot_mail_content_to_anywhere(hitl: Hitl) -> None:
    put(hitl, "routing-rules", {"rules": [{**RULE, "match": {"method_name": "*"}, "assign_from_input": "to"}]})
    change(hitl, allowed_assignee_domains=["Company.com"])
    inside = hitl.ask(state={"to": "a@COMPANY.com"}).now()
    assert (inside["assigned_to_email"], inside["assigned_by"]) == ("a@COMPANY.com", "assign_from_input")
    outside = hitl.ask(state={"to": "a@evil.example"})
    assert outside.now()["assigned_to_email"] == "finance@company.com"
    routing = outside.timeline[0]["data"]["routing"]
    assert "assign_from_input: to in the state: evil.example is not among the allowed assignee domains" in routing
    assert hitl.ask(state={"to": "a@sub.company.com"}).now()["assigned_by"] == "assign_to_email"


def test_a_rule_that_leads_outside_falls_through_to_the_creator(hitl: Hitl) -> None:
    put(hitl, "routing-rules", {"rules": [{**RULE, "match": {"method_name": "*"}}]})
    change(hitl, allowed_assignee_domains=["elsewhere.example"])
    request = hitl.ask().now()
    assert (request["assigned_to_email"], request["assigned_by"]) == ("creator@example.com", "deployment_creator")


def test_a_request_that_names_somebody_outside_is_refused(hitl: Hitl) -> None:
    change(hitl, allowed_assignee_domains=["company.com"])
    put(hitl, "members/creator@example.com", {"aliases": ["boss@private.example"]})
    body = {"flow_id": "f", "method_name": "m", "message": "?"}
    refused = hitl.api("POST", "/v1/requests", {**body, "assigned_to_email": "a@evil.example"})
    assert_invalid(refused, "/assigned_to_email")
    for allowed in ("a@company.com", "creator@example.com", "boss@private.example"):
        assert hitl.ask(assigned_to_email=allowed).now()["assigned_to_email"] == allowed
    other = hitl.ask()
    assert_invalid(
        hitl.api("POST", f"/v1/requests/{other.id}/reassign", {"assigned_to_email": "a@evil.example"}),
        "/assigned_to_email",
    )


# --- no self-approval


def asked_by(hitl: Hitl, who: str, **fields: Any) -> Any:
    return hitl.ask(emit=EMIT, metadata={"requested_by": who}, **fields)


def test_without_the_setting_anybody_may_answer_their_own_request(hitl: Hitl) -> None:
    request = asked_by(hitl, "creator@example.com")
    hitl.reply("approved")
    assert request.outcome == "approved"


def test_whoever_asked_is_not_chosen_to_answer(hitl: Hitl) -> None:
    change(hitl, forbid_self_approval=True)
    put(hitl, "members/finance@company.com", {"aliases": ["fin@private.example"]})
    put(hitl, "routing-rules", {"rules": [{**RULE, "match": {"method_name": "*"}}]})
    request = asked_by(hitl, "Fin@private.example")
    assert request.now()["assigned_to_email"] == "creator@example.com"
    assert request.timeline[0]["data"]["not_to_be_answered_by"] == [
        "Fin@private.example",
        "finance@company.com",
        "fin@private.example",
    ]
    body = {"flow_id": "f", "method_name": "m", "message": "?", "metadata": {"requested_by": "a@example.com"}}
    assert_invalid(
        hitl.api("POST", "/v1/requests", {**body, "assigned_to_email": "A@example.com"}), "/assigned_to_email"
    )
    moved = hitl.api("POST", f"/v1/requests/{request.id}/reassign", {"assigned_to_email": "finance@company.com"})
    assert_invalid(moved, "/assigned_to_email")


def test_nobody_approves_what_they_asked_for_by_any_channel(hitl: Hitl) -> None:
    change(hitl, forbid_self_approval=True)
    request = asked_by(hitl, "creator@example.com")
    assert "reassign it" in request.now()["warnings"][0]
    notification = hitl.inbox[-1]
    hitl.reply("approved", to=notification)
    assert "You cannot answer your own request" in hitl.inbox[-1].text
    page = hitl.page("POST", hitl.review_url(notification), {"outcome": "approved", "comment": ""})
    assert page.status == 422
    assert "lets nobody approve what they asked for" in page.text
    assert_problem(callback(hitl, request, responder="creator@example.com"), 403, "forbidden")
    hitl.reply("delegate: accomplice@example.com", to=notification)
    page = hitl.page("POST", hitl.review_url(notification), {"delegate_to": "accomplice@example.com"})
    assert (page.status, "or choose who does" in page.text) == (422, True)
    assert (request.status, request.now()["assigned_to_email"]) == ("pending", "creator@example.com")
    moved = hitl.api("POST", f"/v1/requests/{request.id}/reassign", {"assigned_to_email": "b@example.com"})
    assert moved.status == 200
    hitl.reply("approved")
    assert request.response["responder"] == "b@example.com"


@pytest.mark.parametrize(
    "responder",
    [
        None,
        "",
        "Bob",
        "other@example.com",
        "Creator@Example.com",
        "creator+phone@example.com",
        "creator@example.com.",
        "The Creator <creator@example.com>",
        "ｃreator@example.com",
    ],
)
def test_where_the_asker_may_not_answer_a_callback_url_proves_too_little(hitl: Hitl, responder: str | None) -> None:
    change(hitl, forbid_self_approval=True)
    request = asked_by(hitl, "creator@example.com", assigned_to_email="boss@example.com")
    problem = assert_problem(callback(hitl, request, responder=responder), 403, "forbidden")
    assert "on the dashboard" in problem["detail"]
    assert request.status == "pending"
    hitl.reply("approved")
    assert request.response["responder"] == "boss@example.com"


def test_without_an_asker_a_callback_url_answers_as_ever(hitl: Hitl) -> None:
    change(hitl, forbid_self_approval=True)
    request = hitl.ask(emit=EMIT)
    assert callback(hitl, request).status == 200


@pytest.mark.parametrize(
    "asker", ["boss+me@company.com", "Boss@Company.com", "chief@company.com", "chief+1@company.com"]
)
def test_another_spelling_or_address_of_the_asker_is_neither_asked_nor_answers(hitl: Hitl, asker: str) -> None:
    change(hitl, forbid_self_approval=True, allow_delegation=True)
    put(hitl, "members/boss@company.com", {"aliases": ["chief@company.com"]})
    body = {"flow_id": "f", "method_name": "m", "message": "?", "metadata": {"requested_by": asker}}
    wish = {**body, "assigned_to_email": "boss@company.com"}
    assert_invalid(hitl.api("POST", "/v1/requests", wish), "/assigned_to_email")
    request = asked_by(hitl, asker, assigned_to_email="other@company.com")
    moved = hitl.api("POST", f"/v1/requests/{request.id}/reassign", {"assigned_to_email": "boss@company.com"})
    assert_invalid(moved, "/assigned_to_email")
    hitl.reply("delegate: boss@company.com")
    assert request.now()["assigned_to_email"] == "other@company.com"


def test_an_alias_that_was_named_later_counts_too(hitl: Hitl) -> None:
    change(hitl, forbid_self_approval=True)
    request = asked_by(hitl, "bob@private.example", assigned_to_email="boss@company.com")
    notification = hitl.inbox[-1]
    put(hitl, "members/boss@company.com", {"aliases": ["bob@private.example"]})
    assert hitl.page("POST", hitl.review_url(notification), {"outcome": "approved", "comment": ""}).status == 422
    hitl.reply("approved", to=notification)
    assert request.status == "pending"


def test_the_clock_may_still_answer(hitl: Hitl) -> None:
    change(hitl, forbid_self_approval=True)
    auto = {"timeout_minutes": 5, "default_outcome": "rejected"}
    request = asked_by(hitl, "creator@example.com", auto_response=auto)
    hitl.advance(minutes=6)
    assert request.outcome == "rejected"


def test_who_asked_must_be_said_as_a_mail_address_or_is_warned_of(hitl: Hitl) -> None:
    change(hitl, forbid_self_approval=True)
    body = {"flow_id": "f", "method_name": "m", "message": "?"}
    for wrong in ("Bob", 5, None, ["bob@example.com"]):
        answer = hitl.api("POST", "/v1/requests", {**body, "metadata": {"requested_by": wrong}})
        assert_invalid(answer, "/metadata/requested_by")
    assert "does not say who asked" in hitl.ask().now()["warnings"][0]


# --- members


def test_a_member_is_set_shown_and_removed(hitl: Hitl) -> None:
    member = {"permissions": ["manage_human_feedback"], "aliases": ["a@private.example"], "timezone": "Asia/Tokyo"}
    shown = {"email": "a.b+c@example.com", **member}
    place = f"members/{quote('a.b+c@example.com', safe='')}"
    assert put(hitl, place, member).json == shown
    assert get(hitl, place).json == get(hitl, "members/a.b+c@example.com").json == shown
    assert get(hitl, "members").json == {"members": [shown]}
    changed = {"permissions": ["respond_to_human_feedback"], "aliases": [], "timezone": None}
    assert put(hitl, "members/A.B+C@example.com", changed).json == {"email": "A.B+C@example.com", **changed}
    assert len(get(hitl, "members").json["members"]) == 1
    deleted = hitl.api("DELETE", path(hitl, place))
    assert (deleted.status, deleted.text) == (204, "")
    for method in ("GET", "DELETE"):
        assert_problem(hitl.api(method, path(hitl, place)), 404, "not-found")


def test_a_members_alias_answers_from_the_next_mail_on(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    put(hitl, "members/creator@example.com", {"aliases": ["boss@private.example"]})
    hitl.reply("approved", sender="boss@private.example")
    assert request.outcome == "approved"


@pytest.mark.parametrize(
    ("email", "document", "field"),
    [
        ("a@example.com", {"permissions": ["create_requests"]}, "/permissions/0"),
        ("a@example.com", {"aliases": ["nobody"]}, "/aliases/0"),
        ("a@example.com", {"aliases": ["A@example.com"]}, "/aliases/0"),
        ("a@example.com", {"aliases": ["b@example.com", "B@example.com"]}, "/aliases/1"),
        ("a@example.com", {"email": "b@example.com"}, "/email"),
        ("a@example.com", {"role": "boss"}, "/role"),
    ],
)
def test_a_wrong_member_is_refused(hitl: Hitl, email: str, document: Any, field: str) -> None:
    assert_invalid(put(hitl, f"members/{email}", document), field)
    assert get(hitl, "members").json == {"members": []}


@pytest.mark.parametrize("name", ["nobody", "a%40", "a@b", "Bob%20%3Cb@example.com%3E"])
def test_what_is_no_address_is_no_member(hitl: Hitl, name: str) -> None:
    assert_problem(put(hitl, f"members/{name}", {}), 404, "not-found")


# --- API keys


def test_a_key_is_shown_once_and_opens_what_it_is_for_until_it_is_deleted(hitl: Hitl) -> None:
    wish = {"name": "worker", "permissions": ["create_requests"], "expires_at": "2026-01-14T13:00:00Z"}
    issued = hitl.api("POST", path(hitl, "api-keys"), wish)
    assert issued.status == 201
    key, shown = issued.json["key"], issued.json["api_key"]
    assert shown == {**wish, "id": shown["id"], "created_at": "2026-01-14T12:00:00Z", "last_used_at": None}
    assert key.startswith(f"hitl_{hitl.deployment_id}_{shown['id']}_")
    listed = get(hitl, "api-keys")
    assert shown in listed.json["api_keys"]
    secret = key.split("_", 3)[3]
    assert secret not in listed.text + get(hitl, f"api-keys/{shown['id']}").text
    assert hitl.api("GET", "/v1/requests", key=key).status == 200
    assert hitl.api("DELETE", path(hitl, f"api-keys/{shown['id']}")).status == 204
    assert_problem(hitl.api("GET", "/v1/requests", key=key), 401, "unauthorized")
    for method in ("GET", "DELETE"):
        assert_problem(hitl.api(method, path(hitl, f"api-keys/{shown['id']}")), 404, "not-found")


def test_a_key_is_rotated_by_a_new_one_beside_the_old(hitl: Hitl) -> None:
    wish = {"name": "manager", "permissions": ["manage_human_feedback"]}
    old, new = (hitl.api("POST", path(hitl, "api-keys"), wish).json for _ in range(2))
    assert hitl.api("GET", path(hitl, "settings"), key=old["key"]).status == 200
    gone = hitl.api("DELETE", path(hitl, f"api-keys/{old['api_key']['id']}"), key=new["key"])
    assert gone.status == 204
    assert hitl.api("GET", path(hitl, "settings"), key=new["key"]).status == 200
    assert hitl.api("GET", path(hitl, "settings"), key=old["key"]).status == 401


def test_the_last_use_of_a_key_is_known_to_the_hour(hitl: Hitl) -> None:
    key = api_key(hitl, Permission.CREATE_REQUESTS)
    key_id = key.split("_")[2]

    def last_use() -> Any:
        return get(hitl, f"api-keys/{key_id}").json["api_key"]["last_used_at"]

    assert last_use() is None
    hitl.api("GET", "/v1/requests", key=key)
    assert last_use() == "2026-01-14T12:00:00Z"
    hitl.advance(minutes=59)
    hitl.api("GET", "/v1/requests", key=key)
    assert last_use() == "2026-01-14T12:00:00Z"
    hitl.advance(minutes=1)
    hitl.api("GET", "/v1/requests", key=key)
    assert last_use() == "2026-01-14T13:00:00Z"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": " "}, "/name"),
        ({"permissions": []}, "/permissions"),
        ({"permissions": ["everything"]}, "/permissions/0"),
        ({"expires_at": "tomorrow"}, "/expires_at"),
        ({"expires_at": "2026-01-14T12:00:00"}, "/expires_at"),
        ({"expires_at": "2026-01-14T12:00:00Z"}, "/expires_at"),
        ({"secret": "mine"}, "/secret"),
    ],
)
def test_a_wrong_key_is_not_issued(hitl: Hitl, change: dict[str, Any], field: str) -> None:
    before = get(hitl, "api-keys").json
    wish = {"name": "worker", "permissions": ["create_requests"], **change}
    assert_invalid(hitl.api("POST", path(hitl, "api-keys"), wish), field)
    assert [key["id"] for key in get(hitl, "api-keys").json["api_keys"]] == [key["id"] for key in before["api_keys"]]


# --- the deployment's own chain


def test_each_change_is_an_event_with_before_and_after_and_without_secrets(hitl: Hitl) -> None:
    change(hitl, reply_token_days=3)
    put(hitl, "routing-rules", {"rules": [RULE]})
    put(hitl, "members/a@example.com", {"aliases": ["b@example.com"]})
    hitl.api("DELETE", path(hitl, "members/a@example.com"))
    issued = hitl.api("POST", path(hitl, "api-keys"), {"name": "k", "permissions": ["create_requests"]}).json
    hitl.api("DELETE", path(hitl, f"api-keys/{issued['api_key']['id']}"))
    events = chain(hitl)
    assert [event["kind"] for event in events] == [
        "deployment_created",
        "api_key_issued",
        "settings_changed",
        "routing_rules_changed",
        "member_set",
        "member_removed",
        "api_key_issued",
        "api_key_revoked",
    ]
    created, _, settings, rules, member, removed, issue, revoked = (event["data"] for event in events)
    assert created["after"]["creator_email"] == "creator@example.com"
    assert (settings["before"]["reply_token_days"], settings["after"]["reply_token_days"]) == (7, 3)
    assert (rules["before"], rules["after"]) == ({"rules": []}, {"rules": [RULE]})
    assert (member["before"], member["after"]["aliases"]) == (None, ["b@example.com"])
    assert (removed["before"], removed["after"]) == (member["after"], None)
    assert issue["after"] == revoked["before"] == {k: v for k, v in issued["api_key"].items() if k != "last_used_at"}
    own_key = hitl.api_key.split("_")[2]
    assert [event["actor"] for event in events] == ["operator"] * 2 + [f"api_key/{own_key}"] * 6
    written = json.dumps(events)
    for key in (issued["key"], hitl.api_key):
        secret = key.split("_", 3)[3]
        assert secret not in written
    assert "secret_sha256" not in written
    assert current().manage_deployments.show(hitl.deployment_id).api_keys[own_key].secret_sha256 not in written


def test_what_changes_nothing_is_no_event(hitl: Hitl) -> None:
    put(hitl, "members/a@example.com", {})
    before = chain(hitl)
    change(hitl)
    put(hitl, "routing-rules", {"rules": []})
    put(hitl, "members/a@example.com", {})
    assert chain(hitl) == before


def test_a_deployment_from_before_there_were_chains_begins_one(hitl: Hitl) -> None:
    """A configuration that an earlier version wrote has neither a chain nor the newer settings."""
    dynamodb = hitl._clients["dynamodb"]
    key = {"pk": {"S": f"deployment#{hitl.deployment_id}"}, "sk": {"S": "config"}}
    found = dynamodb.get_item(TableName="deployments", Key=key)["Item"]
    doc = json.loads(found["doc"]["S"])
    for name in ("audit_seq", "audit_hash", "members", "webhook_events"):
        del doc[name]
    for name in ("forbid_self_approval", "allowed_assignee_domains", "reminders", "groups", "allow_delegation"):
        del doc["settings"][name]
    dynamodb.put_item(TableName="deployments", Item={**found, "doc": {"S": json.dumps(doc)}})
    for item in dynamodb.scan(TableName="audit")["Items"]:
        dynamodb.delete_item(TableName="audit", Key={"subject": item["subject"], "seq": item["seq"]})
    hitl._relayed.clear()
    change(hitl, reply_token_days=3)
    assert [event["kind"] for event in chain(hitl)] == ["settings_changed"]


# --- for whom all this is


@pytest.mark.parametrize("own", ["0{id}", "{id}x", "-{id}", "٤", "%31", "{id}%20"])
def test_only_the_plain_number_is_the_deployment(hitl: Hitl, own: str) -> None:
    place = f"/v1/deployments/{own.format(id=hitl.deployment_id)}/settings"
    assert_problem(hitl.api("GET", place), 404, "not-found")


def test_another_deployment_looks_like_none(hitl: Hitl) -> None:
    foreign = hitl.api("GET", path(hitl, "settings"), key=key_of_another_deployment())
    nothing = hitl.api("GET", "/v1/deployments/999/settings")
    assert foreign.text == nothing.text
    assert_problem(foreign, 404, "not-found")


def _auto(outcome: str, minutes: int) -> dict[str, Any]:
    return {"enabled": True, "timeout_minutes": minutes, "default_outcome": outcome}


# --- addresses that mail software decodes

ENCODED = "=?utf-8?q?boss=40company.com?=@example.com"


def test_an_address_that_holds_an_encoded_word_is_refused_wherever_one_comes_in(hitl: Hitl) -> None:
    new = {"flow_id": "f", "method_name": "approve_it", "message": "?"}
    assert_invalid(hitl.api("POST", "/v1/requests", {**new, "assigned_to_email": ENCODED}), "/assigned_to_email")
    request = hitl.ask(emit=EMIT, assigned_to_email="ann@example.com")
    moved = hitl.api("POST", f"/v1/requests/{request.id}/reassign", {"assigned_to_email": ENCODED})
    assert_invalid(moved, "/assigned_to_email")
    assert_invalid(hitl.api("POST", path(hitl, "test-request"), {"to": ENCODED}), "/to")
    rule = {**RULE, "assign_to_email": ENCODED}
    assert_invalid(put(hitl, "routing-rules", {"rules": [rule]}), "/rules/0/assign_to_email")
    assert put(hitl, f"members/{quote(ENCODED, safe='')}", {}).status == 404
    assert_invalid(put(hitl, "members/ann@example.com", {"aliases": [ENCODED]}), "/aliases/0")
    group = {"name": "finance", "members": [ENCODED]}
    assert_invalid(put(hitl, "settings", {"groups": [group]}), "/groups/0/members/0")
    change(hitl, allow_delegation=True)
    hitl.reply(f"delegate: {ENCODED}")
    assert request.now()["assigned_to_email"] == "ann@example.com"
    put(hitl, "routing-rules", {"rules": [{**RULE, "assign_to_email": None, "assign_from_input": "manager"}]})
    routed = hitl.api("POST", "/v1/requests", {**new, "state": {"manager": ENCODED}})
    assert routed.json["request"]["assigned_to_email"] == "creator@example.com"
    change(hitl, forbid_self_approval=True)
    asked = {**new, "metadata": {"requested_by": ENCODED}}
    assert_invalid(hitl.api("POST", "/v1/requests", asked), "/metadata/requested_by")
    assert hitl.browser().post("/sign-in", {"email": ENCODED}).status == 422
