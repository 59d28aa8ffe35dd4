"""`flow-hitl mail`, `member` and `signing-key`, on what really happened to mails."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner

from flow_hitl.bootstrap import current
from infra.cli.main import main
from infra.cli.target import CommandTarget
from infra.local.hitl_fixture import Hitl

Run = Callable[..., Any]


@pytest.fixture
def run(hitl: Hitl, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command on the deployment of the `hitl` fixture; returns its JSON, or its error's text."""
    monkeypatch.setattr(CommandTarget, "application", property(lambda _target: current()))

    def run_command(*words: str) -> Any:
        result = CliRunner().invoke(main, (*words, "--json"))
        return json.loads(result.stdout) if result.exit_code == 0 else result.stderr

    return run_command


def test_a_discarded_mail_can_be_looked_up(hitl: Hitl, run: Run) -> None:
    request = hitl.ask(emit=["yes"])
    hitl.reply("I am away until Monday", headers={"Auto-Submitted": "auto-replied"})
    hitl.receive(b"From: a@example.com\n\nhello", recipients=["sales@reply.hitl.test"], mail_from="a@example.com")

    newest, oldest = sorted(run("mail", "discarded")["discarded"], key=lambda one: str(one["request_id"]), reverse=True)

    assert newest["reason"] == "no reply address"
    assert (oldest["request_id"], oldest["reason"].partition(":")[0]) == (request.id, "automatic")
    assert run("mail", "discarded", "--day", "2020-01-01") == {"discarded": []}
    assert "not a day" in run("mail", "discarded", "--day", "yesterday")


def test_an_address_that_bounced_can_be_allowed_again(hitl: Hitl, run: Run) -> None:
    hitl.bounce(hitl.ask(assigned_to_email="gone@example.com"), "gone@example.com")

    (entry,) = run("mail", "suppressed")["suppressed"]
    assert entry["address"] == "gone@example.com"
    assert run("mail", "allow", "Gone@example.com") == {"allowed": "Gone@example.com"}
    assert run("mail", "suppressed") == {"suppressed": []}
    assert "not suppressed" in run("mail", "allow", "gone@example.com")


def test_a_member_answers_from_an_alias_that_was_set_for_them(hitl: Hitl, run: Run) -> None:
    deployment = str(hitl.deployment_id)
    request = hitl.ask(emit=["yes"], assigned_to_email="alice@example.com")
    hitl.reply("yes", sender="alice@home.example")
    assert request.status == "pending"

    run("member", "set", deployment, "alice@example.com", "--alias", "alice@home.example")
    hitl.reply("yes", sender="alice@home.example")

    assert request.outcome == "yes"
    assert request.response["responder"] == "alice@example.com"


def test_an_alias_stands_for_its_own_member_alone(hitl: Hitl, run: Run) -> None:
    run("member", "set", str(hitl.deployment_id), "alice@example.com", "--alias", "alice@home.example")
    request = hitl.ask(emit=["yes"], assigned_to_email="bob@example.com")

    hitl.reply("yes", sender="alice@home.example")

    assert request.status == "pending"


def test_members_are_set_listed_and_removed(hitl: Hitl, run: Run) -> None:
    deployment = str(hitl.deployment_id)
    run("member", "set", deployment, "alice@example.com", "--permission", "manage_human_feedback")
    member = {"email": "alice@example.com", "permissions": ["manage_human_feedback"], "aliases": [], "timezone": None}
    assert run("member", "list", deployment) == {"members": [member]}
    assert "plain email address" in run("member", "set", deployment, "alice")
    assert run("member", "remove", deployment, "ALICE@example.com") == {"members": []}
    assert "no member" in run("member", "remove", deployment, "alice@example.com")


def test_keys_rotate_without_breaking_what_is_out_there(hitl: Hitl, run: Run) -> None:
    by_mail, by_page = hitl.ask(emit=["yes"]), hitl.ask(emit=["yes"])
    first, second = hitl.inbox
    assert run("signing-key", "rotate") == {"keys": ["1", "2"], "active": "2"}
    fresh = hitl.ask(emit=["yes"])

    hitl.reply("yes", to=first)
    hitl.page("POST", hitl.review_url(second), {"outcome": "yes", "comment": ""})
    hitl.reply("yes", to=hitl.inbox[2])

    assert (by_mail.outcome, by_page.outcome, fresh.outcome) == ("yes", "yes", "yes")


def test_a_retired_key_proves_nothing_any_more(hitl: Hitl, run: Run) -> None:
    request = hitl.ask(emit=["yes"])
    run("signing-key", "rotate")
    assert "resume signing secret" in run("signing-key", "retire", "1", "--yes")
    assert "active" in run("signing-key", "retire", "2", "--yes")
    run("signing-key", "rotate")

    assert run("signing-key", "retire", "2", "--yes") == {"keys": ["1", "3"], "active": "3"}
    assert "no signing key" in run("signing-key", "retire", "2", "--yes")
    assert request.status == "pending"


def test_the_first_key_is_retired_once_no_resume_secret_derives_from_it(hitl: Hitl, run: Run) -> None:
    deployment, other = str(hitl.deployment_id), current().manage_deployments
    other_id = str(other.create(name="Other", creator_email="o@example.com", organization_id=1).deployment_id)
    old = run("resume-secret", deployment)["resume_signing_secret"]
    run("signing-key", "rotate")
    assert run("resume-secret", deployment) == {"resume_signing_secret": old}

    issued = run("rotate-resume-secret", deployment, "--signs-from", "1d")
    now, later = run("rotate-resume-secret", other_id), run("resume-secret", deployment)
    assert later == {"resume_signing_secret": old, "next": issued}
    assert run("resume-secret", other_id) == {"resume_signing_secret": now["secret"]}
    refused = run("signing-key", "retire", "1", "--yes")
    assert f"deployment {deployment} (until {issued['signs_from']})" in refused
    assert f"deployment {other_id}" not in refused

    hitl.advance(days=1)
    assert run("resume-secret", deployment) == {"resume_signing_secret": issued["secret"]}
    assert run("signing-key", "retire", "1", "--yes") == {"keys": ["2"], "active": "2"}
    assert run("resume-secret", deployment) == {"resume_signing_secret": issued["secret"]}


def test_a_resume_secret_is_rotated_as_often_as_one_likes(hitl: Hitl, run: Run) -> None:
    deployment = str(hitl.deployment_id)
    secrets = [run("resume-secret", deployment)["resume_signing_secret"]]
    secrets += [run("rotate-resume-secret", deployment)["secret"] for _ in range(3)]
    assert len(set(secrets)) == 4
    assert "not rotated" in run("rotate-resume-secret", deployment, "--signs-from", "31d")


def test_an_expired_address_of_an_open_request_is_renewed_for_its_own_person(hitl: Hitl) -> None:
    request = hitl.ask(emit=["yes"])
    hitl.advance(days=7, seconds=1)

    hitl.reply("yes")
    assert request.status == "pending"
    hitl.reply("yes")

    assert request.outcome == "yes"
    assert hitl.inbox[-1].to == "creator@example.com"
