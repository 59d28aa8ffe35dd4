"""`flow-hitl replay`, as it is typed, on a log that really came about."""

import json
from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from flow_hitl.bootstrap import current
from infra.cli.main import main
from infra.cli.target import CommandTarget
from infra.local.hitl_fixture import Hitl
from tests.support.asserts import EMIT
from tests.support.outages import losing_events

Run = Callable[..., Result]


@pytest.fixture
def run(hitl: Hitl, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `replay` on the `hitl` fixture, and let the workers work after it."""
    monkeypatch.setattr(CommandTarget, "application", property(lambda _target: current()))

    def run_command(*words: str) -> Result:
        result = CliRunner().invoke(main, ["replay", *words], terminal_width=120)
        hitl._settle()
        return result

    return run_command


def test_what_nobody_did_for_a_month_is_done(hitl: Hitl, run: Run) -> None:
    with losing_events(hitl):
        requests = [hitl.ask(emit=EMIT) for _ in range(3)]
    hitl.clock.sleep(30 * 24 * 3600)
    tried = run("--since", "2026-01-14T00:00:00Z", "--dry-run")
    assert "effects would be handed on again.\n  notify: 3" in tried.stdout
    assert "Looking at 2026-01-14" in tried.stderr
    assert "hand them on: flow-hitl replay --since 2026-01-14T00:00:00Z" in tried.stderr
    assert hitl.inbox == []
    done = run("--since", "2026-01-14T00:00:00Z", "--until", "2026-01-15T00:00:00Z", "--json")
    assert json.loads(done.stdout) == {
        "since": "2026-01-14T00:00:00Z",
        "until": "2026-01-15T00:00:00Z",
        "dry_run": False,
        "events": 5,
        "handed_on": {"notify": 3},
        "senseless": [],
    }
    assert len(hitl.inbox) == 3
    again = run("--since", "2026-01-14T00:00:00Z")
    assert "; 0 effects were handed on again." in again.stdout
    assert "nothing needs to be done" in again.stderr
    assert [request.kinds for request in requests] == [["request_created", "notification_sent"]] * 3
    assert len(hitl.inbox) == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Missing option '--since'"),
        (("--since", "yesterday"), "'yesterday' is not a time such as"),
        (("--since", "2026-01-14T12:00:00Z"), "nothing lies between it and 2026-01-14T11:50:00Z"),
    ],
)
def test_a_time_that_is_none_is_refused(run: Run, words: tuple[str, ...], said: str) -> None:
    result = run(*words)
    assert result.exit_code == 2
    assert said in result.stderr
