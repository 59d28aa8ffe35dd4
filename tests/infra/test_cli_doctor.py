"""`flow-hitl doctor`: what it finds wrong in an installation, a deployment and a request, and what it tells to do."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import dns.message
import dns.rcode
import dns.resolver
import dns.rrset
import pytest
from click.testing import CliRunner

from flow_hitl.bootstrap import current
from flow_hitl.deployments.deployment import Permission
from flow_hitl.platform import aws
from infra.cli.main import main
from infra.cli.target import CommandTarget
from infra.local.hitl_fixture import Hitl
from infra.outputs import output_name
from tests.support.asserts import EMIT
from tests.support.aws_answers import ACCOUNT, DENIED, IDENTITY, answering, ses_says
from tests.support.dns_server import name_server
from tests.support.receiver import receiving
from tests.support.webhooks import hook

OURS = "inbound-smtp.us-east-1.amazonaws.com."
Doctor = Callable[..., Any]


class Report:
    """What `flow-hitl doctor --json` said."""

    def __init__(self, exit_code: int, document: Any) -> None:
        self.checks = document["checks"]
        self.problems = [check for check in self.checks if check["status"] == "problem"]
        assert len(self.problems) == document["problems"]
        assert exit_code == (1 if self.problems else 0)
        assert all(check["next_step"] for check in self.problems)

    def of(self, name: str) -> list[Any]:
        return [check for check in self.checks if check["check"].startswith(name)]

    def problem(self, name: str, *words: str) -> str:
        """Return the next step of the one problem that a check has found, of which the fact has these words."""
        (found,) = [check for check in self.problems if check["check"].startswith(name)]
        assert all(word in found["fact"] for word in words), found["fact"]
        return str(found["next_step"])


@pytest.fixture
def outputs(hitl: Hitl) -> dict[str, str]:
    named = {output_name(name): value for name, value in asdict(current().settings).items() if value}
    return {**named, "ReceiptsTopicArn": aws.client("sns").create_topic(Name="receipts")["TopicArn"]}


@pytest.fixture
def rules(outputs: dict[str, str]) -> Any:
    """The account's active receipt rule set, as the mail edge stack leaves it."""
    ses = aws.client("ses")
    ses.create_receipt_rule_set(RuleSetName="flow-hitl")
    action = {"BucketName": "mail", "ObjectKeyPrefix": "inbound/", "TopicArn": outputs["ReceiptsTopicArn"]}
    rule = {
        "Name": "flow-hitl-replies",
        "Enabled": True,
        "Recipients": ["reply.hitl.test"],
        "Actions": [{"S3Action": action}],
    }
    ses.create_receipt_rule(RuleSetName="flow-hitl", Rule=rule)
    ses.set_active_receipt_rule_set(RuleSetName="flow-hitl")
    return SimpleNamespace(ses=ses, rule=rule)


@pytest.fixture
def doctor(hitl: Hitl, outputs: dict[str, str], rules: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Doctor]:
    """Run the command on the fixture's stack, of which all is well."""
    monkeypatch.setattr(CommandTarget, "application", property(lambda _target: current()))
    monkeypatch.setattr(CommandTarget, "outputs", outputs)

    def run(*words: str) -> Report:
        result = CliRunner().invoke(main, ("doctor", *words, "--json"))
        assert result.stdout, result.output
        return Report(result.exit_code, json.loads(result.stdout))

    with ses_says(), name_server({"reply.hitl.test": [f"10 {OURS}"]}):
        yield run


def test_an_installation_that_is_well(doctor: Doctor) -> None:
    report = doctor()
    assert report.problems == []
    assert {check["check"] for check in report.checks if check["status"] == "ok"} == {
        "stack",
        "signing key",
        "dead letters",
        "alarms",
        "mail out",
        "mail in",
        "MX record",
        "deployment 1",
    }


def test_people_read_the_same_as_lines(doctor: Doctor, hitl: Hitl) -> None:
    hitl.bounce(hitl.ask(), "creator@example.com")
    result = CliRunner().invoke(main, ("doctor", "--stack", "flow-hitl"))
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0].startswith("ok       stack: ")
    (problem,) = [number for number, line in enumerate(lines) if line.startswith("PROBLEM")]
    assert lines[problem].startswith("PROBLEM  deployment 1: creator@example.com gets no email")
    assert "-> " in lines[problem + 1]
    assert "`flow-hitl mail allow creator@example.com`" in lines[problem + 1]
    assert lines[-1] == "1 problem found."
    assert "--stack flow-hitl" in result.stderr


def test_outputs_of_another_version(doctor: Doctor, outputs: dict[str, str]) -> None:
    del outputs["DeadLetterQueueNames"]
    report = doctor()
    assert "deploy this version" in report.problem("stack", "dead_letter_queue_names")
    assert len(report.checks) == 1


@pytest.mark.parametrize("secret", ['{"active": "2", "1": "key"}', '{"1": "key"}', "none"])
def test_a_signing_secret_that_is_broken(doctor: Doctor, secret: str) -> None:
    from tests.support.aws_calls import new_process

    aws.client("secretsmanager").put_secret_value(SecretId="signing", SecretString=secret)
    new_process()
    assert "previous version" in doctor().problem("signing key")


def test_a_signing_secret_that_may_not_be_read(doctor: Doctor) -> None:
    from tests.support.aws_calls import new_process

    aws.client("secretsmanager").delete_secret(SecretId="signing", ForceDeleteWithoutRecovery=True)
    new_process()
    assert "SigningSecretId" in doctor().problem("signing key", "ResourceNotFoundException")


@pytest.mark.parametrize(
    ("queue", "step"),
    [
        ("resume", "flow-hitl redrive resume"),
        ("inbound_mail", "flow-hitl redrive inbound-mail"),
        ("relay_retry", "flow-hitl redrive relay"),
        ("stream", "flow-hitl redrive stream"),
    ],
)
def test_dead_letters(doctor: Doctor, queue: str, step: str) -> None:
    url = current().settings.dead_letter_queue_url(queue)
    for _ in range(2):
        aws.client("sqs").send_message(QueueUrl=url, MessageBody="{}")
    assert step in doctor().problem("dead letters", f"2 messages rest in the dead-letter queue of {queue}")


def test_an_alarm_that_is_on(doctor: Doctor) -> None:
    cloudwatch = aws.client("cloudwatch")
    for name, description in (("flow-hitl-Late", "Flow HITL: late messages: email"), ("flow-hitl-x", "Theirs")):
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
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="900 s")
    assert "docs/runbooks.md#late-messages" in doctor().problem("alarms", '"late messages: email" is on since', "900 s")


def test_an_account_in_the_sandbox(doctor: Doctor) -> None:
    with ses_says(ACCOUNT | {"ProductionAccessEnabled": False}):
        assert "production access" in doctor().problem("mail out", "sandbox")


def test_a_domain_that_ses_has_not_verified(doctor: Doctor) -> None:
    with ses_says(identity=IDENTITY | {"VerifiedForSendingStatus": False}):
        found = doctor().of("mail out")
    assert [check["status"] for check in found] == ["problem", "problem"]
    assert "hitl.test, which email is sent from" in found[0]["fact"]
    assert "reply.hitl.test, where replies go" in found[1]["fact"]


def test_a_rule_set_of_somebody_else_became_active(doctor: Doctor, rules: Any) -> None:
    rules.ses.create_receipt_rule_set(RuleSetName="theirs")
    rules.ses.set_active_receipt_rule_set(RuleSetName="theirs")
    assert "`flow-hitl deploy`" in doctor().problem("mail in", "theirs, does not have the rule flow-hitl-replies")


def test_no_rule_set_is_active(doctor: Doctor) -> None:
    # As SES answers then; moto has the empty set for an error.
    with answering(("ses", "DescribeActiveReceiptRuleSet"), 200, {}):
        doctor().problem("mail in", "No receipt rule set is active")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"Enabled": False}, "switched off"),
        ({"Recipients": ["other.test"]}, "does not deliver email for reply.hitl.test"),
        ({"Actions": [{"S3Action": {"BucketName": "other"}}]}, "does not deliver email for reply.hitl.test"),
    ],
)
def test_a_receipt_rule_that_was_changed(doctor: Doctor, rules: Any, change: dict[str, Any], words: str) -> None:
    rules.ses.update_receipt_rule(RuleSetName="flow-hitl", Rule=rules.rule | change)
    doctor().problem("mail in", words)


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ({}, "no MX record"),
        ({"reply.hitl.test": []}, "no MX record"),
        ({"reply.hitl.test": ["10 mail.elsewhere.test."]}, "points to mail.elsewhere.test, not to SES"),
        ({"reply.hitl.test": ["10 mail.elsewhere.test.", f"20 {OURS}"]}, "not to SES"),
    ],
)
def test_an_mx_record_that_leads_elsewhere(doctor: Doctor, records: dict[str, list[str]], words: str) -> None:
    with name_server(records):
        step = doctor().problem("MX record", words)
    assert f"reply.hitl.test MX 10 {OURS.rstrip('.')}" in step


def test_what_cannot_be_asked_is_no_problem_and_is_said(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = dns.resolver.Resolver(configure=False)
    nobody.nameservers = ["127.0.0.1"]
    nobody.port = 9
    monkeypatch.setattr(dns.resolver, "default_resolver", nobody)
    monkeypatch.setattr("infra.cli.checks._MX_SECONDS", 0.1)
    operations = (
        ("sesv2", "GetAccount"),
        ("ses", "DescribeActiveReceiptRuleSet"),
        ("cloudwatch", "DescribeAlarms"),
    )
    with ExitStack() as denied:
        for operation in operations:
            denied.enter_context(answering(operation, 403, DENIED))
        report = doctor()
    assert report.problems == []
    for name in ("alarms", "mail out", "mail in", "MX record"):
        assert "could not be checked" in report.of(name)[0]["fact"], name


def test_doubts_about_a_configuration_are_problems(doctor: Doctor, hitl: Hitl) -> None:
    hitl.configure(settings={"email_notifications": False})
    step = doctor().problem("deployment 1", "requests will only appear in the dashboard")
    assert "flow-hitl settings get 1" in step


def test_only_the_deployment_that_was_named(doctor: Doctor, hitl: Hitl) -> None:
    manage = current().manage_deployments
    other = manage.create(name="Other", creator_email="gone@example.com", organization_id=1).deployment_id
    current().suppressed.add("gone@example.com", "bounced", datetime(2026, 1, 1, tzinfo=UTC))
    assert doctor(str(hitl.deployment_id)).problems == []
    assert "mail allow" in doctor(str(other)).problem(f"deployment {other}", "gone@example.com gets no email")
    assert len(doctor().problems) == 1


def test_everybody_whom_a_configuration_names_is_looked_at(doctor: Doctor, hitl: Hitl) -> None:
    hitl.configure(
        settings={"groups": [{"name": "g", "members": ["g@example.com"]}]},
        rules=[
            {"name": "R", "match": {"method_name": "*"}, "assign_to_email": "R@example.com"},
            {"name": "G", "match": {"method_name": "*"}, "assign_to_email": "group:g"},
        ],
    )
    hitl.api("PUT", "/v1/deployments/1/members/m@example.com", {})
    for name in ("g", "r", "m", "nobody"):
        current().suppressed.add(f"{name}@example.com", "bounced", datetime(2026, 1, 1, tzinfo=UTC))
    found = {check["fact"].split(" ")[0] for check in doctor().problems}
    assert found == {"g@example.com", "R@example.com", "m@example.com"}


def test_a_deployment_whose_flows_cannot_ask(doctor: Doctor) -> None:
    manage = current().manage_deployments
    new = manage.create(name="New", creator_email="a@example.com", organization_id=1).deployment_id
    manage.issue_key(new, name="reader", permissions=frozenset({Permission.MANAGE}))
    report = doctor(str(new))
    assert report.problems == []
    (note,) = report.of(f"deployment {new}")
    assert "No API key may open requests" in note["fact"]


def test_webhooks_that_fail_or_were_never_sent(doctor: Doctor, hitl: Hitl, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as app:
        app.status = 500
        failing = hook(hitl, app.url)
        hitl.ask(emit=EMIT)
        failed = failing.deliveries[0]["id"]
    step = doctor().problem("deployment 1", 'The webhook "Jira" did not get "new_request"', "HTTP 500")
    assert f"/webhooks/{failing.id}/deliveries/{failed}/redeliver" in step
    hitl.api("DELETE", f"/v1/deployments/1/webhooks/{failing.id}")

    lost = hook(hitl, "https://jira.example.com/")
    with monkeypatch.context() as patched:
        patched.setattr("flow_hitl.webhooks.delivery_queue.SqsDeliveryQueue.send", lambda *_: None)
        lost.call("POST", "/test")
    assert doctor().problems == []
    hitl.advance(minutes=61)
    assert "redeliver" in doctor().problem("deployment 1", "the worker stopped")


def test_a_request_is_diagnosed_with_its_deployment(doctor: Doctor, hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    hitl.reply("approved", sender="stranger@example.com")
    report = doctor(request.id.upper())
    assert "alias" in report.problem("reply_not_processed (problem)", "stranger@example.com")
    assert report.of("mail_not_sent (ok)")
    assert report.of("flow_not_resumed (waiting)")


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (("99",), 1, "no deployment 99"),
        (("0192f0c1-7e11-7abc-8def-0123456789ab",), 1, "no such request"),
        (("everything",), 2, "neither a deployment's number nor a request's id"),
        (("0",), 2, "neither"),
    ],
)
def test_what_is_not_there_is_said(doctor: Doctor, words: tuple[str, ...], code: int, error: str) -> None:
    result = CliRunner().invoke(main, ("doctor", *words))
    assert result.exit_code == code
    assert error in result.stderr


def test_on_the_local_stack_it_says_what_does_not_apply(doctor: Doctor) -> None:
    report = doctor("--local")
    assert report.problems == []
    for name in ("alarms", "mail out", "mail in", "MX record"):
        (check,) = report.of(name)
        assert "does not apply here" in check["fact"]
