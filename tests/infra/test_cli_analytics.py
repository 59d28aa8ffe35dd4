"""`flow-hitl analytics rebuild`, as it is typed, on figures that were counted from real requests."""

import json
from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from flow_hitl.bootstrap import current
from flow_hitl.metrics.metrics import Bucket, Dimension
from infra.cli.main import main
from infra.cli.target import CommandTarget
from infra.local.hitl_fixture import Hitl
from tests.support.figures import measure_all, spoil

Run = Callable[..., Result]


@pytest.fixture
def run(hitl: Hitl, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `analytics rebuild` on the deployment of the `hitl` fixture, where one request was answered."""
    monkeypatch.setattr(CommandTarget, "application", property(lambda _target: current()))
    hitl.ask(emit=["approved"], flow_name="Payments")
    hitl.reply("approved")
    measure_all(hitl)

    def rebuild(*words: str) -> Result:
        return CliRunner().invoke(main, ["analytics", "rebuild", str(hitl.deployment_id), *words], terminal_width=120)

    return rebuild


def test_the_check_says_that_all_is_well(run: Run) -> None:
    result = run("--check")
    assert result.exit_code == 0, result.output
    assert "agree with its audit log" in result.stdout
    assert "Read 2026-01" in result.stderr
    assert json.loads(run("--check", "--json").stdout) == {"deployment_id": 1, "agree": True, "differences": []}


def test_the_check_names_what_differs_and_exits_1(hitl: Hitl, run: Run) -> None:
    spoil(hitl, Bucket(Dimension.FLOW, "2026-01", "Payments"), "created", 2)
    result = run("--check")
    assert result.exit_code == 1
    assert "PERIOD   BY    OF        OUTCOME  COUNTER  SHOWN  LOGGED" in result.stdout
    assert "2026-01  flow  Payments           created  3      1" in result.stdout
    assert "flow-hitl analytics rebuild 1" in result.stderr
    (difference,) = json.loads(run("--check", "--json").stdout)["differences"]
    assert difference == {
        "period": "2026-01",
        "by": "flow",
        "of": "Payments",
        "outcome": None,
        "counter": "created",
        "shown": 3,
        "logged": 1,
    }


def test_a_rebuild_mends_it(hitl: Hitl, run: Run) -> None:
    spoil(hitl, Bucket(Dimension.FLOW, "2026-01", "Payments"), "created", 2)
    result = run()
    assert result.exit_code == 0, result.output
    assert result.stdout == "Rebuilt the figures of deployment 1 from 2 events.\n"
    assert "--check" in result.stderr
    assert run("--check").exit_code == 0


def test_a_deployment_that_does_not_exist(run: Run) -> None:
    result = CliRunner().invoke(main, ["analytics", "rebuild", "999"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert "There is no deployment 999." in result.stderr
