"""Each function may do exactly what is written here."""

from collections.abc import Iterator
from typing import Any

import pytest

from infra.constructs.data import AUDIT_MUTATIONS
from tests.infra.conftest import Stack

Rights = set[tuple[str, str]]

WRITE_LOG = {("logs:CreateLogStream", "own log"), ("logs:PutLogEvents", "own log")}
DECIDE = {
    *((f"dynamodb:{action}", "requests") for action in ("GetItem", "Query", "PutItem")),
    *((f"dynamodb:{action}", "audit") for action in ("PutItem", "GetItem", "Query")),
    ("s3:GetObject", "content/content/*"),
}
CONFIGURATION = {("dynamodb:GetItem", "deployments")}
EFFECTS = {("dynamodb:UpdateItem", "requests")}
SECRET = {("secretsmanager:GetSecretValue", "secret")}


def _consume(queue: str) -> Rights:
    return {(f"sqs:{action}", queue) for action in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")}


def _send(*queues: str) -> Rights:
    return {("sqs:SendMessage", queue) for queue in queues}


# Where what a request is owed may rest.
DIAGNOSED = ("email", "resume", "inbound mail", "relay retry", "stream")

EXPECTED: dict[str, Rights] = {
    "intake": {
        *DECIDE,
        *SECRET,
        ("dynamodb:Query", "deployments"),
        ("dynamodb:BatchGetItem", "requests"),
        ("dynamodb:Query", "requests/index/by_created"),
        ("dynamodb:Query", "requests/index/by_status"),
        ("dynamodb:Query", "requests/index/by_assignee"),
        ("dynamodb:Query", "requests/index/by_decision"),
        ("s3:PutObject", "content/content/*"),
    },
    "management": {
        *((f"dynamodb:{action}", "deployments") for action in ("GetItem", "Query", "PutItem", "DeleteItem")),
        *((f"dynamodb:{action}", "audit") for action in ("PutItem", "Query")),
        *((f"dynamodb:{action}", "requests") for action in ("GetItem", "Query", "PutItem", "BatchGetItem")),
        ("dynamodb:Query", "requests/index/by_created"),
        ("kms:Encrypt", "webhook key"),
        *_send("webhook"),
        *(("sqs:GetQueueAttributes", f"{name} dead letters") for name in DIAGNOSED),
        ("ses:GetEmailIdentity", "identity"),
        ("ses:GetAccount", "*"),
    },
    "respond": DECIDE | SECRET | CONFIGURATION,
    "dashboard": DECIDE | CONFIGURATION | SECRET,
    "docs": set(),
    "mail_feedback": DECIDE | CONFIGURATION | _consume("mail feedback"),
    "inbound_mail": {
        *DECIDE,
        *SECRET,
        *CONFIGURATION,
        *_consume("inbound mail"),
        ("s3:GetObject", "mail/inbound/*"),
    },
    "deadline": DECIDE | CONFIGURATION | _consume("deadline") | _send("deadline"),
    "relay": {
        ("dynamodb:DescribeStream", "audit stream"),
        ("dynamodb:GetRecords", "audit stream"),
        ("dynamodb:GetShardIterator", "audit stream"),
        ("dynamodb:ListStreams", "*"),
        ("dynamodb:GetItem", "deployments"),
        ("dynamodb:UpdateItem", "deployments"),
        *_consume("relay retry"),
        *_send("email", "resume", "webhook", "deadline", "relay retry", "stream dead letters"),
        ("scheduler:CreateSchedule", "schedules"),
        ("iam:PassRole", "scheduler role"),
    },
    "send_email": DECIDE
    | SECRET
    | CONFIGURATION
    | EFFECTS
    | _consume("email")
    | {(f"ses:{action}", where) for action in ("SendEmail", "SendRawEmail") for where in ("identity", "mail settings")},
    "resume_flow": DECIDE
    | SECRET
    | CONFIGURATION
    | EFFECTS
    | _consume("resume")
    | {("sqs:ChangeMessageVisibility", "resume")},
    "send_webhook": DECIDE
    | SECRET
    | EFFECTS
    | {(f"dynamodb:{action}", "deployments") for action in ("GetItem", "Query", "PutItem", "UpdateItem")}
    | {("kms:Decrypt", "webhook key")}
    | _consume("webhook")
    | _send("webhook"),
}

# A part of the resource's text in the template, and what it is called here; the first that fits counts.
NAMES = (
    ("SigningSecret", "secret"),
    ("AuditTable", "audit"),
    ("RequestsTable", "requests"),
    ("DeploymentsTable", "deployments"),
    ("DataContent", "content"),
    ("DataMail", "mail"),
    ("QueuesEmailDeadLetters", "email dead letters"),
    ("QueuesResumeDeadLetters", "resume dead letters"),
    ("QueuesInboundMailDeadLetters", "inbound mail dead letters"),
    ("QueuesRelayRetryDeadLetters", "relay retry dead letters"),
    ("QueuesEmailQueue", "email"),
    ("QueuesResumeQueue", "resume"),
    ("QueuesWebhookQueue", "webhook"),
    ("DataWebhookKey", "webhook key"),
    ("QueuesDeadlineQueue", "deadline"),
    ("QueuesInboundMailQueue", "inbound mail"),
    ("QueuesMailFeedbackQueue", "mail feedback"),
    ("QueuesRelayRetryQueue", "relay retry"),
    ("QueuesStreamDeadLetters", "stream dead letters"),
    ("SchedulingRole", "scheduler role"),
    (":schedule/flowhitl-Scheduling-Group-", "schedules"),
    (":identity/hitl.example.com", "identity"),
    (":configuration-set/flow-hitl", "mail settings"),
)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_function_may_do_exactly_this(core: Stack, name: str) -> None:
    allowed = {
        (action, _name(resource, name))
        for statement in _statements(core, name)
        if statement["Effect"] == "Allow"
        for action in _list(statement["Action"])
        for resource in _list(statement["Resource"])
    }
    assert allowed == EXPECTED[name] | WRITE_LOG


def test_every_function_is_in_the_list(core: Stack) -> None:
    handlers = {each["Handler"] for each in core.properties("AWS::Lambda::Function")}
    assert handlers == {f"functions.{name}.handler" for name in EXPECTED}


@pytest.mark.parametrize("name", EXPECTED)
def test_no_function_may_change_an_audit_event(core: Stack, name: str) -> None:
    (denied,) = [each for each in _statements(core, name) if each["Effect"] == "Deny"]
    assert sorted(denied["Action"]) == sorted(AUDIT_MUTATIONS)
    assert _name(denied["Resource"], name) == "audit"


@pytest.mark.parametrize("name", EXPECTED)
def test_no_function_has_an_action_by_wildcard(core: Stack, name: str) -> None:
    for statement in _statements(core, name):
        assert not [action for action in _list(statement["Action"]) if "*" in action]


def test_a_function_has_no_policy_beside_its_own(core: Stack) -> None:
    assert core.of_type("AWS::IAM::Policy") == {}
    for role in core.properties("AWS::IAM::Role"):
        assert len(role["Policies"]) == 1
        assert "ManagedPolicyArns" not in role


def test_the_scheduler_may_only_send_to_the_deadline_queue(core: Stack) -> None:
    role = core.find("AWS::IAM::Role", "Scheduling")["Properties"]
    (statement,) = role["Policies"][0]["PolicyDocument"]["Statement"]
    assert statement["Action"] == "sqs:SendMessage"
    assert _name(statement["Resource"], "") == "deadline"
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Condition"] == {
        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    }


def test_the_relay_may_pass_its_role_to_the_scheduler_alone(core: Stack) -> None:
    (statement,) = [each for each in _statements(core, "relay") if each["Action"] == "iam:PassRole"]
    assert statement["Condition"] == {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}}


def _statements(core: Stack, name: str) -> list[dict[str, Any]]:
    role_id = core.function(name)["Role"]["Fn::GetAtt"][0]
    (policy,) = core.template["Resources"][role_id]["Properties"]["Policies"]
    statements: list[dict[str, Any]] = policy["PolicyDocument"]["Statement"]
    return statements


def _name(resource: Any, function: str) -> str:
    text = "".join(_texts(resource))
    own_log = f"Functions{function.title().replace('_', '')}Log"
    if text.startswith(own_log):
        return "own log"
    for part, name in NAMES:
        if part in text:
            if "StreamArn" in text:
                return f"{name} stream"
            return name + text[text.index("/") :] if name in ("content", "mail", "requests") and "/" in text else name
    return text


def _texts(value: Any) -> Iterator[str]:
    """Yield the literal texts and the logical ids in a template's expression, in their order."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif "Fn::GetAtt" in value:
        logical_id, attribute = value["Fn::GetAtt"]
        yield logical_id if attribute == "Arn" else f"{logical_id}.{attribute}"
    else:
        for each in value.values():
            yield from _texts(each)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
