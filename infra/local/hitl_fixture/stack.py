"""The stack as moto gets it: tables, buckets, queues, keys, and the settings that lead the functions to them."""

import json
from collections.abc import Mapping
from typing import Any

from infra.topology import QUEUES, RETENTION_DAYS

ACCOUNT, REGION = "123456789012", "us-east-1"
_INBOUND_DOMAIN = "reply.hitl.test"


def sqs_name(name: str) -> str:
    """Return a queue's name in SQS."""
    return name.replace("_", "-")


WORK_QUEUES = {sqs_name(queue.name): queue for queue in QUEUES}


def clients_of_handlers() -> Mapping[str, Any]:
    """Return the clients that the handlers use too."""
    from flow_hitl.platform import aws

    names = ("dynamodb", "sqs", "s3", "sesv2", "scheduler", "secretsmanager", "kms")
    return {name: aws.client(name) for name in names}


def make_stack(clients: Mapping[str, Any]) -> Any:
    """Make all of it, and return the settings with which the functions find it."""
    from flow_hitl.platform.environment import Settings
    from infra.tables import AUDIT, DEPLOYMENTS, REQUESTS, create_table_arguments

    for table in (REQUESTS, AUDIT, DEPLOYMENTS):
        # The stream is played by the fixture; moto's own would only cost time.
        arguments = create_table_arguments(table, table.name)
        clients["dynamodb"].create_table(**{k: v for k, v in arguments.items() if k != "StreamSpecification"})
    for bucket in ("content", "mail", "exports"):
        clients["s3"].create_bucket(Bucket=bucket)
    retention = {"MessageRetentionPeriod": str(RETENTION_DAYS * 24 * 3600)}
    for name in (*WORK_QUEUES, "stream"):
        clients["sqs"].create_queue(QueueName=f"{name}-dlq", Attributes=retention)
    clients["s3"].create_bucket(Bucket="seals", ObjectLockEnabledForBucket=True)
    locked = {"Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}}, "ObjectLockEnabled": "Enabled"}
    clients["s3"].put_object_lock_configuration(Bucket="seals", ObjectLockConfiguration=locked)
    for name, queue in WORK_QUEUES.items():
        redrive = {"deadLetterTargetArn": f"{queue_arn(name)}-dlq", "maxReceiveCount": queue.max_receives}
        attributes = {**retention, "RedrivePolicy": json.dumps(redrive)}
        clients["sqs"].create_queue(QueueName=name, Attributes=attributes)
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
        resume_queue_url=queue_url("resume"),
        deadline_queue_url=queue_url("deadline"),
        deadline_queue_arn=queue_arn("deadline"),
        relay_retry_queue_url=queue_url("relay-retry"),
        measure_retry_queue_url=queue_url("measure-retry"),
        webhook_queue_url=queue_url("webhook"),
        inbound_mail_queue_url=queue_url("inbound-mail"),
        mail_feedback_queue_url=queue_url("mail-feedback"),
        email_dead_letter_queue_url=queue_url("email-dlq"),
        resume_dead_letter_queue_url=queue_url("resume-dlq"),
        inbound_mail_dead_letter_queue_url=queue_url("inbound-mail-dlq"),
        relay_retry_dead_letter_queue_url=queue_url("relay-retry-dlq"),
        stream_dead_letter_queue_url=queue_url("stream-dlq"),
        webhook_key_id=webhook_key,
        seal_queue_url=queue_url("seal"),
        seal_bucket="seals",
        seal_key_id=seal_key["KeyMetadata"]["Arn"],
        export_queue_url=queue_url("export"),
        export_bucket="exports",
        scheduler_role_arn=f"arn:aws:iam::{ACCOUNT}:role/scheduler",
        scheduler_group="hitl",
        signing_secret_id="signing",  # noqa: S106 - the name of the secret
        base_url="https://hitl.test",
        inbound_domain=_INBOUND_DOMAIN,
        mail_from="reviews@hitl.test",
        allow_insecure_urls="true",
    )


def queue_url(name: str) -> str:
    return f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}"


def queue_arn(name: str) -> str:
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
