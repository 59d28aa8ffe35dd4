"""The operator's commands on the `hitl` fixture."""

import pytest
from click.testing import CliRunner, Result

from flow_hitl.bootstrap import current
from infra.cli.main import main
from infra.cli.target import CommandTarget
from infra.local.hitl_fixture import Hitl


def commands_reach(hitl: Hitl, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands work on the fixture; while one waits, the workers work."""
    monkeypatch.setattr(CommandTarget, "application", property(lambda _target: current()))
    sleep = hitl.clock.sleep

    def sleep_and_let_others_work(seconds: float) -> None:
        sleep(seconds)
        hitl._settle()

    monkeypatch.setattr(hitl.clock, "sleep", sleep_and_let_others_work)


def command(*words: str) -> Result:
    """Run `flow-hitl` with these words, in a terminal that is wide enough for its tables."""
    return CliRunner().invoke(main, words, terminal_width=120)
