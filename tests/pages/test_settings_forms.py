"""Forms hold what documents say: whatever is stored, its form says the same when it is sent as it was opened."""

import json
from html import unescape
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flow_hitl.bootstrap import current
from flow_hitl.contract.shapes import as_json
from flow_hitl.deployments.answers import rules_shown
from flow_hitl.deployments.configuration_documents import parse_rules, parse_settings
from flow_hitl.deployments.deployment import SETTINGS, DeploymentSettings
from flow_hitl.deployments.settings import Setting, SettingsPart
from flow_hitl.pages.rules.forms import condition_rows, conditions_in_words, rule_fields, rule_of
from flow_hitl.pages.settings.change_lines import lines_of
from flow_hitl.pages.settings.forms import PARTS, document_of, fields_of, group_fields, group_of, reminder_rows
from flow_hitl.pages.settings.view import PLACES
from infra.local.hitl_fixture import Browser, Hitl
from infra.openapi import examples
from tests.support.described import document

# What a form can hold of a text: fields are one line, and white space around it is not kept.
WORDS = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=20).map(str.strip)
NAMES = WORDS.filter(lambda text: bool(text) and text.isprintable())
MINUTES = st.integers(1, 527_040)
TEXTS = st.text(max_size=20)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXTS)
ORDERED = st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXTS)
TESTS = st.fixed_dictionaries(
    {},
    optional={
        "eq": SCALARS,
        "ne": SCALARS,
        "gt": ORDERED,
        "gte": ORDERED,
        "lt": ORDERED,
        "lte": ORDERED,
        "in": st.lists(SCALARS, min_size=1, max_size=5),
        "exists": st.booleans(),
    },
).filter(bool)
PATHS = NAMES.map(lambda name: f"state.{name}")
AUTO = st.fixed_dictionaries({"enabled": st.booleans(), "timeout_minutes": MINUTES, "default_outcome": NAMES})


@st.composite
def rule(draw: st.DrawFn) -> dict[str, Any]:
    condition = draw(st.dictionaries(PATHS, TESTS, max_size=4))
    return {
        "name": draw(NAMES),
        "match": {"method_name": draw(NAMES), **({"condition": condition} if condition else {})},
        "assign_to_email": draw(st.sampled_from([None, "a@example.com", "group:finance"])),
        "assign_from_input": draw(NAMES),
        "sla_target_minutes": draw(st.none() | MINUTES),
        "auto_response": draw(st.none() | AUTO),
        "approval_ttl_minutes": draw(st.none() | MINUTES),
    }


@given(rule())
def test_a_rule_survives_its_form(document: dict[str, Any]) -> None:
    (stored,) = as_json(rules_shown(parse_rules(json.dumps({"rules": [document]}))))["rules"]
    fields = rule_fields(stored)
    (again,) = as_json(rules_shown(parse_rules(json.dumps({"rules": [rule_of(fields)]}))))["rules"]
    # As JSON, because to Python 1, 1.0 and True are equal.
    assert json.dumps(again, sort_keys=True) == json.dumps(stored, sort_keys=True)
    tests = sum(len(tests) for tests in stored["match"].get("condition", {}).values())
    assert len(conditions_in_words(stored)) == tests
    assert condition_rows(fields) == tests + (1 if tests else 2), "there is room for more"


REMINDERS = st.one_of(
    st.fixed_dictionaries({"minutes_before_timeout": MINUTES}),
    st.fixed_dictionaries({"share_of_sla": st.floats(0.0001, 1)}),
)
DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "email_notifications": st.booleans(),
        "sla_target_minutes": st.none() | MINUTES,
        "waiting_alert_minutes": st.none() | MINUTES,
        "auto_response": AUTO,
        "approval_ttl_minutes": st.none() | MINUTES,
        "reply_token_days": st.integers(1, 365),
        "free_text": st.sampled_from(["accept", "ask_again"]),
        "reminders": st.lists(REMINDERS, max_size=10),
        "require_dmarc_pass": st.booleans(),
        "forbid_self_approval": st.booleans(),
        "allow_delegation": st.booleans(),
        "allowed_assignee_domains": st.lists(st.sampled_from(["a.com", "b.org", "c.co.uk"]), unique=True),
    },
)
FORMS = [part for part in SettingsPart if part is not SettingsPart.GROUPS]


@given(DOCUMENTS)
def test_each_part_of_the_settings_survives_its_form(document: dict[str, Any]) -> None:
    stored = as_json(parse_settings(json.dumps(document)))
    for part in FORMS:
        fields = fields_of(part, stored)
        again = as_json(parse_settings(json.dumps({**stored, **document_of(part, fields)})))
        assert again == stored, part
    assert reminder_rows(fields_of(SettingsPart.REMINDERS, stored)) == min(len(stored["reminders"]) + 1, 10)


def other_than(name: str) -> Any:
    """Return another value of a setting than its default."""
    match SETTINGS[name]:
        case Setting(widget="toggle"):
            return not getattr(DeploymentSettings(), name)
        case Setting(widget="number"):
            return 30
        case Setting(widget="choice", choices=[*_, (value, _)]):
            return value
        case Setting(widget="lines"):
            return ["example.com"]
        case _:
            return examples.SETTINGS[name]


@pytest.mark.parametrize("name", as_json(DeploymentSettings()))
def test_a_setting_is_one_entry(hitl: Hitl, manager: Browser, name: str) -> None:
    entry = SETTINGS[name]
    assert [part for part, held in PARTS.items() if name in held] == [entry.part]
    place = {"reminders": "email", "people": "answers"}.get(entry.part.value, entry.part.value)
    assert place in PLACES
    form = unescape(manager.get(f"/d/1/settings/{place}").text)
    assert entry.widget == "own" or f'name="{name}"' in form
    for text in (entry.label, entry.hint, *(text for _, text in entry.choices)):
        assert text in form
    assert document()["components"]["schemas"]["Settings"]["properties"][name]["description"]

    hitl.configure(settings={name: other_than(name)})
    *_, change = current()._audit.changes(hitl.deployment_id, 0, 100)
    assert any(entry.label.removesuffix("s") in line for line in lines_of(change))


@given(st.none() | NAMES, st.lists(st.sampled_from(["a@x.org", "b@x.org", "c@x.org"]), min_size=1, unique=True))
def test_a_group_survives_its_form(name: str | None, members: list[str]) -> None:
    group: dict[str, Any] = {"address": "team@x.org", "members": members} | ({"name": name} if name else {})
    assert group_of(group_fields(group)) == group


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("12", 12),
        ("1e3", 1000.0),
        ("-0.5", -0.5),
        ("true", True),
        ("null", None),
        ('"true"', "true"),
        ("True", "True"),
        ("01", "01"),
        ("EUR", "EUR"),
        ("[1]", "[1]"),
        ("NaN", "NaN"),
        ('"open', '"open'),
        ("[" * 10_000, "[" * 10_000),
    ],
)
def test_a_value_is_a_number_a_word_of_json_or_the_text_itself(typed: str, meant: object) -> None:
    fields = {"condition_0_path": "x", "condition_0_test": "eq", "condition_0_value": typed}
    operand = rule_of(fields)["match"]["condition"]["state.x"]["eq"]
    assert (type(operand), operand) == (type(meant), meant)
