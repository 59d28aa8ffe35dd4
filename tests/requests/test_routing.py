"""The spec's "Routing Rules": which rule matches, and whom each step of the assignment yields."""

import fnmatch
from typing import Any

import idna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flow_hitl.deployments.deployment import RoutingRule
from flow_hitl.requests.opening.routing import AssignedBy, Assignment, assign, matches
from tests.speed import cpu_seconds

CREATOR = "creator@example.com"


@pytest.mark.parametrize(
    ("pattern", "method", "expected"),
    [
        ("approve_*", "approve_payment", True),
        ("approve_*", "approve_vendor", True),
        ("approve_*", "approve_", True),
        ("approve_*", "approve", False),
        ("approve_*", "pre_approve_payment", False),
        ("review_?", "review_a", True),
        ("review_?", "review_1", True),
        ("review_?", "review_", False),
        ("review_?", "review_ab", False),
        ("review_?", "review_\U0001f600", True),
        ("validate_payment", "validate_payment", True),
        ("validate_payment", "validate_payments", False),
        ("validate_payment", "Validate_Payment", False),
        ("Approve_*", "approve_x", False),
        ("*", "", True),
        ("*", "anything\nat all", True),
        ("*_final", "a_final", True),
        ("*_final", "a_final_draft", False),
        ("a*b*c", "a-b-c", True),
        ("a*b*c", "abc", True),
        ("a*b*c", "acb", False),
        ("a**c", "abc", True),
        ("a*?", "a", False),
        ("a*?", "ab", True),
        ("*a*a", "a", False),
        ("*a*a", "aa", True),
        ("a*ba", "aba", True),
        ("a*a", "a", False),
        ("", "", True),
        ("", "a", False),
    ],
)
def test_patterns(pattern: str, method: str, expected: bool) -> None:
    assert matches(pattern, method) is expected


@pytest.mark.parametrize("special", [*"[]!^$.+(){}|\\#-&~/", "[ab]", "[!a]", "a|b", r"\d", r"\*"])
def test_nothing_else_in_a_pattern_is_special(special: str) -> None:
    if "*" not in special:
        assert matches(special, special)
    assert not matches(special, "a")
    assert not matches(special, "7")


@given(pattern=st.text("ab*?", max_size=8), method=st.text("ab", max_size=10))
def test_stars_and_question_marks_are_those_of_a_shell(pattern: str, method: str) -> None:
    assert matches(pattern, method) == fnmatch.fnmatchcase(method, pattern)


@pytest.mark.parametrize("pattern", ["*a" * 100 + "b", "*" * 200 + "b", "*a?" * 80 + "b", "?*" * 120 + "b"])
def test_no_pattern_takes_long(pattern: str) -> None:
    assert not matches(pattern, "a" * 256)
    assert cpu_seconds(lambda: matches(pattern, "a" * 256), 0.5) < 0.5


def test_a_thousand_rules_take_about_a_millisecond_once_warm() -> None:
    rules = [RoutingRule(f"rule {number}", f"approve_{number}_*_x?", "a@example.com") for number in range(1000)]
    route({}, *rules)
    assert cpu_seconds(lambda: route({}, *rules), 0.02) < 0.02, "twenty times what it takes on a quiet machine"


def route(state: dict[str, Any], *rules: RoutingRule, requested: str | None = None) -> Assignment:
    return assign(
        method_name="review_article", state=state, rules=rules, creator_email=CREATOR, requested_email=requested
    )


def test_the_request_itself_comes_first() -> None:
    chosen = route({}, RoutingRule("all", "*", "rule@example.com"), requested="wish@example.com")
    assert (chosen.email, chosen.by, chosen.rule) == ("wish@example.com", AssignedBy.REQUEST, None)


def test_then_the_state_then_the_rule_then_the_creator() -> None:
    rule = RoutingRule("sales", "review_*", "static@example.com", "rep")
    from_state, static, creator = (
        route({"rep": "rep@example.com"}, rule),
        route({}, rule),
        route({}, RoutingRule("others", "approve_*", "x@example.com")),
    )
    assert (from_state.email, from_state.by) == ("rep@example.com", AssignedBy.ASSIGN_FROM_INPUT)
    assert (static.email, static.by) == ("static@example.com", AssignedBy.ASSIGN_TO_EMAIL)
    assert (creator.email, creator.by, creator.rule) == (CREATOR, AssignedBy.DEPLOYMENT_CREATOR, None)
    assert from_state.rule == static.rule == "sales"


def test_the_first_matching_rule_wins_even_if_it_yields_nobody() -> None:
    chosen = route(
        {}, RoutingRule("first", "review_*", None, "nobody"), RoutingRule("second", "*", "second@example.com")
    )
    assert (chosen.email, chosen.by) == (CREATOR, AssignedBy.DEPLOYMENT_CREATOR)


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ({}, "has no rep"),
        ({"Rep": "rep@example.com"}, "has no rep"),
        ({"rep": None}, "not an email address"),
        ({"rep": ""}, "not an email address"),
        ({"rep": 7}, "not an email address"),
        ({"rep": ["rep@example.com"]}, "not an email address"),
        ({"rep": "Rep <rep@localhost>"}, "not an email address"),
        ({"rep": "boss@example.com <rep@example.com>"}, "more than one email address"),
        ({"rep": "jürgen@example.com"}, "only ASCII characters"),
        ({"rep": "rep@example.com, b@example.com"}, "not an email address"),
        ({"rep": "rep@example.com\nBcc: b@example.com"}, "not an email address"),
        ({"rep": "rep"}, "not an email address"),
    ],
)
def test_a_variable_that_names_nobody_falls_through_and_says_why(state: dict[str, Any], says: str) -> None:
    chosen = route(state, RoutingRule("sales", "review_*", "static@example.com", "rep"))
    assert (chosen.email, chosen.by) == ("static@example.com", AssignedBy.ASSIGN_TO_EMAIL)
    assert any(says in reason and "assign_from_input" in reason for reason in chosen.reasons)


@pytest.mark.parametrize(
    ("written", "mailbox"),
    [
        ("rep@example.com\n", "rep@example.com"),
        (" \u00a0rep@example.com\t", "rep@example.com"),
        ("\ufeffrep@example.com\u200b", "rep@example.com"),
        ("Rep <rep@example.com>", "rep@example.com"),
        ('"Rep, Sales" <rep@example.com>', "rep@example.com"),
        ("Doe, Alice\n <rep@example.com> ", "rep@example.com"),
        ("rep@example.com <rep@example.com>", "rep@example.com"),
        ("<rep@example.com>", "rep@example.com"),
        ("mailto:rep@example.com", "rep@example.com"),
        ("MAILTO:rep%2Bcrm@example.com?subject=Hi", "rep+crm@example.com"),
        ("Rep <mailto:rep@example.com>", "rep@example.com"),
        ("rep@bücher.example", "rep@xn--bcher-kva.example"),
        ("rep@BÜCHER.example", "rep@xn--bcher-kva.example"),
        ("rep@straße.example", "rep@xn--strae-oqa.example"),
        ("rep@例え。テスト", "rep@xn--r8jz45g.xn--zckzah"),
        ("Rep <rep@münchen.example>", "rep@xn--mnchen-3ya.example"),
        ("rep@ｅｘａｍｐｌｅ.com", "rep@example.com"),
    ],
)
def test_an_address_is_understood_as_people_and_programs_write_it(written: str, mailbox: str) -> None:
    chosen = route({"rep": written}, RoutingRule("sales", "review_*", "static@example.com", "rep"))
    assert (chosen.email, chosen.by, chosen.shortfall) == (mailbox, AssignedBy.ASSIGN_FROM_INPUT, None)


@pytest.mark.parametrize(
    "written",
    [
        "rep@example.com\nBcc: b@example.com",
        "mailto:rep@example.com,b@example.com",
        "mailto:rep@example.com%0ABcc:b@example.com",
        "Rep <rep@example.com> <b@example.com>",
        "b@example.com; Rep <rep@example.com>",
        "rep@☃.example",
        "rep@bü\u200bcher.example",
        "rep@\u0301x.example",
        "rep@" + "ü" * 80 + ".example",
        "<>",
        "\ud800@example.com",
        "rep@exa\ud800mple.com",
    ],
)
def test_what_could_be_read_in_two_ways_is_no_address(written: str) -> None:
    chosen = route({"rep": written}, RoutingRule("sales", "review_*", "static@example.com", "rep"))
    assert (chosen.email, chosen.by) == ("static@example.com", AssignedBy.ASSIGN_TO_EMAIL)
    assert "rep in the state was not a usable address" in str(chosen.shortfall)


def test_a_domain_becomes_what_the_register_of_domains_has() -> None:
    for domain in (
        "faß.example",
        "ΟΔΟΣ.example",
        "οδος.example",
        "Ünïcödé.example",
        "пример.example",
        "ελλάδα.example",
        "日本語.example",
        "한국.example",
    ):
        chosen = route({"rep": f"rep@{domain}"}, RoutingRule("sales", "*", None, "rep"))
        assert chosen.email == "rep@" + idna.encode(domain, uts46=True).decode()


def test_a_missing_variable_is_ordinary_where_the_rule_has_an_address_of_its_own() -> None:
    assert route({}, RoutingRule("sales", "*", "static@example.com", "rep")).shortfall is None
    assert route({}, RoutingRule("sales", "*", None, "rep")).shortfall == "the state has no rep"


def test_no_reason_repeats_what_the_state_holds() -> None:
    chosen = route({"rep": "a secret, not an address"}, RoutingRule("sales", "review_*", None, "rep"))
    assert "secret" not in " ".join(chosen.reasons)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("lead.owner.email", "deep@example.com"),
        ("lead.team.0.email", "first@example.com"),
        ("lead.team.1.email", "second@example.com"),
        ("lead.team.2.email", None),
        ("lead.team.-1.email", None),
        ("lead.owner", None),
        ("lead.owner.email.more", None),
        ("lead..email", None),
        ("dotted.key", "dotted@example.com"),
    ],
)
def test_dotted_paths_reach_into_nested_state(path: str, found: str | None) -> None:
    state = {
        "lead": {
            "owner": {"email": "deep@example.com"},
            "team": [{"email": "first@example.com"}, {"email": "second@example.com"}],
        },
        "dotted.key": "dotted@example.com",
        "dotted": {"key": "nested@example.com"},
    }
    assert route(state, RoutingRule("r", "*", None, path)).email == (found or CREATOR)
