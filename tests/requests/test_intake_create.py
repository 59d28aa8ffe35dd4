"""`POST /v1/requests` by the contract, and everything that it refuses."""

import json
import math
import uuid
from datetime import timedelta
from typing import Any

import pytest

from flow_hitl.bootstrap import current
from flow_hitl.deployments.deployment import Permission
from infra.local.hitl_fixture import START, Answer, Hitl
from tests.support.asserts import (
    EMIT,
    NEW,
    api_key,
    assert_invalid,
    assert_problem,
    callback,
    everything_written,
    key_of_another_deployment,
)

OWN_ID = "0192f0c1-7e11-7abc-8def-0123456789ab"
FULL = {
    **NEW,
    "flow_name": "ContentApprovalFlow",
    "output": {"draft": ["# Title", 1, None, 2.5]},
    "state": {"lead": {"owner": "rep@example.com"}, "grüße": True},
    "metadata": {"run": 7},
    "history": [{"method": "generate_content", "at": "2026-01-14T11:00:00Z", "output": "first"}],
    "resume_url": "https://flows.example.com/resume",
    "assigned_to_email": "Alice@Example.com",
    "auto_response": {"timeout_minutes": 60, "default_outcome": "rejected"},
    "sla_target_minutes": 90,
    "free_text": "ask_again",
}


def create(hitl: Hitl, body: Any = None, **call: Any) -> Answer:
    return hitl.api("POST", "/v1/requests", NEW if body is None and "raw" not in call else body, **call)


def with_key(text: str) -> dict[str, Any]:
    return {"headers": {"Idempotency-Key": text}}


# --- what comes back


def test_the_least_that_is_needed(hitl: Hitl) -> None:
    answer = create(hitl, {"flow_id": "f", "method_name": "m", "message": "?"})
    assert answer.status == 201
    request = answer.json["request"]
    assert request["status"] == "pending"
    assert request["emit_options"] == []
    assert (request["state"], request["metadata"], request["history"], request["warnings"]) == ({}, {}, [], [])
    assert (request["assigned_to_email"], request["assigned_by"]) == ("creator@example.com", "deployment_creator")
    assert request["created_at"] == "2026-01-14T12:00:00Z"
    assert request["test"] is False
    assert answer.json["callback_url"].startswith("https://hitl.test/")
    page = f"https://hitl.test/d/{hitl.deployment_id}/requests/{answer.json['request']['id']}"
    assert answer.json["dashboard_url"] == page


def test_all_that_is_given_comes_back(hitl: Hitl) -> None:
    request = create(hitl, FULL).json["request"]
    given = dict(FULL)
    del given["resume_url"], given["auto_response"], given["sla_target_minutes"], given["free_text"]
    assert {name: request[name] for name in given} == given
    assert request["auto_response"] == {
        "timeout_minutes": 60,
        "default_outcome": "rejected",
        "due_at": "2026-01-14T13:00:00Z",
    }
    assert request["sla_due_at"] == "2026-01-14T13:30:00Z"
    assert request["assigned_by"] == "request"
    assert hitl.api("GET", f"/v1/requests/{request['id']}").json["request"] == request


def test_ids_are_of_version_seven_in_real_life() -> None:
    from flow_hitl.platform.system_clock import RandomIds

    made = [uuid.UUID(RandomIds().request_id(START + timedelta(seconds=second))) for second in range(20)]
    assert {(one.version, one.variant) for one in made} == {(7, uuid.RFC_4122)}
    assert made == sorted(made)


def test_a_state_that_is_too_big_for_a_row_comes_back_whole(hitl: Hitl) -> None:
    big = {"text": "grüße " * 40_000}
    answer = create(hitl, {**NEW, "state": big, "output": "x" * 200_000})
    assert answer.status == 201
    request = hitl.api("GET", f"/v1/requests/{answer.json['request']['id']}").json["request"]
    assert request["state"] == big
    assert len(request["output"]) == 200_000


def test_deep_state_is_kept_and_mailed(hitl: Hitl) -> None:
    deep: Any = "bottom"
    for _ in range(150):
        deep = [deep]
    assert create(hitl, {**NEW, "state": {"deep": deep}, "output": deep}).status == 201
    assert len(hitl.inbox) == 1


@pytest.mark.parametrize(
    ("state", "assigned_to", "assigned_by", "rule"),
    [
        ({"rep": "rep@example.com"}, "rep@example.com", "assign_from_input", "sales"),
        ({"rep": "nobody"}, "sales@example.com", "assign_to_email", "sales"),
    ],
)
def test_rules_choose(hitl: Hitl, state: dict[str, str], assigned_to: str, assigned_by: str, rule: str) -> None:
    match = {"method_name": "review_*"}
    hitl.configure(
        rules=[
            {"name": "other", "match": {"method_name": "approve_*"}, "assign_to_email": "x@example.com"},
            {"name": "sales", "match": match, "assign_from_input": "rep", "assign_to_email": "sales@example.com"},
        ]
    )
    request = hitl.ask(method_name="review_article", state=state)
    now = request.now()
    assert (now["assigned_to_email"], now["assigned_by"], now["routing_rule"]) == (assigned_to, assigned_by, rule)
    assert hitl.inbox[-1].to == assigned_to
    assert f'rule "{rule}"' in " ".join(request.timeline[0]["data"]["routing"])


# --- the same call again


def test_the_same_id_again_gives_the_request_as_it_now_is(hitl: Hitl) -> None:
    body = {**NEW, "id": OWN_ID}
    first = create(hitl, body)
    assert (first.status, first.json["request"]["id"]) == (201, OWN_ID)
    hitl.reply("approved")
    written = everything_written(hitl)
    again = create(hitl, dict(reversed(body.items())))
    assert again.status == 200
    assert again.json["request"]["status"] == "responded"
    assert again.json["callback_url"] == first.json["callback_url"]
    assert everything_written(hitl) == written


def test_an_id_in_capitals_is_the_same_id(hitl: Hitl) -> None:
    assert create(hitl, {**NEW, "id": OWN_ID}).status == 201
    assert create(hitl, {**NEW, "id": OWN_ID.upper()}).status == 200
    assert hitl.api("GET", f"/v1/requests/{OWN_ID.upper()}").status == 200


def test_the_same_id_with_another_body_is_refused(hitl: Hitl) -> None:
    create(hitl, {**NEW, "id": OWN_ID})
    written = everything_written(hitl)
    assert_problem(create(hitl, {**NEW, "id": OWN_ID, "message": "Other"}), 422, "idempotency-mismatch")
    assert_problem(create(hitl, {**NEW, "id": OWN_ID, "auto_response": None}), 422, "idempotency-mismatch")
    assert everything_written(hitl) == written


def test_another_deployments_id_shows_nothing_of_it(hitl: Hitl) -> None:
    create(hitl, {**NEW, "id": OWN_ID, "message": "private words"})
    answer = create(hitl, {**NEW, "id": OWN_ID, "message": "private words"}, key=key_of_another_deployment())
    assert_problem(answer, 422, "idempotency-mismatch")
    assert "private" not in answer.text


def test_the_same_idempotency_key_again(hitl: Hitl) -> None:
    first, again = create(hitl, **with_key("k-1")), create(hitl, **with_key("k-1"))
    assert (first.status, again.status) == (201, 200)
    assert first.json == again.json
    assert_problem(create(hitl, {**NEW, "message": "Other"}, **with_key("k-1")), 422, "idempotency-mismatch")
    assert create(hitl, **with_key("k-2")).json["request"]["id"] != first.json["request"]["id"]
    assert len(hitl.inbox) == 2


def test_an_idempotency_key_is_its_deployments_own(hitl: Hitl) -> None:
    first = create(hitl, **with_key("k-1"))
    other = create(hitl, key=key_of_another_deployment(), **with_key("k-1"))
    assert other.status == 201
    assert other.json["request"]["id"] != first.json["request"]["id"]


def test_an_idempotency_key_is_kept_for_seven_days(hitl: Hitl) -> None:
    first = create(hitl, **with_key("k-1"))
    hitl.advance(days=7)
    assert create(hitl, **with_key("k-1")).json["request"]["id"] == first.json["request"]["id"]
    hitl.advance(seconds=1)
    later = create(hitl, {**NEW, "message": "Other"}, **with_key("k-1"))
    assert later.status == 201
    assert create(hitl, {**NEW, "message": "Other"}, **with_key("k-1")).json["request"] == later.json["request"]


@pytest.mark.parametrize("key", ["", " ", "a b", "\u00e9", "x" * 256, "a\tb"])
def test_an_idempotency_key_is_visible_ascii(hitl: Hitl, key: str) -> None:
    assert_problem(create(hitl, **with_key(key)), 422, "validation")


def test_the_callers_own_id_is_the_key(hitl: Hitl) -> None:
    create(hitl, {**NEW, "id": OWN_ID}, **with_key("k-1"))
    assert create(hitl, {**NEW, "id": OWN_ID}, **with_key("k-2")).status == 200


# --- what is refused, with nothing half-written


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"surprise": 1}, "/surprise"),
    ({"flow_id": None}, "/flow_id"),
    ({"flow_id": ""}, "/flow_id"),
    ({"flow_id": "  "}, "/flow_id"),
    ({"flow_id": 7}, "/flow_id"),
    ({"method_name": ["x"]}, "/method_name"),
    ({"message": " \n "}, "/message"),
    ({"id": "not-a-uuid"}, "/id"),
    ({"id": "0192f0c17e117abc8def0123456789ab"}, "/id"),
    ({"id": "{0192f0c1-7e11-7abc-8def-0123456789ab}"}, "/id"),
    ({"emit_options": "approved"}, "/emit_options"),
    ({"emit_options": ["approved", ""]}, "/emit_options/1"),
    ({"emit_options": ["approved", 1]}, "/emit_options/1"),
    ({"emit_options": ["approved", " APPROVED"]}, "/emit_options/0 /emit_options/1"),
    ({"emit_options": ["needs_revision", "rejected", "needs revision"]}, "/emit_options/0 /emit_options/2"),
    ({"emit_options": ["rejected", "approved", "approved"]}, "/emit_options/1 /emit_options/2"),
    ({"emit_options": ["approved\nrejected"]}, "/emit_options/0"),
    ({"emit_options": ["\u200b"]}, "/emit_options/0"),
    ({"emit_options": [f"option {n}" for n in range(51)]}, "/emit_options"),
    ({"state": []}, "/state"),
    ({"metadata": "x"}, "/metadata"),
    ({"history": [{"method": "m", "who": "x"}]}, "/history/0/who"),
    ({"history": [{"at": "2026-01-14T12:00:00Z"}]}, "/history/0/method"),
    ({"resume_url": "ftp://flows.example.com/"}, "/resume_url"),
    ({"resume_url": "flows.example.com"}, "/resume_url"),
    ({"resume_url": "https:///path"}, "/resume_url"),
    ({"resume_url": "https://user:pass@flows.example.com/"}, "/resume_url"),
    ({"resume_url": "https://flows.example.com/a b"}, "/resume_url"),
    ({"resume_url": "https://flows.example.com/\r\nX: y"}, "/resume_url"),
    ({"resume_url": "https://flows.example.com:99999/"}, "/resume_url"),
    ({"resume_url": "https://flows.example.com/gr\u00fc\u00dfe"}, "/resume_url"),
    ({"resume_url": "https://[::1/"}, "/resume_url"),
    ({"resume_url": f"https://{'a' * 64}.example..com/"}, "/resume_url"),
    ({"resume_url": "https://169.254.169.254/latest/meta-data/"}, "/resume_url"),
    ({"resume_url": "https://flows.example.com/#fragment"}, "/resume_url"),
    ({"assigned_to_email": "Alice <alice@example.com>"}, "/assigned_to_email"),
    ({"assigned_to_email": ""}, "/assigned_to_email"),
    ({"auto_response": {"timeout_minutes": 0, "default_outcome": "approved"}}, "/auto_response/timeout_minutes"),
    ({"auto_response": {"timeout_minutes": -1, "default_outcome": "approved"}}, "/auto_response/timeout_minutes"),
    ({"auto_response": {"timeout_minutes": 1.5, "default_outcome": "approved"}}, "/auto_response/timeout_minutes"),
    ({"auto_response": {"timeout_minutes": "60", "default_outcome": "approved"}}, "/auto_response/timeout_minutes"),
    ({"auto_response": {"timeout_minutes": True, "default_outcome": "approved"}}, "/auto_response/timeout_minutes"),
    ({"auto_response": {"timeout_minutes": 60, "default_outcome": "other"}}, "/auto_response/default_outcome"),
    ({"auto_response": {"timeout_minutes": 60, "default_outcome": "Approved"}}, "/auto_response/default_outcome"),
    ({"auto_response": {"timeout_minutes": 60}}, "/auto_response/default_outcome"),
    ({"sla_target_minutes": 0}, "/sla_target_minutes"),
    ({"free_text": "ignore"}, "/free_text"),
    ({"a/b~c": 1}, "/a~1b~0c"),
]


def test_a_wrong_field_is_named_and_nothing_is_written(hitl: Hitl, subtests: pytest.Subtests) -> None:
    before = everything_written(hitl)
    for change, fields in WRONG:
        with subtests.test(str(change)):
            assert_invalid(create(hitl, {**NEW, **change}), *fields.split())
    assert everything_written(hitl) == before


@pytest.mark.parametrize("missing", ["flow_id", "method_name", "message"])
def test_what_is_missing_is_named(hitl: Hitl, missing: str) -> None:
    assert_invalid(create(hitl, {name: value for name, value in NEW.items() if name != missing}), f"/{missing}")


def test_several_wrong_fields_are_all_named(hitl: Hitl) -> None:
    assert_invalid(create(hitl, {"flow_id": "", "extra": 1}), "/flow_id", "/extra", "/method_name", "/message")


NO_JSON: list[str | bytes] = [
    "",
    "{",
    "not json",
    "{'flow_id': 'f'}",
    '{"flow_id":"f",}',
    "\ufeff{}",
    b"\xff\xfe{}",
    '{"message":"\\ud800"}',
    "[" * 100_000,
    '{"state":{"x":' + "[" * 5000 + "]" * 5000 + "}}",
]


def test_what_is_no_json_is_said_to_be_none(hitl: Hitl, subtests: pytest.Subtests) -> None:
    before = everything_written(hitl)
    for raw in NO_JSON:
        with subtests.test(str(raw[:40])):
            assert_problem(create(hitl, raw=raw), 400, "malformed-json")
    assert everything_written(hitl) == before


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400"])
def test_numbers_that_json_has_not_are_refused(hitl: Hitl, number: str) -> None:
    wrapped = {
        "state": f'{{"x":{number}}}',
        "output": f"[{number}]",
        "metadata": f'{{"x":[{number}]}}',
        "history": f'[{{"method":"m","output":{number}}}]',
    }
    for field, value in wrapped.items():
        answer = create(hitl, raw=json.dumps(NEW)[:-1] + f',"{field}":{value}}}')
        assert_problem(answer, 400, "malformed-json")
    assert everything_written(hitl)["requests"] == 0


@pytest.mark.parametrize("raw", ["[]", "null", '"text"', "7"])
def test_json_that_is_no_object_is_invalid(hitl: Hitl, raw: str) -> None:
    answer = create(hitl, raw=raw)
    assert answer.status in (400, 422)
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_body_may_have_one_mebibyte(hitl: Hitl) -> None:
    frame = len(json.dumps({**NEW, "output": ""}))
    body = json.dumps({**NEW, "output": "x" * (1024 * 1024 - frame)})
    assert len(body) == 1024 * 1024
    assert create(hitl, raw=body).status == 201
    before = everything_written(hitl)
    assert_problem(create(hitl, raw=body + " "), 413, "too-large")
    umlauts = json.dumps({**NEW, "output": "ü" * 600_000}, ensure_ascii=False)
    assert_problem(create(hitl, raw=umlauts), 413, "too-large")
    assert_problem(create(hitl, raw=umlauts.encode()), 413, "too-large")
    assert everything_written(hitl) == before


def test_a_body_that_api_gateway_encoded_is_decoded(hitl: Hitl) -> None:
    body = json.dumps({**NEW, "message": "Grüße?"}, ensure_ascii=False).encode()
    assert create(hitl, raw=body).json["request"]["message"] == "Grüße?"


# --- who may


BAD_KEYS: list[str | None] = [
    None,
    "",
    "Bearer",
    "Bearer ",
    "Bearer hitl_1_abc",
    "Basic aGl0bDpoaXRs",
    "Bearer hitl_1_00000000_" + "x" * 43,
    "Bearer hitl_999_00000000_" + "x" * 43,
    "Bearer hitl_" + "9" * 15 + "_00000000_" + "x" * 43,
    "Bearer \u00fc",
]


def test_without_a_good_key_nothing_is_done(hitl: Hitl, subtests: pytest.Subtests) -> None:
    before = everything_written(hitl)
    for header in BAD_KEYS:
        headers = {"Authorization": header} if header is not None else {}
        with subtests.test(str(header)):
            assert_problem(create(hitl, key=None, headers=headers), 401, "unauthorized")
    assert everything_written(hitl) == before


def test_one_wrong_character_is_a_wrong_key(hitl: Hitl) -> None:
    altered = hitl.api_key[:-1] + ("A" if hitl.api_key[-1] != "A" else "B")
    assert_problem(create(hitl, key=altered), 401, "unauthorized")


def test_a_revoked_key_opens_nothing_more(hitl: Hitl) -> None:
    key = api_key(hitl)
    assert create(hitl, key=key).status == 201
    current().manage_deployments.revoke_key(hitl.deployment_id, key.split("_")[2])
    assert_problem(create(hitl, key=key), 401, "unauthorized")


def test_a_key_is_worth_nothing_from_its_last_second_on(hitl: Hitl) -> None:
    key = api_key(hitl, expires_at=hitl.clock.now() + timedelta(hours=1))
    hitl.advance(seconds=3599)
    assert create(hitl, key=key).status == 201
    hitl.advance(seconds=1)
    assert_problem(create(hitl, key=key), 401, "unauthorized")


@pytest.mark.parametrize("permission", [Permission.MANAGE, Permission.RESPOND])
def test_a_key_without_the_permission_is_forbidden(hitl: Hitl, permission: Permission) -> None:
    answer = create(hitl, key=api_key(hitl, permission))
    assert "create_requests" in assert_problem(answer, 403, "forbidden")["detail"]


def test_a_refusal_never_repeats_the_key(hitl: Hitl) -> None:
    assert "hitl_1_abc" not in create(hitl, key="hitl_1_abc").text


# --- auto-response: the request's own, the deployment's, none


AUTO = {"enabled": True, "timeout_minutes": 30, "default_outcome": "rejected"}


def test_one_is_inherited_if_the_request_says_nothing(hitl: Hitl) -> None:
    hitl.configure(settings={"auto_response": AUTO})
    assert create(hitl).json["request"]["auto_response"] == {
        "timeout_minutes": 30,
        "default_outcome": "rejected",
        "due_at": "2026-01-14T12:30:00Z",
    }


def test_null_means_never(hitl: Hitl) -> None:
    hitl.configure(settings={"auto_response": AUTO})
    request = create(hitl, {**NEW, "auto_response": None}).json["request"]
    assert (request["auto_response"], request["warnings"]) == (None, [])


def test_the_requests_own_comes_first(hitl: Hitl) -> None:
    hitl.configure(settings={"auto_response": AUTO})
    own = {"timeout_minutes": 1, "default_outcome": "approved"}
    assert create(hitl, {**NEW, "auto_response": own}).json["request"]["auto_response"] == {
        **own,
        "due_at": "2026-01-14T12:01:00Z",
    }


def test_a_disabled_one_is_not_inherited(hitl: Hitl) -> None:
    hitl.configure(settings={"auto_response": {**AUTO, "enabled": False}})
    request = create(hitl).json["request"]
    assert (request["auto_response"], request["warnings"]) == (None, [])


def test_an_option_that_an_answer_could_not_tell_from_another_is_refused_with_the_others_name(hitl: Hitl) -> None:
    answer = create(hitl, {**NEW, "emit_options": ["needs_revision", "rejected", "Needs-Revision"]})
    first, second = answer.json["errors"]
    assert (first["field"], second["field"]) == ("/emit_options/0", "/emit_options/2")
    assert first["message"].startswith('must differ from "Needs-Revision" in more than case')
    assert second["message"].startswith('must differ from "needs_revision" in more than case')


def test_fifty_options_of_a_hundred_characters_are_taken(hitl: Hitl) -> None:
    options = [f"{number:02} " + "é" * 97 for number in range(50)]
    request = hitl.ask(emit=options)
    assert request.now()["emit_options"] == options
    hitl.reply(options[49])
    assert request.outcome == options[49]


@pytest.mark.parametrize(
    "options",
    [["+1", "-1"], ["C", "C++"], ["< 10 %", "> 10 %"], ["approve ✅", "approve ❌"], ["approved", "Approved!"]],
)
def test_options_may_differ_in_their_signs_alone(hitl: Hitl, options: list[str]) -> None:
    for option in options:
        request = hitl.ask(emit=options, auto_response={"timeout_minutes": 1, "default_outcome": option})
        callback(hitl, request, option)
        assert request.outcome == option


def test_a_default_that_a_person_would_understand_is_still_not_guessed(hitl: Hitl) -> None:
    own = {"timeout_minutes": 1, "default_outcome": "Rejected."}
    problem = assert_invalid(create(hitl, {**NEW, "auto_response": own}), "/auto_response/default_outcome")
    assert problem["errors"][0]["message"] == 'must be written exactly as the option is: "rejected"'
    hitl.configure(settings={"auto_response": {**AUTO, "default_outcome": "Rejected."}})
    request = create(hitl).json["request"]
    assert request["auto_response"] is None
    assert request["warnings"][0].endswith('Write it exactly as the option is: "rejected".')


def test_one_that_does_not_fit_is_left_out_with_a_warning_and_audited(hitl: Hitl) -> None:
    hitl.configure(settings={"auto_response": {**AUTO, "default_outcome": "escalate"}})
    request = hitl.ask(emit=EMIT)
    now = request.now()
    assert now["auto_response"] is None
    assert len(now["warnings"]) == 1
    assert "escalate" in now["warnings"][0]
    assert request.timeline[0]["data"]["warnings"] == now["warnings"]


def test_without_emit_options_any_default_is_allowed(hitl: Hitl) -> None:
    own = {"timeout_minutes": 1, "default_outcome": "go on"}
    answer = create(hitl, {**NEW, "emit_options": [], "auto_response": own})
    assert answer.json["request"]["auto_response"]["default_outcome"] == "go on"


def test_the_deployments_sla_is_inherited_and_overridden(hitl: Hitl) -> None:
    hitl.configure(settings={"sla_target_minutes": 120})
    assert create(hitl).json["request"]["sla_due_at"] == "2026-01-14T14:00:00Z"
    assert create(hitl, {**NEW, "sla_target_minutes": 15}).json["request"]["sla_due_at"] == "2026-01-14T12:15:00Z"


def test_a_path_that_is_not_there(hitl: Hitl) -> None:
    assert_problem(hitl.api("GET", "/v1/nothing"), 404, "not-found")
    assert_problem(hitl.api("PUT", "/v1/requests", NEW), 404, "not-found")


def test_times_are_rounded_up_so_that_nothing_is_early(hitl: Hitl) -> None:
    hitl.advance(seconds=0.25)
    request = create(hitl, FULL).json["request"]
    assert request["created_at"] == "2026-01-14T12:00:00Z"
    assert request["auto_response"]["due_at"] == "2026-01-14T13:00:01Z"
    assert math.isclose((hitl.clock.now() - START).total_seconds(), 0.25)
