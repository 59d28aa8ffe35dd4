"""The operator's commands as they are typed, over the real services on moto; only CloudFormation is acted."""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from click.testing import CliRunner, Result
from moto import mock_aws

from flow_hitl.bootstrap import Application
from flow_hitl.deployments.quotas import Usage, full_hour
from flow_hitl.platform import aws
from flow_hitl.platform.errors import Conflict, Unauthorized
from flow_hitl.platform.system_clock import RandomIds, SystemClock, jitter
from flow_hitl.platform.times import parse_rfc3339
from infra.cli.main import main
from infra.local.state import Operator, operator_path, write_state
from infra.outputs import output_name, settings_from_outputs
from infra.tables import TABLES, create_table_arguments

STACK = "flow-hitl"
WORK_QUEUES = (
    "email",
    "receipt",
    "resume",
    "webhook",
    "deadline",
    "inbound_mail",
    "mail_feedback",
    "relay_retry",
    "measure",
    "retention",
    "seal",
    "export",
    "sweep",
)


class Stack:
    """A stack on moto, and the commands run against it."""

    def __init__(self, outputs: dict[str, str]) -> None:
        self.outputs = outputs
        self.application = Application(settings_from_outputs(outputs), SystemClock(), RandomIds(), jitter)

    def run(self, *words: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(main, words, input=stdin, terminal_width=120)

    def ok(self, *words: str, stdin: str | None = None) -> str:
        result = self.run(*words, stdin=stdin)
        assert result.exit_code == 0, result.output
        return result.stdout

    def json(self, *words: str, stdin: str | None = None) -> Any:
        result = self.run(*words, "--json", stdin=stdin)
        assert (result.exit_code, result.stderr) == (0, "")
        return json.loads(result.stdout)

    def refused(self, *words: str, stdin: str | None = None) -> str:
        result = self.run(*words, stdin=stdin)
        assert (result.exit_code, result.stdout) == (1, "")
        return result.stderr

    def create(self) -> str:
        words = ("deployment", "create", "--name", "Content Review", "--creator", "boss@example.com")
        return str(self.json(*words, "--organization", "789")["deployment"]["id"])

    def issue(self, deployment_id: str) -> Any:
        return self.json("api-key", "issue", deployment_id, "--name", "worker", "--permission", "create_requests")


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    environment = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    # moto has one server: it needs no long poll to ask all of them.
    with (
        patch.dict(os.environ, environment),
        mock_aws(),
        patch("flow_hitl.delivery.dead_letter_queues.WAIT_SECONDS", 0),
    ):
        aws.client.cache_clear()
        outputs = _make_resources()
        aws.client("cloudformation").meta.events.register(
            "before-call.cloudformation.DescribeStacks", lambda params, **_: _describe_stacks(params, outputs)
        )
        yield Stack(outputs)
    aws.client.cache_clear()


def _make_resources() -> dict[str, str]:
    for table in TABLES:
        aws.client("dynamodb").create_table(**create_table_arguments(table, table.name))
    secret = {"active": "1", "1": "a-random-key-of-the-test"}
    aws.client("secretsmanager").create_secret(Name="signing", SecretString=json.dumps(secret))
    outputs = {
        "RequestsTable": "requests",
        "AuditTable": "audit",
        "DeploymentsTable": "deployments",
        "ContentBucket": "content",
        "MailBucket": "mail",
        "DeadlineQueueArn": "arn:aws:sqs:us-east-1:123456789012:deadline",
        "WebhookKeyId": "arn:aws:kms:us-east-1:123456789012:key/webhooks",
        "SealBucket": "seals",
        "SealKeyId": "arn:aws:kms:us-east-1:123456789012:key/seals",
        "ExportBucket": "exports",
        "SchedulerRoleArn": "arn:aws:iam::123456789012:role/scheduler",
        "SchedulerGroup": "flow-hitl",
        "SigningSecretId": "signing",
        "BaseUrl": "https://api.example.com",
        "InboundDomain": "hitl.example.com",
        "MailFrom": "reviews@hitl.example.com",
    }
    for suffix, names in (("queue", WORK_QUEUES), ("dead_letter_queue", (*WORK_QUEUES, "stream", "schedules"))):
        for name in names:
            created = aws.client("sqs").create_queue(QueueName=f"{name}_{suffix}")
            outputs[output_name(f"{name}_{suffix}_url")] = created["QueueUrl"]
        outputs[output_name(f"{suffix}_names")] = ",".join(f"{name}={name}_{suffix}" for name in names)
    return outputs


def _describe_stacks(params: Any, outputs: dict[str, str]) -> tuple[SimpleNamespace, dict[str, Any]]:
    """Answer as CloudFormation does, in place of the call: moto's needs packages that nothing else here does."""
    name = params["body"]["StackName"]
    if name == "another":
        outputs = {"BucketName": "theirs"}
    elif name != STACK:
        error = {"Code": "ValidationError", "Message": f"Stack with id {name} does not exist"}
        return SimpleNamespace(status_code=400), {"Error": error}
    found = [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()]
    return SimpleNamespace(status_code=200), {"Stacks": [{"Outputs": found}]}


@contextmanager
def _emulator_without_deployments() -> Iterator[HTTPServer]:
    """Serve a DynamoDB in which every query finds nothing."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            body = b'{"Items": [], "Count": 0, "ScannedCount": 0}'
            self.send_response(200)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server


@contextmanager
def _own_clients() -> Iterator[None]:
    """Let the commands make clients anew, as a process of their own does."""
    with patch.object(aws, "client", lru_cache(aws.client.__wrapped__)):
        yield


# --- deployments


def test_a_deployment_is_created_listed_and_shown(stack: Stack) -> None:
    result = stack.run(
        *("deployment", "create", "--name", "Marketing", "--creator", "chief@example.com", "--organization", "42")
    )
    assert result.exit_code == 0
    deployment_id = result.stdout.split("Created deployment ")[1].split(".")[0]
    assert f"flow-hitl api-key issue {deployment_id} " in result.stderr

    shown = stack.json("deployment", "show", deployment_id)["deployment"]
    assert shown["settings"]["reply_token_days"] == 7
    assert (shown["rules"], shown["api_keys"]) == ([], [])
    listed = {
        "id": int(deployment_id),
        "name": "Marketing",
        "organization_id": 42,
        "creator_email": "chief@example.com",
    }
    assert listed.items() <= shown.items()
    assert listed in stack.json("deployment", "list")["deployments"]
    table = stack.ok("deployment", "list").splitlines()
    assert table[0].split() == ["ID", "NAME", "ORGANIZATION", "CREATOR", "RULES", "API", "KEYS"]
    assert [deployment_id, "Marketing", "42", "chief@example.com", "0", "0"] in [line.split() for line in table]
    assert "chief@example.com" in stack.ok("deployment", "show", deployment_id)


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--creator", "Boss <boss@example.com>", "a plain email address"),
        ("--name", " ", "must not be blank"),
        ("--organization", "acme", "not a valid integer"),
    ],
)
def test_a_deployment_with_a_wrong_fact_is_not_created(stack: Stack, option: str, value: str, words: str) -> None:
    before = stack.json("deployment", "list")
    facts = {"--name": "Name", "--creator": "boss@example.com", "--organization": "1"} | {option: value}
    result = stack.run("deployment", "create", *(word for pair in facts.items() for word in pair))
    assert result.exit_code == 2
    assert words in result.stderr
    assert stack.json("deployment", "list") == before


def test_quotas_are_set_one_by_one_and_shown_with_what_is_used(stack: Stack) -> None:
    deployment_id = stack.create()
    defaults = stack.json("deployment", "show", deployment_id)["deployment"]
    assert defaults["quotas"] == {"requests_per_hour": 1000, "mails_per_day": 10000}
    assert defaults["usage"] == {"requests_this_hour": 0, "mails_today": 0}

    told = stack.run("deployment", "quota", deployment_id, "--requests-per-hour", "5000")
    assert told.exit_code == 0
    assert f"flow-hitl deployment show {deployment_id}" in told.stderr
    stack.ok("deployment", "quota", deployment_id, "--mails-per-day", "300")

    relayed = stack.application.clock.now()
    used = Usage(requests=12, mails=30)
    stack.application.count_usage.log.add(int(deployment_id), full_hour(relayed), used)
    shown = stack.json("deployment", "show", deployment_id)["deployment"]
    assert shown["quotas"] == {"requests_per_hour": 5000, "mails_per_day": 300}
    assert shown["usage"] == {"requests_this_hour": 12, "mails_today": 30}
    lines = stack.ok("deployment", "show", deployment_id).splitlines()
    assert [line for line in lines if "30 of 300" in line]
    assert [line for line in lines if "12 of 5000" in line]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "Give --requests-per-hour, --mails-per-day or both."),
        (("--requests-per-hour", "0"), "0 is not in the range"),
        (("--mails-per-day", "many"), "not a valid integer"),
    ],
)
def test_a_quota_that_is_none_changes_nothing(stack: Stack, options: tuple[str, ...], words: str) -> None:
    deployment_id = stack.create()
    result = stack.run("deployment", "quota", deployment_id, *options)
    assert (result.exit_code, words in result.stderr) == (2, True)
    quotas = stack.json("deployment", "show", deployment_id)["deployment"]["quotas"]
    assert quotas == {"requests_per_hour": 1000, "mails_per_day": 10000}


@pytest.mark.parametrize(
    "words",
    [
        ("deployment", "show", "999"),
        ("deployment", "quota", "999", "--mails-per-day", "1"),
        ("api-key", "list", "999"),
        ("api-key", "revoke", "999", "abcd"),
        ("settings", "get", "999"),
        ("rules", "get", "999"),
        ("resume-secret", "999"),
    ],
)
def test_an_unknown_deployment_is_said_with_a_hint(stack: Stack, words: tuple[str, ...]) -> None:
    error, hint = stack.refused(*words).splitlines()
    assert error == "Error: There is no deployment 999."
    assert "flow-hitl deployment list" in hint


# --- API keys


def test_an_issued_key_opens_the_api_until_it_is_revoked(stack: Stack) -> None:
    deployment_id = stack.create()
    issued = stack.issue(deployment_id)
    holder = stack.application.authenticate(f"Bearer {issued['key']}")
    assert holder.deployment.deployment_id == int(deployment_id)
    assert issued["api_key"]["permissions"] == ["create_requests"]

    key_id = issued["api_key"]["id"]
    (listed,) = stack.json("api-key", "list", deployment_id)["api_keys"]
    assert issued["api_key"]["last_used_at"] is None
    assert listed == {**issued["api_key"], "last_used_at": listed["last_used_at"]}
    assert parse_rfc3339(listed["last_used_at"]) >= parse_rfc3339(listed["created_at"])
    assert listed["last_used_at"] in stack.ok("api-key", "list", deployment_id)
    assert "Revoked" in stack.ok("api-key", "revoke", deployment_id, key_id)
    with pytest.raises(Unauthorized):
        stack.application.authenticate(f"Bearer {issued['key']}")
    assert stack.ok("api-key", "list", deployment_id) == "No API keys yet.\n"
    assert "has no API key" in stack.refused("api-key", "revoke", deployment_id, key_id)


def test_a_key_is_printed_once_and_never_again(stack: Stack) -> None:
    deployment_id = stack.create()
    words = ("--name", "admin", "--permission", "manage_human_feedback", "--permission", "create_requests")
    printed = stack.ok("api-key", "issue", deployment_id, *words).splitlines()
    key = printed[-1]
    assert stack.application.authenticate(f"Bearer {key}").key.name == "admin"
    secret = key.split("_", 3)[3]
    for later in (("api-key", "list", deployment_id), ("deployment", "show", deployment_id, "--json")):
        assert secret not in stack.ok(*later)
    table = stack.ok("api-key", "list", deployment_id)
    assert "create_requests, manage_human_feedback" in table
    assert "never" in table


@pytest.mark.parametrize(("text", "days"), [("2099-01-31T12:00:00+02:00", None), ("90d", 90)])
def test_a_key_expires_when_it_is_told_to(stack: Stack, text: str, days: int | None) -> None:
    words = ("--name", "worker", "--permission", "create_requests", "--expires", text)
    expires_at = stack.json("api-key", "issue", stack.create(), *words)["api_key"]["expires_at"]
    if days is None:
        assert expires_at == "2099-01-31T10:00:00Z"
    else:
        left = parse_rfc3339(expires_at) - datetime.now(UTC)
        assert timedelta(days=days, minutes=-1) < left <= timedelta(days=days)


@pytest.mark.parametrize("text", ["2020-01-01T00:00:00Z", "2099-01-01T00:00:00", "tomorrow", "0d", "-1d", ""])
def test_a_key_that_expires_at_no_future_time_is_not_issued(stack: Stack, text: str) -> None:
    deployment_id = stack.create()
    words = ("--name", "worker", "--permission", "create_requests", "--expires", text)
    result = stack.run("api-key", "issue", deployment_id, *words)
    assert result.exit_code == 2
    assert "--expires" in result.stderr
    assert stack.json("api-key", "list", deployment_id) == {"api_keys": []}


@pytest.mark.parametrize("words", [("--name", "worker"), ("--name", "worker", "--permission", "everything")])
def test_a_key_needs_permissions_that_exist(stack: Stack, words: tuple[str, ...]) -> None:
    result = stack.run("api-key", "issue", "1", *words)
    assert result.exit_code == 2
    assert "respond_to_human_feedback" in result.stderr


def test_no_key_responds(stack: Stack) -> None:
    deployment_id = stack.create()
    words = ("--name", "worker", "--permission", "create_requests", "--permission", "respond_to_human_feedback")
    result = stack.run("api-key", "issue", deployment_id, *words)
    assert (result.exit_code, "only the people who are asked respond" in result.stderr) == (2, True)
    assert stack.json("api-key", "list", deployment_id) == {"api_keys": []}


# --- settings and rules


def test_settings_go_from_a_file_to_the_deployment_and_back(stack: Stack, tmp_path: Path) -> None:
    deployment_id = stack.create()
    document = stack.json("settings", "get", deployment_id)
    document["auto_response"] = {"enabled": True, "timeout_minutes": 60, "default_outcome": "rejected"}
    document["free_text"] = "ask_again"
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(document))

    assert stack.json("settings", "set", deployment_id, "--file", str(path)) == document
    assert stack.json("settings", "get", deployment_id) == document
    settings = stack.application.manage_deployments.show(int(deployment_id)).settings
    assert settings.auto_response.timeout_minutes == 60
    table = [line.split() for line in stack.ok("settings", "get", deployment_id).splitlines()]
    assert ["auto_response.timeout_minutes", "60"] in table
    assert ["sla_target_minutes", "null"] in table


def test_doubts_about_settings_are_said_beside_the_document(stack: Stack) -> None:
    deployment_id = stack.create()
    result = stack.run("settings", "set", deployment_id, "--file", "-", stdin='{"email_notifications": false}')
    assert result.exit_code == 0
    assert "Warning: Email notifications are off and no webhook is active" in result.stderr
    assert "Warning" not in result.stdout


def test_a_rule_with_a_condition_and_deadlines_is_shown_with_them(stack: Stack) -> None:
    deployment_id = stack.create()
    rule = {
        "name": "Big",
        "match": {"method_name": "approve_*", "condition": {"state.amount": {"gt": 10000}}},
        "assign_to_email": "cfo@example.com",
        "assign_from_input": None,
        "sla_target_minutes": 30,
        "auto_response": {"enabled": True, "timeout_minutes": 60, "default_outcome": "rejected"},
    }
    document = {"rules": [rule]}
    assert stack.json("rules", "set", deployment_id, "--file", "-", stdin=json.dumps(document)) == document
    shown = stack.ok("rules", "get", deployment_id)
    assert '{"state.amount": {"gt": 10000}}' in shown
    assert "30   rejected after 60" in shown


def test_rules_go_from_standard_input_to_the_deployment_and_back(stack: Stack) -> None:
    deployment_id = stack.create()
    assert "boss@example.com" in stack.ok("rules", "get", deployment_id)
    sales = {
        "name": "Route to Sales Rep",
        "match": {"method_name": "review_*"},
        "assign_to_email": None,
        "assign_from_input": "sales_rep_email",
    }
    document = {"rules": [sales]}
    assert stack.json("rules", "set", deployment_id, "--file", "-", stdin=json.dumps(document)) == document
    assert stack.json("rules", "get", deployment_id) == document
    assert "Route to Sales Rep  review_*     sales_rep_email    -" in stack.ok("rules", "get", deployment_id)


@pytest.mark.parametrize(
    ("what", "document", "line"),
    [
        ("settings", {"sla_target_minutes": 0}, "  /sla_target_minutes: "),
        ("settings", {"reminders": [30]}, "  /reminders/0: must be a JSON object"),
        ("rules", {"rules": [{"name": "A", "match": {"method_name": "*"}}]}, "  /rules/0: must have assign_to_email"),
    ],
)
def test_a_wrong_file_changes_nothing_and_names_the_field(stack: Stack, what: str, document: Any, line: str) -> None:
    deployment_id = stack.create()
    before = stack.json("deployment", "show", deployment_id)
    error, field, hint = stack.refused(
        what, "set", deployment_id, "--file", "-", stdin=json.dumps(document)
    ).splitlines()
    assert error == "Error: The file is not valid, and nothing was changed."
    assert field.startswith(line)
    assert hint.startswith("Hint: ")
    assert stack.json("deployment", "show", deployment_id) == before


def test_a_file_that_is_no_json_is_said_to_be_none(stack: Stack) -> None:
    error, hint = stack.refused("rules", "set", stack.create(), "--file", "-", stdin="{").splitlines()
    assert error.startswith("Error: This is no JSON in UTF-8: ")
    assert "Nothing was changed" in hint


# --- the resume secret and the dead-letter queues


def test_the_resume_secret_is_all_that_is_printed(stack: Stack) -> None:
    deployment_id = stack.create()
    secret = stack.application.manage_deployments.resume_secret(int(deployment_id))
    assert secret.startswith("whsec_")
    assert stack.ok("resume-secret", deployment_id) == f"{secret}\n"
    assert stack.json("resume-secret", deployment_id) == {"resume_signing_secret": secret}


def test_redrive_moves_every_dead_letter_back(stack: Stack) -> None:
    sqs, bodies = aws.client("sqs"), {f"message {number}" for number in range(12)}
    for body in bodies:
        sqs.send_message(QueueUrl=stack.outputs["RelayRetryDeadLetterQueueUrl"], MessageBody=body)
    assert stack.ok("redrive", "relay").startswith("Moved 12 messages ")
    moved = [
        message["Body"]
        for _ in range(2)
        for message in sqs.receive_message(QueueUrl=stack.outputs["RelayRetryQueueUrl"], MaxNumberOfMessages=10)[
            "Messages"
        ]
    ]
    assert sorted(moved) == sorted(bodies)


@pytest.mark.parametrize(
    "queue",
    [
        "resume",
        "email",
        "deadline",
        "schedules",
        "inbound-mail",
        "webhook",
        "relay",
        "measure",
        "retention",
        "stream",
        "seal",
        "sweep",
        "export",
    ],
)
def test_redrive_of_an_empty_queue_moves_nothing(stack: Stack, queue: str) -> None:
    assert stack.json("redrive", queue) == {"queue": queue, "moved": 0, "resting": 0, "oldest_sent_at": None}


def test_redrive_of_all_queues_first_says_what_would_go(stack: Stack) -> None:
    for name in ("Email", "Webhook", "Webhook"):
        aws.client("sqs").send_message(QueueUrl=stack.outputs[f"{name}DeadLetterQueueUrl"], MessageBody="{}")
    looked = stack.json("redrive", "all", "--dry-run")["queues"]
    assert {each["queue"]: each["resting"] for each in looked if each["resting"]} == {"email": 1, "webhook": 2}
    assert all((each["oldest_sent_at"] is not None) == bool(each["resting"]) for each in looked)
    assert "Moved 2 messages from the dead-letter queue of webhook" in stack.ok("redrive", "all")
    assert "nothing was moved" in stack.ok("redrive", "all")


# --- which stack


def test_the_stack_may_be_named_before_or_after_the_command(stack: Stack) -> None:
    assert stack.run("--stack", STACK, "--json", "deployment", "list").exit_code == 0
    assert f"--stack {STACK}" in stack.run("deployment", "list", "--stack", STACK).stderr


def test_a_stack_that_is_not_there_or_not_ours_is_said(stack: Stack) -> None:
    assert "There is no stack nowhere in us-east-1." in stack.refused("deployment", "list", "--stack", "nowhere")
    assert "lack requests_table, " in stack.refused("deployment", "list", "--stack", "another")
    assert "lack requests_table, " in stack.refused("redrive", "email", "--stack", "another")


def test_an_error_of_aws_is_one_sentence_and_a_hint(stack: Stack) -> None:
    with patch.dict(stack.outputs, {"DeploymentsTable": "gone"}):
        error, hint = stack.refused("deployment", "list").splitlines()
    assert error.startswith("Error: AWS refused Query with ResourceNotFoundException: ")
    assert hint.startswith("Hint: ")


def test_a_region_that_is_not_chosen_is_said(stack: Stack) -> None:
    nothing = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    with patch.dict(os.environ, nothing), _own_clients():
        del os.environ["AWS_DEFAULT_REGION"]
        error, hint = stack.refused("deployment", "list").splitlines()
    assert error == "Error: No AWS region is set."
    assert "AWS_DEFAULT_REGION" in hint


def test_local_calls_the_endpoint_of_the_running_local_stack(stack: Stack, tmp_path: Path) -> None:
    with _emulator_without_deployments() as server:
        url = f"http://127.0.0.1:{server.server_port}"
        write_state(operator_path(tmp_path), Operator(url, "us-east-1", STACK, stack.outputs))
        with patch.dict(os.environ, {"FLOW_HITL_HOME": str(tmp_path)}), _own_clients():
            assert stack.json("deployment", "list", "--local") == {"deployments": []}
            server.shutdown()
            server.server_close()
            unreachable = stack.refused("deployment", "list", "--local")
    assert "AWS could not be reached" in unreachable
    assert "make local" in unreachable


def test_local_without_a_local_stack_says_how_to_start_one(stack: Stack, tmp_path: Path) -> None:
    with patch.dict(os.environ, {"FLOW_HITL_HOME": str(tmp_path)}):
        error, hint = stack.refused("deployment", "list", "--local").splitlines()
    assert error.startswith("Error: No local stack is running")
    assert "make local" in hint


def test_local_and_a_named_stack_exclude_each_other(stack: Stack) -> None:
    result = stack.run("--local", "deployment", "list", "--stack", STACK)
    assert result.exit_code == 2
    assert "not both" in result.stderr


def test_a_deployment_that_others_keep_changing_is_said_and_left_alone(stack: Stack) -> None:
    deployment_id = stack.create()
    before = stack.json("deployment", "show", deployment_id)
    store = "flow_hitl.deployments.deployment_store.DynamoDeploymentStore.commit"
    with patch(store, side_effect=Conflict("busy")), patch("flow_hitl.platform.system_clock.SystemClock.sleep"):
        error, hint = stack.refused("member", "set", deployment_id, "a@example.com").splitlines()
    assert "kept changing" in error
    assert "again" in hint
    assert stack.json("deployment", "show", deployment_id) == before


def test_who_may_sign_in_is_noted_anew_for_all_deployments(stack: Stack) -> None:
    stack.create()
    number = len(stack.json("deployment", "list")["deployments"])
    said = f"Listed who may sign in to {number} {'deployment' if number == 1 else 'deployments'}."
    assert said in stack.ok("member", "index")
    stack.create()
    assert stack.json("member", "index") == {"deployments": number + 1}
