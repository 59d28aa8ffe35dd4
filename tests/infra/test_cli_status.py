"""`flow-hitl status`: one screen that says how a stack is doing."""

import json

import pytest
from click.testing import CliRunner, Result

from flow_hitl.bootstrap import current
from flow_hitl.platform import aws
from infra.cli.main import main
from infra.cli.target import CommandTarget
from infra.local.hitl_fixture import Hitl
from tests.support.asserts import EMIT


@pytest.fixture(autouse=True)
def _on_the_fixture(hitl: Hitl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CommandTarget, "application", property(lambda _target: current()))


def status(*words: str) -> Result:
    result = CliRunner().invoke(main, ["status", *words], terminal_width=120)
    assert result.exit_code == 0, result.output
    return result


def test_a_quiet_stack_fits_on_a_screen_and_says_that_nothing_is_wrong(hitl: Hitl) -> None:
    for _ in range(3):
        hitl.ask("Publish?", emit=EMIT)
    hitl.reply("approved")
    shown = status().output
    assert "Dead letters: none" in shown
    assert "Alarms: none" in shown
    assert len(shown.splitlines()) < 24
    (deployment,) = json.loads(status("--json").stdout)["deployments"]
    assert (deployment["pending"], deployment["done"], deployment["overdue_since"]) == (2, 1, None)
    assert deployment["requests_this_hour"] == "3 of 1,000"


def test_what_is_overdue_says_since_when(hitl: Hitl) -> None:
    hitl.configure(settings={"sla_target_minutes": 30})
    hitl.ask("Publish?", emit=EMIT)
    hitl.advance(minutes=31)
    (deployment,) = json.loads(status("--json").stdout)["deployments"]
    assert deployment["overdue_since"] is not None
    assert deployment["overdue_since"] in status().output


def test_what_rests_and_what_rings_leads_to_the_doctor(hitl: Hitl) -> None:
    aws.client("sqs").send_message(QueueUrl=current().settings.dead_letter_queue_url("resume"), MessageBody="{}")
    cloudwatch = aws.client("cloudwatch")
    for name, description in (("flow-hitl-Late", "Flow HITL: no sweep"), ("flow-hitl-x", "Theirs")):
        cloudwatch.put_metric_alarm(
            AlarmName=name,
            AlarmDescription=description,
            MetricName="m",
            Namespace="n",
            Statistic="Maximum",
            Period=300,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanOrEqualToThreshold",
        )
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="it is so")
    result = status()
    assert "Dead letters: 1 in resume" in result.output
    assert "Alarms: no sweep" in result.output
    assert "Theirs" not in result.output
    assert "flow-hitl doctor" in result.output
