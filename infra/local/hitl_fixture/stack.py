"""The stack on moto: tables, buckets, queues, keys, and the settings that name them."""

import json
import os
from collections.abc import Mapping
from typing import Any

from infra.topology import DEAD_LETTERS, QUEUES, RETENTION_DAYS, queue_settings

ACCOUNT, REGION = "123456789012", "us-east-1"
_INBOUND_DOMAIN = "reply.hitl.test"


WORK_QUEUES = {queue.name: queue for queue in QUEUES}


def clients_of_handlers() -> Mapping[str, Any]:
    """Return the clients that the handlers use, too."""
    from flow_hitl.platform import aws

    names = ("dynamodb", "sqs", "s3", "sesv2", "scheduler", "secretsmanager", "kms")
    return {name: aws.client(name, aws_client()) for name in names}


def aws_client() -> str:
    """Return which client the handlers use: our own, or what FLOW_HITL_TESTED_AWS_CLIENT says, such as `boto3`."""
    return os.environ.get("FLOW_HITL_TESTED_AWS_CLIENT", "json")


def make_stack(clients: Mapping[str, Any]) -> Any:
    """Make everything, and return the settings."""
    from flow_hitl.platform.environment import Settings
    from infra.tables import AUDIT, DEPLOYMENTS, REQUESTS, create_table_arguments

    for table in (REQUESTS, AUDIT, DEPLOYMENTS):
        # The fixture plays the stream; moto's own would only cost time.
        arguments = create_table_arguments(table, table.name)
        clients["dynamodb"].create_table(**{k: v for k, v in arguments.items() if k != "StreamSpecification"})
    for bucket in ("content", "mail", "exports"):
        clients["s3"].create_bucket(Bucket=bucket)
    retention = {"MessageRetentionPeriod": str(RETENTION_DAYS * 24 * 3600)}
    for name in DEAD_LETTERS:
        clients["sqs"].create_queue(QueueName=dead_letters(name), Attributes=retention)
    clients["s3"].create_bucket(Bucket="seals", ObjectLockEnabledForBucket=True)
    locked = {"Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}}, "ObjectLockEnabled": "Enabled"}
    clients["s3"].put_object_lock_configuration(Bucket="seals", ObjectLockConfiguration=locked)
    for name, queue in WORK_QUEUES.items():
        redrive = {"deadLetterTargetArn": queue_arn(dead_letters(name)), "maxReceiveCount": queue.max_receives}
        hidden = {"VisibilityTimeout": str(queue.visibility_seconds), "RedrivePolicy": json.dumps(redrive)}
        clients["sqs"].create_queue(QueueName=name, Attributes=retention | hidden)
    clients["sesv2"].create_email_identity(EmailIdentity="hitl.test")
    clients["scheduler"].create_schedule_group(Name="hitl")
    secret = json.dumps({"active": "1", "1": "a-signing-key-for-tests"})
    clients["secretsmanager"].create_secret(Name="signing", SecretString=secret)
    webhook_key = clients["kms"].create_key(Description="webhook secrets")["KeyMetadata"]["Arn"]
    seal_key = clients["kms"].create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    return Settings(
        requests_table=REQUESTS.name,
        audit_table=AUDIT.name,
        deployments_table=DEPLOYMENTS.name,
        content_bucket="content",
        mail_bucket="mail",
        email_queue_url=queue_url("email"),
        deadline_queue_arn=queue_arn("deadline"),
        webhook_key_id=webhook_key,
        seal_bucket="seals",
        seal_key_id=seal_key["KeyMetadata"]["Arn"],
        export_bucket="exports",
        scheduler_role_arn=f"arn:aws:iam::{ACCOUNT}:role/scheduler",
        scheduler_group="hitl",
        signing_secret_id="signing",  # noqa: S106 - the name of the secret
        base_url="https://hitl.test",
        inbound_domain=_INBOUND_DOMAIN,
        mail_from="reviews@hitl.test",
        allow_insecure_urls="true",
        aws_client=aws_client(),
        **queue_settings(lambda name: name, dead_letters),
    )


def dead_letters(name: str) -> str:
    return f"{name}-dlq"


def queue_url(name: str) -> str:
    return f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}"


def queue_arn(name: str) -> str:
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
