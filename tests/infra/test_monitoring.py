"""What goes wrong raises an alarm that reaches someone."""

import json
from typing import Any

import pytest

from infra.names import runbook_of
from infra.packaging import ROOT
from tests.infra.conftest import Stack
from tests.infra.test_functions import NAMES


def test_every_dead_letter_queue_raises_an_alarm(core: Stack) -> None:
    watched = {_of(each, "QueueName") for each in _alarms(core, "ApproximateNumberOfMessagesVisible")}
    assert watched == {name for name in core.of_type("AWS::SQS::Queue") if "DeadLetters" in name}


def test_every_other_queue_raises_an_alarm_when_messages_wait_too_long(core: Stack) -> None:
    watched = {_of(each, "QueueName") for each in _alarms(core, "ApproximateAgeOfOldestMessage")}
    assert watched == {name for name in core.of_type("AWS::SQS::Queue") if "DeadLetters" not in name}


@pytest.mark.parametrize("metric", ["Errors", "Throttles"])
def test_every_function_raises_an_alarm(core: Stack, metric: str) -> None:
    watched = {_of(each, "FunctionName") for each in _alarms(core, metric)}
    assert watched == set(core.of_type("AWS::Lambda::Function"))
    assert len(watched) == len(NAMES)


def test_a_late_stream_and_server_errors_raise_an_alarm(core: Stack) -> None:
    late = {_of(each, "FunctionName"): each["Threshold"] for each in _alarms(core, "IteratorAge")}
    assert late == {core.function_id("relay"): 5 * 60 * 1000}
    (failing,) = _alarms(core, "5xx")
    assert _of(failing, "ApiId") in core.of_type("AWS::ApiGatewayV2::Api")


def test_one_throttle_is_no_alarm_as_new_accounts_run_few_functions_at_once(core: Stack) -> None:
    assert {each["EvaluationPeriods"] for each in _alarms(core, "Throttles")} == {3}
    assert {each["EvaluationPeriods"] for each in _alarms(core, "Errors")} == {1}


@pytest.mark.parametrize(
    "metric",
    [
        "AuditEventChanged",
        "ContentHeld",
        "CreatorUnreachable",
        "EventNotCounted",
        "FiguresKept",
        "MessageKeepsFailing",
        "QuotaNearlyUsed",
        "SweepEnded",
        "SweepFound",
        "UsageNotCounted",
    ],
)
def test_what_functions_count_raises_an_alarm(core: Stack, metric: str) -> None:
    (counted,) = _alarms(core, metric)
    assert (counted["Namespace"], counted["Threshold"]) == ("FlowHitl", 1)
    assert counted["Dimensions"] == [{"Name": "service", "Value": "flow-hitl"}]
    # What the functions write, so that two stages never ring each other's alarms.
    environments = {str(each["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]) for each in functions(core)}
    assert environments == {"flow-hitl"}


def test_each_alarm_names_the_page_that_says_what_to_do(core: Stack) -> None:
    text = (ROOT / "docs/runbooks.md").read_text()
    sections = {runbook_of(line.removeprefix("## ")) for line in text.splitlines() if line.startswith("## ")}
    named = set()
    for alarm in core.properties("AWS::CloudWatch::Alarm"):
        what, _, page = alarm["AlarmDescription"].partition("\nWhat to do: docs/runbooks.md#")
        assert page in sections, what
        named.add(page)
    assert sections == named, "no section is about an alarm that does not exist"


def test_ses_pausing_the_account_and_a_throttled_table_are_seen_coming(core: Stack) -> None:
    assert [each["Threshold"] for each in _alarms(core, "Reputation.BounceRate")] == [0.05]
    assert [each["Threshold"] for each in _alarms(core, "Reputation.ComplaintRate")] == [0.001]
    for metric in ("ReadThrottleEvents", "WriteThrottleEvents"):
        assert {_of(each, "TableName") for each in _alarms(core, metric)} == set(core.of_type("AWS::DynamoDB::Table"))


def test_calls_refused_by_a_quota_or_by_the_gateway_raise_an_alarm(core: Stack) -> None:
    (refused,) = _alarms(core, "RefusedCalls")
    (counted,) = core.properties("AWS::Logs::MetricFilter")
    assert counted["FilterPattern"] == '{ $.status = "429" }'
    (transformation,) = counted["MetricTransformations"]
    named = transformation["MetricNamespace"], transformation["MetricName"]
    assert named == (refused["Namespace"], refused["MetricName"])
    assert transformation["Dimensions"] == [{"Key": "service", "Value": "$.service"}]
    assert refused["Dimensions"] == [{"Name": "service", "Value": "flow-hitl"}]
    (stage,) = core.properties("AWS::ApiGatewayV2::Stage")
    assert stage["AccessLogSettings"]["DestinationArn"]["Fn::GetAtt"][0] == counted["LogGroupName"]["Ref"]
    assert '"status": "$context.status"' in stage["AccessLogSettings"]["Format"]
    assert '"service": "flow-hitl"' in stage["AccessLogSettings"]["Format"]


def test_every_alarm_goes_to_the_operators_topic_and_silence_is_none_except_of_what_runs_by_itself(core: Stack) -> None:
    (topic,) = [name for name in core.of_type("AWS::SNS::Topic") if "Alarm" in name]
    for alarm in core.properties("AWS::CloudWatch::Alarm"):
        assert alarm["AlarmActions"] == [{"Ref": topic}]
        is_wanted = alarm["MetricName"] in ("FiguresKept", "SweepEnded")
        assert alarm["TreatMissingData"] == ("breaching" if is_wanted else "notBreaching")
        assert alarm["ComparisonOperator"] == ("LessThan" if is_wanted else "GreaterThanOrEqualTo") + "Threshold"
    (subscription,) = [each for each in core.properties("AWS::SNS::Subscription") if each["Protocol"] == "email"]
    assert (subscription["Endpoint"], subscription["TopicArn"]) == ("ops@example.com", {"Ref": topic})


def test_both_publishers_may_use_the_topics_key(core: Stack) -> None:
    key = core.find("AWS::KMS::Key", "TopicKey")["Properties"]
    assert key["EnableKeyRotation"] is True
    services = {
        each["Principal"]["Service"]: each.get("Condition")
        for each in key["KeyPolicy"]["Statement"]
        if "Service" in each["Principal"]
    }
    this_account = {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    # SES as in AWS's own sample, without a condition that it might not fill in.
    assert services == {"ses.amazonaws.com": None, "cloudwatch.amazonaws.com": this_account}


def test_the_dashboard_reads_from_the_promises_down_to_the_cost(core: Stack) -> None:
    read = [_title(one) for one in _widgets(core)]
    places = [read.index(heading) for heading in ("# Promises", "# Load and latency", "# Cost and quotas")]
    assert places == sorted(places)
    promises, load, cost = (read[begin:end] for begin, end in zip(places, [*places[1:], None], strict=True))
    assert promises[1] == "Alarms"
    assert any("Overdue" in title for title in promises)
    assert "Dead letters" in promises
    assert any("Resumptions" in title for title in promises)
    assert sum("mails" in title for title in promises) >= 2
    assert {"API requests", "API latency", "Function errors", "Waiting messages"} <= set(load)
    assert any("Quotas" in title for title in cost)
    assert "Emails sent" in cost


def test_the_dashboard_has_no_holes_and_shows_what_this_stage_counts_alone(core: Stack) -> None:
    widgets = _widgets(core)
    rows: dict[int, int] = {}
    for one in widgets:
        rows[one["y"]] = rows.get(one["y"], 0) + one["width"]
    assert set(rows.values()) == {24}
    own = [
        metric
        for one in widgets
        for metric in one["properties"].get("metrics", ())
        if isinstance(metric, list) and metric[0] == "FlowHitl"
    ]
    assert own
    assert {tuple(metric[2:4]) for metric in own} == {("service", "flow-hitl")}


def _widgets(core: Stack) -> list[dict[str, Any]]:
    """Return the dashboard's widgets as one reads them; what only the deployed stack knows is left open."""
    (dashboard,) = core.properties("AWS::CloudWatch::Dashboard")
    parts = dashboard["DashboardBody"]["Fn::Join"][1]
    body = json.loads("".join(part if isinstance(part, str) else "?" for part in parts))
    return sorted(body["widgets"], key=lambda one: (one["y"], one["x"]))


def _title(widget: dict[str, Any]) -> str:
    shown = widget["properties"]
    return str(shown.get("title") or shown["markdown"].splitlines()[0])


def functions(core: Stack) -> list[dict[str, Any]]:
    return core.properties("AWS::Lambda::Function")


def _alarms(core: Stack, metric: str) -> list[dict[str, Any]]:
    return [each for each in core.properties("AWS::CloudWatch::Alarm") if each["MetricName"] == metric]


def _of(alarm: dict[str, Any], dimension: str) -> str:
    """Return the logical id of what the alarm watches."""
    (value,) = [each["Value"] for each in alarm["Dimensions"] if each["Name"] == dimension]
    return str(value.get("Ref") or value["Fn::GetAtt"][0])
