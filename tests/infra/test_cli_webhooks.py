"""`flow-hitl webhook`: an operator makes webhooks, tries them, and looks at what was delivered."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result

from flow_hitl.bootstrap import current
from infra.cli.main import main
from infra.cli.target import CommandTarget
from infra.local.hitl_fixture import Hitl
from tests.support.receiver import Receiver, receiving
from tests.support.webhooks import spec_verifies, told

UNKNOWN = "wh_" + "0" * 32
NOWHERE = "https://hooks.example.com/hitl"

Run = Callable[..., Result]


@pytest.fixture
def run(hitl: Hitl, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command on the deployment of the `hitl` fixture; its number is put in where the words have `ID`."""
    monkeypatch.setattr(CommandTarget, "application", property(lambda _target: current()))
    own = str(hitl.deployment_id)
    return lambda *words: CliRunner().invoke(main, ("webhook", *(own if word == "ID" else word for word in words)))


@pytest.fixture
def app() -> Iterator[Receiver]:
    """The application that is told."""
    with receiving() as receiver:
        yield receiver


def document(run: Run, *words: str) -> Any:
    result = run(*words, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def create(run: Run, url: str = NOWHERE, *more: str) -> Any:
    return document(run, "create", "ID", "--name", "Jira", "--url", url, *more)


def test_a_webhook_that_is_created_is_told_signed_with_the_secret_that_was_shown(
    hitl: Hitl, run: Run, app: Receiver
) -> None:
    printed = run("create", "ID", "--name", "Jira", "--url", app.url)
    assert printed.exit_code == 0
    secret = printed.stdout.splitlines()[-1]
    (listed,) = document(run, "list", "ID")["webhooks"]
    assert f"flow-hitl webhook test {hitl.deployment_id} {listed['id']}" in printed.stderr
    assert (listed["name"], listed["events"], listed["active"]) == ("Jira", ["new_request"], True)
    hitl.ask()
    (post,) = app.received
    assert spec_verifies(secret, post)
    for later in (("list", "ID"), ("list", "ID", "--json"), ("deliveries", "ID", listed["id"], "--json")):
        assert secret not in run(*later).stdout


def test_what_is_given_is_changed_and_nothing_else(hitl: Hitl, run: Run, app: Receiver) -> None:
    made = create(run, app.url, "--inactive", "--event", "new_request", "--event", "request_cancelled")["webhook"]
    assert (made["active"], made["events"]) == (False, ["new_request", "request_cancelled"])
    hitl.ask()
    assert app.received == []

    def change(*words: str) -> Any:
        return document(run, "set", "ID", made["id"], *words)["webhook"]

    assert change("--active") == {**made, "active": True}
    changed = change("--name", "Slack", "--event", "new_request", "--event", "new_request")
    assert changed == {**made, "active": True, "name": "Slack", "events": ["new_request"]}
    hitl.ask()
    assert len(app.received) == 1
    assert change("--inactive")["active"] is False
    assert "Slack" in run("list", "ID").stdout


def test_a_new_secret_signs_when_it_is_told_to(hitl: Hitl, run: Run, app: Receiver) -> None:
    made = create(run, app.url)
    rotated = document(run, "rotate-secret", "ID", made["webhook"]["id"], "--signs-from", "1d")
    assert rotated["signs_from"] == "2026-01-15T12:00:00Z"
    at_once = run("rotate-secret", "ID", create(run, app.url)["webhook"]["id"])
    assert at_once.stdout.startswith("whsec_")
    assert "signs from 2026-01-14T12:00:00Z." in at_once.stderr

    def signs(secret: str) -> bool:
        app.received.clear()
        run("test", "ID", made["webhook"]["id"])
        hitl.advance(seconds=0)
        return spec_verifies(secret, app.received[0])

    assert signs(made["secret"])
    hitl.advance(days=1)
    assert signs(rotated["secret"])


def test_a_test_ping_is_sent_logged_and_sent_again(hitl: Hitl, run: Run, app: Receiver) -> None:
    webhook_id = create(run, app.url, "--inactive")["webhook"]["id"]
    assert "Nothing was sent" in run("deliveries", "ID", webhook_id).stdout
    sent = run("test", "ID", webhook_id)
    assert f"flow-hitl webhook deliveries {hitl.deployment_id} {webhook_id}" in sent.stderr
    assert [one["status"] for one in document(run, "deliveries", "ID", webhook_id)["deliveries"]] == ["pending"]
    app.status, app.answer = 500, b"no such channel"
    hitl.advance(seconds=1)
    (failed,) = document(run, "deliveries", "ID", webhook_id)["deliveries"]
    assert (failed["status"], failed["http_status"], failed["response"]) == ("failed", 500, "no such channel")
    assert failed["id"] in sent.stdout

    app.status = 200
    again = document(run, "redeliver", "ID", webhook_id, failed["id"])["delivery"]
    assert (again["redelivery_of"], again["status"]) == (failed["id"], "pending")
    hitl.advance(seconds=1)
    assert [told(post)["event"] for post in app.received] == ["test", "test"]
    assert len({post.headers["x-webhook-id"] for post in app.received}) == 1
    lines = run("deliveries", "ID", webhook_id).stdout.splitlines()
    assert lines[0].split() == ["DELIVERY", "EVENT", "REQUEST", "STATUS", "RESULT", "MS", "AT"]
    assert ["test (again)" in line for line in lines[1:]] == [True, False]
    assert [("delivered" in line, "failed" in line) for line in lines[1:]] == [(True, False), (False, True)]


def test_a_long_log_is_shown_piece_by_piece(hitl: Hitl, run: Run, app: Receiver) -> None:
    webhook_id = create(run, app.url)["webhook"]["id"]
    for _ in range(3):
        hitl.ask()
        hitl.advance(seconds=1)
    first = document(run, "deliveries", "ID", webhook_id, "--limit", "2")
    rest = document(run, "deliveries", "ID", webhook_id, "--limit", "2", "--cursor", first["next_cursor"])
    assert (len(first["deliveries"]), len(rest["deliveries"]), rest["next_cursor"]) == (2, 1, None)
    assert f"--cursor {first['next_cursor']}" in run("deliveries", "ID", webhook_id, "--limit", "2").stderr


def test_a_deleted_webhook_is_gone(hitl: Hitl, run: Run, app: Receiver) -> None:
    webhook_id = create(run, app.url)["webhook"]["id"]
    assert f"Deleted webhook {webhook_id}" in run("delete", "ID", webhook_id).stdout
    hitl.ask()
    assert app.received == []
    assert run("list", "ID").stdout == "No webhooks yet.\n"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("create", "ID", "--name", "x", "--url", "ftp://a.example/"), "The webhook was not created: url "),
        (("create", "ID", "--name", " ", "--url", NOWHERE), "The webhook was not created: name must not be blank."),
        (("delete", "ID", UNKNOWN), "There is no such webhook in this deployment."),
        (("set", "ID", "nonsense", "--active"), "There is no such webhook in this deployment."),
        (("rotate-secret", "ID", UNKNOWN), "There is no such webhook in this deployment."),
        (("rotate-secret", "ID", UNKNOWN, "--signs-from", "31d"), "The secret was not rotated: signs_from must be"),
        (("test", "ID", UNKNOWN), "There is no such webhook in this deployment."),
        (("deliveries", "ID", UNKNOWN), "There is no such webhook in this deployment."),
        (("redeliver", "ID", UNKNOWN, "dlv_" + "0" * 34), "There is no such webhook in this deployment."),
        (("list", "999"), "There is no deployment 999."),
        (("create", "999", "--name", "x", "--url", NOWHERE), "There is no deployment 999."),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_a_hint(run: Run, words: tuple[str, ...], sentence: str) -> None:
    result = run(*words)
    assert (result.exit_code, result.stdout) == (1, "")
    error, hint = result.stderr.splitlines()
    assert error.startswith("Error: ")
    assert sentence in error
    assert hint.startswith("Hint: ")
    assert document(run, "list", "ID") == {"webhooks": []}


def test_a_webhook_and_its_log_are_left_alone_by_wrong_words(run: Run) -> None:
    made = create(run)["webhook"]
    wrong = {
        ("set", "ID", made["id"]): (2, "Give --name, --url, --event, --active or --inactive."),
        ("set", "ID", made["id"], "--url", "http://user@host/"): (1, "The webhook was not changed: url "),
        ("set", "ID", made["id"], "--event", "everything"): (2, "request_cancelled"),
        ("rotate-secret", "ID", made["id"], "--signs-from", "yesterday"): (2, "neither a time"),
        ("deliveries", "ID", made["id"], "--limit", "0"): (2, "0 is not in the range"),
        ("deliveries", "ID", made["id"], "--cursor", "x"): (1, "cursor is not valid"),
        ("redeliver", "ID", made["id"], "x"): (1, "There is no such delivery of this webhook"),
    }
    for words, (code, sentence) in wrong.items():
        result = run(*words)
        assert (result.exit_code, sentence in result.stderr) == (code, True), (words, result.stderr)
    assert document(run, "list", "ID")["webhooks"] == [made]
