"""`flow-hitl group`: the groups that rules assign requests to, kept in the deployment's settings."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result

from flow_hitl.bootstrap import current
from infra.cli.main import main
from infra.cli.target import CommandTarget
from infra.local.hitl_fixture import Hitl

ANN, BOB, CLEO = "ann@example.com", "bob@example.com", "cleo@example.com"
MAILBOX = "finance@example.com"

Run = Callable[..., Result]


@pytest.fixture
def run(hitl: Hitl, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command on the deployment of the `hitl` fixture; its number is put in where the words have `ID`."""
    monkeypatch.setattr(CommandTarget, "application", property(lambda _target: current()))
    own = str(hitl.deployment_id)
    return lambda *words: CliRunner().invoke(main, ("group", *(own if word == "ID" else word for word in words)))


def groups(run: Run) -> Any:
    return json.loads(run("list", "ID", "--json").stdout)["groups"]


def people(*members: str) -> tuple[str, ...]:
    return tuple(word for member in members for word in ("--member", member))


def test_a_group_that_is_set_is_asked(hitl: Hitl, run: Run) -> None:
    result = run("set", "ID", "finance", *people(ANN, BOB))
    assert result.exit_code == 0
    assert "finance  -               ann@example.com, bob@example.com" in result.stdout
    assert f"flow-hitl rules get {hitl.deployment_id}" in result.stderr
    rule = {"name": "all", "match": {"method_name": "*"}, "assign_to_email": "group:finance"}
    hitl.configure(rules=[rule])
    hitl.ask()
    assert sorted(mail.to for mail in hitl.inbox) == [ANN, BOB]


def test_what_is_set_again_replaces_the_people_and_leaves_the_rest(hitl: Hitl, run: Run) -> None:
    hitl.configure(settings={"sla_target_minutes": 60})
    run("set", "ID", "finance", *people(ANN), "--address", MAILBOX)
    run("set", "ID", "legal", *people(CLEO))
    for name in ("finance", "group:finance", MAILBOX, MAILBOX.upper()):
        assert run("set", "ID", name, *people(BOB, CLEO)).exit_code == 0
        finance = {"name": "finance", "address": MAILBOX, "members": [BOB, CLEO]}
        assert groups(run) == [finance, {"name": "legal", "members": [CLEO]}], name
        run("set", "ID", "finance", *people(ANN))
    settings = current().manage_deployments.show(hitl.deployment_id).settings
    assert settings.sla_target_minutes == 60


def test_a_shared_mailbox_needs_no_name(run: Run) -> None:
    run("set", "ID", MAILBOX, *people(ANN, BOB))
    assert groups(run) == [{"address": MAILBOX, "members": [ANN, BOB]}]
    assert run("remove", "ID", MAILBOX).exit_code == 0
    assert "No groups." in run("list", "ID").stdout


def test_removing_a_group_that_a_rule_names_is_warned_of(hitl: Hitl, run: Run) -> None:
    run("set", "ID", "finance", *people(ANN))
    hitl.configure(rules=[{"name": "Pay", "match": {"method_name": "*"}, "assign_to_email": "group:finance"}])
    result = run("remove", "ID", "finance")
    assert result.exit_code == 0
    assert 'Warning: The rule "Pay" will not reach group:finance' in result.stderr
    assert groups(run) == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("set", "ID", "finance", *people(ANN, ANN)), "The group was not set: groups/0/members/1 stands in the group"),
        (("set", "ID", " ", *people(ANN)), "The group was not set: groups/0/name must not be blank."),
        (("set", "ID", "finance", *people(ANN), "--address", ANN), "groups/0/members/0 is the shared mailbox"),
        (("remove", "ID", "finance"), "has no group finance."),
        (("set", "999", "finance", *people(ANN)), "There is no deployment 999."),
        (("list", "999"), "There is no deployment 999."),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_a_hint(run: Run, words: tuple[str, ...], sentence: str) -> None:
    result = run(*words)
    assert (result.exit_code, result.stdout) == (1, "")
    error, hint = result.stderr.splitlines()
    assert error.startswith("Error: ")
    assert sentence in error
    assert hint.startswith("Hint: ")
    assert groups(run) == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("finance",), "Missing option '--member'"),
        (("finance", *people("Ann <ann@example.com>")), "is not a plain email address"),
        (("finance", *people(ANN), "--address", "finance"), "'finance' is not a plain email address"),
        ((MAILBOX, *people(ANN), "--address", MAILBOX), "NAME is already a mailbox"),
    ],
)
def test_wrong_words_change_nothing(run: Run, words: tuple[str, ...], sentence: str) -> None:
    result = run("set", "ID", *words)
    assert (result.exit_code, sentence in result.stderr) == (2, True)
    assert groups(run) == []


def test_what_somebody_else_sets_meanwhile_is_not_overwritten(
    hitl: Hitl, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    manage = current().manage_deployments
    show = type(manage).show

    def show_and_lose_the_race(self: Any, deployment_id: int) -> Any:
        found = show(self, deployment_id)
        monkeypatch.setattr(type(manage), "show", show)
        hitl.configure(settings={"free_text": "ask_again"})
        return found

    monkeypatch.setattr(type(manage), "show", show_and_lose_the_race)
    result = run("set", "ID", "finance", *people(ANN))
    assert (result.exit_code, "Someone else changed the settings" in result.stderr) == (1, True)
    assert groups(run) == []
    assert run("set", "ID", "finance", *people(ANN)).exit_code == 0
    assert manage.show(hitl.deployment_id).settings.free_text == "ask_again"
