"""Each function may do exactly what is written here."""

from collections.abc import Iterator
from typing import Any

import pytest

from infra.constructs.data import AUDIT_MUTATIONS
from infra.constructs.sealing import LOCK_BYPASSES
from tests.infra.conftest import Stack

Rights = set[tuple[str, str]]

WRITE_LOG = {("logs:CreateLogStream", "own log"), ("logs:PutLogEvents", "own log")}
DECIDE = {
    *((f"dynamodb:{action}", "requests") for action in ("GetItem", "Query", "PutItem")),
    *((f"dynamodb:{action}", "audit") for action in ("PutItem", "GetItem", "Query")),
    ("s3:GetObject", "content/content/*"),
}
CONFIGURATION = {("dynamodb:GetItem", "deployments")}
ATTACHMENTS = {("s3:GetObject", "content/attachments/*")}
READ_SEALS = {
    ("s3:ListBucket", "seals"),
    ("s3:ListBucketVersions", "seals"),
    ("s3:GetObjectVersion", "seals/digests/*"),
    *(("s3:GetObject", f"seals/{prefix}/*") for prefix in ("digests", "sections", "keys")),
    ("kms:GetPublicKey", "seal key"),
}
READ_BY_DAY = {("dynamodb:Query", "audit/index/by_day"), ("dynamodb:BatchGetItem", "audit")}
EXAMINE_AUDIT = {
    *READ_SEALS,
    *READ_BY_DAY,
    ("dynamodb:Query", "audit"),
    ("s3:GetObject", "content/attachments/*"),
    ("s3:GetObject", "exports/exports/*"),
    ("sqs:SendMessage", "export"),
}
EFFECTS = {("dynamodb:UpdateItem", "requests")}
SECRET = {("secretsmanager:GetSecretValue", "secret")}
READ_STREAM = {
    *((f"dynamodb:{action}", "audit stream") for action in ("DescribeStream", "GetRecords", "GetShardIterator")),
    ("dynamodb:ListStreams", "*"),
}


def _consume(queue: str) -> Rights:
    return {(f"sqs:{action}", queue) for action in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")}


def _retry(queue: str) -> Rights:
    return _consume(queue) | {("sqs:ChangeMessageVisibility", queue)}


def _send(*queues: str) -> Rights:
    return {("sqs:SendMessage", queue) for queue in queues}


def _lists(*indexes: str) -> Rights:
    return {("dynamodb:Query", f"requests/index/{name}") for name in indexes}


# Where what a request is owed may rest.
DIAGNOSED = (
    "email",
    "mail feedback",
    "receipt",
    "resume",
    "webhook",
    "inbound mail",
    "deadline",
    "schedule",
    "relay retry",
    "stream",
)
GOING_BACK = (*(name for name in DIAGNOSED if name != "stream"), "seal")
DIAGNOSE = {
    *(("sqs:GetQueueAttributes", f"{name} dead letters") for name in DIAGNOSED),
    ("ses:GetEmailIdentity", "identity"),
    ("ses:GetAccount", "*"),
}

EXPECTED: dict[str, Rights] = {
    "intake": {
        *DECIDE,
        *SECRET,
        ("dynamodb:Query", "deployments"),
        ("dynamodb:BatchGetItem", "requests"),
        *_lists("by_created", "by_status", "by_assignee"),
        ("s3:PutObject", "content/content/*"),
        ("s3:PutObject", "content/attachments/*"),
    },
    "wait": {
        *((f"dynamodb:{action}", "requests") for action in ("GetItem", "Query", "BatchGetItem", "PutItem")),
        ("dynamodb:Query", "deployments"),
        *_lists("by_decision"),
        ("s3:GetObject", "content/content/*"),
        *SECRET,
    },
    "management": {
        *((f"dynamodb:{action}", "deployments") for action in ("GetItem", "Query", "PutItem", "DeleteItem")),
        *((f"dynamodb:{action}", "audit") for action in ("PutItem", "Query")),
        *((f"dynamodb:{action}", "requests") for action in ("GetItem", "Query", "PutItem", "BatchGetItem")),
        *_lists("by_created", "by_status", "by_due"),
        ("kms:Encrypt", "webhook key"),
        ("kms:Decrypt", "webhook key"),
        *SECRET,
        *_send("webhook"),
        *DIAGNOSE,
        *EXAMINE_AUDIT,
        ("s3:GetObject", "content/content/*"),
    },
    "seal": {
        *READ_SEALS,
        *READ_BY_DAY,
        *(("dynamodb:Query", where) for where in ("audit", "deployments")),
        *(("dynamodb:Query", f"requests/index/{index}") for index in ("by_created", "by_decision")),
        ("kms:Sign", "seal key"),
        *(("s3:PutObject", f"seals/{prefix}/*") for prefix in ("digests", "sections", "keys")),
        *_consume("seal"),
        *_send("seal"),
    },
    "export_audit": {
        *READ_SEALS,
        *READ_BY_DAY,
        ("kms:Sign", "seal key"),
        *((f"dynamodb:{action}", "deployments") for action in ("GetItem", "PutItem")),
        ("s3:PutObject", "exports/exports/*"),
        ("s3:AbortMultipartUpload", "exports/exports/*"),
        *_consume("export"),
        *_send("export"),
    },
    "respond": DECIDE | SECRET | CONFIGURATION | ATTACHMENTS,
    "docs": {("kms:GetPublicKey", "seal key")},
    "dashboard": {
        *DECIDE,
        *SECRET,
        *(
            (f"dynamodb:{action}", "deployments")
            for action in ("GetItem", "BatchGetItem", "Query", "PutItem", "DeleteItem")
        ),
        *((f"dynamodb:{action}", "requests") for action in ("UpdateItem", "BatchGetItem")),
        *_lists("by_created", "by_status", "by_assignee", "by_due"),
        ("kms:Encrypt", "webhook key"),
        *_send("email", "webhook"),
        *DIAGNOSE,
        *EXAMINE_AUDIT,
    },
    "mail_feedback": DECIDE | EFFECTS | CONFIGURATION | _retry("mail feedback"),
    "inbound_mail": {
        *DECIDE,
        *SECRET,
        *(("dynamodb:BatchGetItem", where) for where in ("deployments", "audit")),
        *_retry("inbound mail"),
        ("s3:GetObject", "mail/inbound/*"),
    },
    "deadline": DECIDE
    | CONFIGURATION
    | {("dynamodb:BatchGetItem", where) for where in ("requests", "audit")}
    | _retry("deadline")
    | _send("deadline"),
    "relay": {
        ("dynamodb:GetItem", "deployments"),
        ("dynamodb:UpdateItem", "deployments"),
        *READ_STREAM,
        *_retry("relay retry"),
        *_send("email", "receipt", "resume", "webhook", "deadline", "relay retry", "stream dead letters"),
        ("scheduler:DeleteSchedule", "schedules"),
        ("scheduler:CreateSchedule", "schedules"),
        ("iam:PassRole", "scheduler role"),
    },
    "sweep": {
        *READ_BY_DAY,
        ("dynamodb:Query", "audit"),
        ("dynamodb:BatchGetItem", "requests"),
        ("s3:ListBucketVersions", "seals"),
        *(
            (f"dynamodb:{action}", "deployments")
            for action in ("GetItem", "BatchGetItem", "Query", "PutItem", "UpdateItem", "BatchWriteItem")
        ),
        *_send("email", "receipt", "resume", "webhook", "deadline", "export"),
        ("scheduler:CreateSchedule", "schedules"),
        ("iam:PassRole", "scheduler role"),
        *_consume("sweep"),
        *(right for name in (*GOING_BACK, "stream") for right in _retry(f"{name} dead letters")),
        *_send("inbound mail", "mail feedback", "relay retry", "seal"),
    },
    "measure": {
        *READ_BY_DAY,
        *(
            (f"dynamodb:{action}", "deployments")
            for action in ("GetItem", "BatchGetItem", "Query", "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem")
        ),
        *_lists("by_created"),
        ("dynamodb:BatchGetItem", "requests"),
        *_consume("measure"),
    },
    "retention": {
        *DECIDE,
        *READ_BY_DAY,
        ("dynamodb:BatchGetItem", "requests"),
        *((f"dynamodb:{action}", "deployments") for action in ("GetItem", "Query", "PutItem")),
        *(("s3:DeleteObject", f"content/{prefix}/*") for prefix in ("content", "attachments")),
        ("s3:DeleteObject", "mail/inbound/*"),
        *_consume("retention"),
    },
    "send_email": DECIDE
    | SECRET
    | {("dynamodb:BatchGetItem", where) for where in ("requests", "audit")}
    | {(f"dynamodb:{action}", "deployments") for action in ("GetItem", "Query")}
    | EFFECTS
    | ATTACHMENTS
    | _retry("email")
    | {(f"ses:Send{what}", where) for what in ("Email", "RawEmail") for where in ("identities", "mail settings")},
    "sign_receipt": DECIDE | EFFECTS | {("kms:Sign", "seal key"), ("kms:GetPublicKey", "seal key")} | _retry("receipt"),
    "resume_flow": DECIDE
    | SECRET
    | CONFIGURATION
    | EFFECTS
    | {("dynamodb:BatchGetItem", where) for where in ("requests", "audit", "deployments")}
    | _retry("resume"),
    "send_webhook": DECIDE
    | SECRET
    | EFFECTS
    | {("dynamodb:BatchGetItem", where) for where in ("requests", "audit")}
    | {
        (f"dynamodb:{action}", "deployments")
        for action in ("GetItem", "BatchGetItem", "Query", "PutItem", "UpdateItem")
    }
    | {("kms:Decrypt", "webhook key")}
    | _retry("webhook")
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
    *(
        (f"Queues{name.title().replace(' ', '')}DeadLetters", f"{name} dead letters")
        for name in (*GOING_BACK, "stream")
    ),
    ("DataExports", "exports"),
    ("SealsBucket", "seals"),
    ("SealsKey", "seal key"),
    ("QueuesSealQueue", "seal"),
    ("QueuesExportQueue", "export"),
    ("QueuesEmailQueue", "email"),
    ("QueuesReceiptQueue", "receipt"),
    ("QueuesResumeQueue", "resume"),
    ("QueuesWebhookQueue", "webhook"),
    ("DataWebhookKey", "webhook key"),
    ("QueuesDeadlineQueue", "deadline"),
    ("QueuesInboundMailQueue", "inbound mail"),
    ("QueuesMailFeedbackQueue", "mail feedback"),
    ("QueuesRelayRetryQueue", "relay retry"),
    ("QueuesMeasureQueue", "measure"),
    ("QueuesRetentionQueue", "retention"),
    ("QueuesSweepQueue", "sweep"),
    ("SchedulingRole", "scheduler role"),
    (":schedule/flowhitl-Scheduling-Group-", "schedules"),
    (":identity/hitl.example.com", "identity"),
    (":identity/*", "identities"),
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


def test_email_goes_out_from_the_one_address_alone_to_whomever_the_sandbox_has_verified(core: Stack) -> None:
    (sends,) = [each for each in _statements(core, "send_email") if "ses:SendEmail" in _list(each["Action"])]
    assert sends["Condition"] == {"StringEquals": {"ses:FromAddress": "reviews@hitl.example.com"}}


@pytest.mark.parametrize("name", EXPECTED)
def test_no_function_may_change_an_audit_event(core: Stack, name: str) -> None:
    (denied,) = [each for each in _statements(core, name) if each["Effect"] == "Deny"]
    assert sorted(denied["Action"]) == sorted(AUDIT_MUTATIONS)
    assert _name(denied["Resource"], name) == "audit"


@pytest.mark.parametrize("name", EXPECTED)
def test_no_function_may_take_anything_from_the_seals_or_lift_their_lock(core: Stack, name: str) -> None:
    allowed = [each for each in _statements(core, name) if each["Effect"] == "Allow"]
    actions = {action for each in allowed for action in _list(each["Action"])}
    removes = {where for action, where in EXPECTED[name] if action == "s3:DeleteObject"}
    assert not any(where.startswith("seals/") for where in removes)
    assert bool(removes) is (name == "retention")
    not_elsewhere = set(LOCK_BYPASSES) - ({"s3:DeleteObject"} if removes else set())
    assert not actions & {*not_elsewhere, "s3:PutBucketPolicy", "s3:PutBucketObjectLockConfiguration"}
    assert ("kms:Sign" in actions) is (name in ("seal", "export_audit", "sign_receipt"))
    writes = [where for action, where in EXPECTED[name] if action == "s3:PutObject" and where.startswith("seals/")]
    assert bool(writes) is (name == "seal")


@pytest.mark.parametrize("name", EXPECTED)
def test_whoever_writes_audit_events_can_only_add(core: Stack, name: str) -> None:
    on_audit = {action for action, where in EXPECTED[name] if where.partition("/")[0] == "audit"}
    assert on_audit <= {"dynamodb:GetItem", "dynamodb:Query", "dynamodb:BatchGetItem", "dynamodb:PutItem"}


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
    assert [_name(each, "") for each in statement["Resource"]] == ["deadline", "schedule dead letters"]
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Condition"] == {
        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    }


def test_the_hourly_schedule_may_only_ask_for_the_seal(core: Stack) -> None:
    role = core.find("AWS::IAM::Role", "Hourly")["Properties"]
    (statement,) = role["Policies"][0]["PolicyDocument"]["Statement"]
    assert statement["Action"] == "sqs:SendMessage"
    queue, dead_letters = (_name(each, "") for each in statement["Resource"])
    assert queue == "seal"
    assert dead_letters == "seal dead letters"


def test_the_relay_may_pass_its_role_to_the_scheduler_alone(core: Stack) -> None:
    (statement,) = [each for each in _statements(core, "relay") if each["Action"] == "iam:PassRole"]
    assert statement["Condition"] == {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}}


def test_management_opens_only_what_repeated_calls_were_answered_with(core: Stack) -> None:
    (statement,) = [each for each in _statements(core, "management") if each["Action"] == "kms:Decrypt"]
    assert statement["Condition"] == {"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["repeated_call"]}}


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
            named_by_path = ("content", "mail", "requests", "audit", "exports", "seals")
            return name + text[text.index("/") :] if name in named_by_path and "/" in text else name
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
