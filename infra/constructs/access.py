"""What each function may do: exact actions on exact resources."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from aws_cdk import CfnResource, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from flow_hitl.delivery.dead_letters import GOING_BACK, work_queue
from flow_hitl.platform.repeated_calls import REPEATED_CALL
from flow_hitl.proof.export import EXPORT_PREFIX
from flow_hitl.proof.seal_store import DIGESTS, KEYS, SECTIONS
from infra.constructs.data import AUDIT_MUTATIONS, MAIL_PREFIX, Data
from infra.constructs.queues import Queues
from infra.constructs.scheduling import Scheduling
from infra.constructs.sealing import Seals
from infra.options import Options

CONTENT_PREFIX = "content/"
ATTACHMENT_PREFIX = "attachments/"


@dataclass(frozen=True)
class Right:
    """A statement of a function's policy, and the findings about its wildcard that are accepted, with the reason."""

    statement: iam.PolicyStatement
    accepted_findings: tuple[str, ...] = ()
    reason: str = ""


class Access(Construct):
    """The policy statements of each function, one method per function."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        data: Data,
        seals: Seals,
        queues: Queues,
        scheduling: Scheduling,
        options: Options,
    ) -> None:
        super().__init__(scope, construct_id)
        self.data = data
        self.seals = seals
        self.queues = queues
        self.scheduling = scheduling
        self.options = options

    def intake(self) -> list[Right]:
        """Open, list, and cancel requests; store large content."""
        return [
            *self._decide("dynamodb:BatchGetItem"),
            _allow(("dynamodb:Query",), [self.data.deployments.table.table_arn]),
            self._read_lists("by_created", "by_status", "by_assignee"),
            _objects("s3:PutObject", self.data.content, CONTENT_PREFIX),
            _objects("s3:PutObject", self.data.content, ATTACHMENT_PREFIX),
            self._read_secret(),
        ]

    def wait(self) -> list[Right]:
        """Read requests, sign the links to their attachments, and note that a flow asked for them."""
        read = ("dynamodb:GetItem", "dynamodb:Query", "dynamodb:BatchGetItem", "dynamodb:PutItem")
        return [
            _allow(read, [self.data.requests.table.table_arn]),
            _allow(("dynamodb:Query",), [self.data.deployments.table.table_arn]),
            self._read_lists("by_decision"),
            _objects("s3:GetObject", self.data.content, CONTENT_PREFIX),
            self._read_secret(),
            self._never_change_audit(),
        ]

    def management(self) -> list[Right]:
        """Change a deployment's configuration with its audit event; test, diagnose, show figures and the audit log."""
        data = self.data
        deployments, requests = data.deployments.table, data.requests
        keep = ("dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem", "dynamodb:DeleteItem")
        return [
            _allow(keep, [deployments.table_arn]),
            _allow(("dynamodb:PutItem", "dynamodb:Query"), [data.audit.table.table_arn]),
            _allow(
                ("dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem", "dynamodb:BatchGetItem"),
                [requests.table.table_arn],
            ),
            self._read_lists("by_created", "by_status", "by_due"),
            _allow(("kms:Encrypt",), [data.webhook_key.key_arn]),
            self._repeat_secrets(),
            # A new resume secret is derived from it.
            self._read_secret(),
            _send(self.queues["webhook"].queue),
            *self._diagnose(),
            *self._examine_audit(),
            _objects("s3:GetObject", data.content, CONTENT_PREFIX),
            self._never_change_audit(),
        ]

    def respond(self) -> list[Right]:
        """Record an answer by API, if the webhook that got the URL still exists; show attachments."""
        return [*self._decide(), self._read_attachments(), self._read_secret(), self._read_configuration()]

    def dashboard(self) -> list[Right]:
        """Show, answer, and reassign requests; sign people in; manage, as `management` does for programs."""
        data = self.data
        keep = [f"dynamodb:{one}" for one in ("GetItem", "BatchGetItem", "Query", "PutItem", "DeleteItem")]
        return [
            *self._decide("dynamodb:UpdateItem", "dynamodb:BatchGetItem"),
            self._read_lists("by_created", "by_status", "by_assignee", "by_due"),
            _allow(keep, [data.deployments.table.table_arn]),
            _allow(("kms:Encrypt",), [data.webhook_key.key_arn]),
            self._read_secret(),
            _send(self.queues["email"].queue, self.queues["webhook"].queue),
            *self._diagnose(),
            *self._examine_audit(),
        ]

    def docs(self) -> list[Right]:
        """Show the API's description, which needs no data, and the public key of receipts."""
        return [_allow(("kms:GetPublicKey",), [self.seals.key.key_arn]), self._never_change_audit()]

    def inbound_mail(self) -> list[Right]:
        """Read an email and record the answer in it."""
        together = [self.data.deployments.table.table_arn, self.data.audit.table.table_arn]
        return [
            *self._decide(),
            self._read_secret(),
            _allow(("dynamodb:BatchGetItem",), together),
            _objects("s3:GetObject", self.data.mail, MAIL_PREFIX),
            _retry(self.queues["inbound_mail"].queue),
        ]

    def mail_feedback(self) -> list[Right]:
        """Note a bounce or a complaint, and reassign the request to someone who can be reached."""
        return [
            *self._decide("dynamodb:UpdateItem"),
            self._read_configuration(),
            _retry(self.queues["mail_feedback"].queue),
        ]

    def deadline(self) -> list[Right]:
        """Record the default answer when time is up; note due reminders; put back what fired early."""
        queue = self.queues["deadline"].queue
        return [
            *self._decide("dynamodb:BatchGetItem"),
            _allow(("dynamodb:BatchGetItem",), [self.data.audit.table.table_arn]),
            self._read_configuration(),
            _retry(queue),
            _send(queue),
        ]

    def relay(self) -> list[Right]:
        """Turn audit events into messages and schedules; look up webhooks; count what deployments use."""
        queues = self.queues
        return [
            *self._read_stream(),
            _allow(("dynamodb:GetItem", "dynamodb:UpdateItem"), [self.data.deployments.table.table_arn]),
            _retry(queues["relay_retry"].queue),
            _send(queues["relay_retry"].queue, queues.stream_dead_letters),
            *self._hand_on(),
            self._schedules("scheduler:DeleteSchedule"),
            self._never_change_audit(),
        ]

    def sweep(self) -> list[Right]:
        """Read the log and how far its effects have come; hand on what is missing, as `relay` does."""
        data, queues, look = self.data, self.queues, ("GetItem", "BatchGetItem", "Query")
        return [
            _allow(("dynamodb:Query",), [data.audit.index_arn("by_day")]),
            _allow(("dynamodb:BatchGetItem", "dynamodb:Query"), [data.audit.table.table_arn]),
            _allow(("dynamodb:BatchGetItem",), [data.requests.table.table_arn]),
            _allow(
                [f"dynamodb:{one}" for one in (*look, "PutItem", "UpdateItem", "BatchWriteItem")],
                [data.deployments.table.table_arn],
            ),
            *self._hand_on(),
            *self._redrive(),
            _allow(("s3:ListBucketVersions",), [self.seals.bucket.bucket_arn]),
            _send(queues["export"].queue),
            _consume(queues["sweep"].queue),
            self._never_change_audit(),
        ]

    def measure(self) -> list[Right]:
        """Read the log, add it to the figures, and remove figures that others have replaced; keep the search log."""
        audit = self.data.audit
        keep = ("GetItem", "BatchGetItem", "Query", "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem")
        return [
            _allow(("dynamodb:Query",), [audit.index_arn("by_day")]),
            _allow(("dynamodb:BatchGetItem",), [audit.table.table_arn]),
            _allow([f"dynamodb:{action}" for action in keep], [self.data.deployments.table.table_arn]),
            self._read_lists("by_created"),
            _allow(("dynamodb:BatchGetItem",), [self.data.requests.table.table_arn]),
            _consume(self.queues["measure"].queue),
            self._never_change_audit(),
        ]

    def retention(self) -> list[Right]:
        """Walk through the log, and erase contents, their search texts, and emails; each with its audit event."""
        data = self.data
        return [
            *self._decide("dynamodb:BatchGetItem"),
            _allow(("dynamodb:Query",), [data.audit.index_arn("by_day")]),
            _allow(("dynamodb:BatchGetItem",), [data.audit.table.table_arn]),
            _allow(("dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem"), [data.deployments.table.table_arn]),
            _objects("s3:DeleteObject", data.content, CONTENT_PREFIX),
            _objects("s3:DeleteObject", data.content, ATTACHMENT_PREFIX),
            _objects("s3:DeleteObject", data.mail, MAIL_PREFIX),
            _consume(self.queues["retention"].queue),
        ]

    def send_email(self) -> list[Right]:
        """Send email from the one address; email that we format ourselves needs `SendRawEmail`."""
        configuration_set = Stack.of(self).format_arn(
            service="ses", resource="configuration-set", resource_name=self.options.stack_name
        )
        return [
            *self._decide("dynamodb:UpdateItem"),
            _allow(("dynamodb:BatchGetItem",), [self.data.requests.table.table_arn, self.data.audit.table.table_arn]),
            self._read_secret(),
            _allow(("dynamodb:GetItem", "dynamodb:Query"), [self.data.deployments.table.table_arn]),
            self._read_attachments(),
            self._send_as_sender(configuration_set),
            _retry(self.queues["email"].queue),
        ]

    def sign_receipt(self) -> list[Right]:
        """Sign the receipt of a decision, and keep it with the request."""
        return [
            *self._decide("dynamodb:UpdateItem"),
            _allow(("kms:Sign", "kms:GetPublicKey"), [self.seals.key.key_arn]),
            _retry(self.queues["receipt"].queue),
        ]

    def resume_flow(self) -> list[Right]:
        """Deliver a decision to the flow."""
        data = self.data
        together = [each.table.table_arn for each in (data.requests, data.audit, data.deployments)]
        return [
            *self._decide("dynamodb:UpdateItem"),
            _allow(("dynamodb:BatchGetItem",), together),
            self._read_secret(),
            self._read_configuration(),
            _retry(self.queues["resume"].queue),
        ]

    def send_webhook(self) -> list[Right]:
        """Make an event's deliveries and deliver each: decrypt its secret, log it, note the result."""
        queue, deployments = self.queues["webhook"].queue, self.data.deployments.table
        actions = tuple(f"dynamodb:{one}" for one in ("GetItem", "BatchGetItem", "Query", "PutItem", "UpdateItem"))
        return [
            *self._decide("dynamodb:UpdateItem", "dynamodb:BatchGetItem"),
            _allow(("dynamodb:BatchGetItem",), [self.data.audit.table.table_arn]),
            self._read_secret(),
            _allow(actions, [deployments.table_arn]),
            _allow(("kms:Decrypt",), [self.data.webhook_key.key_arn]),
            _retry(queue),
            _send(queue),
        ]

    def seal(self) -> list[Right]:
        """Read what changed, sign a digest of it, and store that."""
        seals, audit = self.seals, self.data.audit
        return [
            _allow(("dynamodb:Query",), [audit.index_arn("by_day")]),
            _allow(("dynamodb:BatchGetItem", "dynamodb:Query"), [audit.table.table_arn]),
            _allow(("dynamodb:Query",), [self.data.deployments.table.table_arn]),
            self._read_lists("by_created", "by_decision"),
            *self._read_seals(),
            _allow(("kms:Sign",), [seals.key.key_arn]),
            *(_objects("s3:PutObject", seals.bucket, prefix) for prefix in (DIGESTS, SECTIONS, KEYS)),
            _consume(self.queues["seal"].queue),
            _send(self.queues["seal"].queue),
            self._never_change_audit(),
        ]

    def export_audit(self) -> list[Right]:
        """Read the audit log and its digests, write them to files, and sign what was written."""
        data, queue = self.data, self.queues["export"].queue
        return [
            _allow(("dynamodb:Query",), [data.audit.index_arn("by_day")]),
            _allow(("dynamodb:BatchGetItem",), [data.audit.table.table_arn]),
            *self._read_seals(),
            _allow(("kms:Sign",), [self.seals.key.key_arn]),
            _allow(("dynamodb:GetItem", "dynamodb:PutItem"), [data.deployments.table.table_arn]),
            _objects("s3:PutObject", data.exports, EXPORT_PREFIX),
            _objects("s3:AbortMultipartUpload", data.exports, EXPORT_PREFIX),
            _consume(queue),
            _send(queue),
            self._never_change_audit(),
        ]

    def _schedules(self, action: str) -> Right:
        return Right(
            iam.PolicyStatement(actions=[action], resources=[self.scheduling.schedule_arn_pattern]),
            (self.scheduling.schedule_wildcard_finding,),
            "Each schedule is named after the request that it is for.",
        )

    def _redrive(self) -> list[Right]:
        """Return what it takes to send back what rests in dead-letter queues."""
        return [
            _retry(*(self.queues.dead_letter_queues[name] for name in (*GOING_BACK, "stream"))),
            _send(*(self.queues[name].queue for name in dict.fromkeys(map(work_queue, GOING_BACK)))),
        ]

    def _hand_on(self) -> list[Right]:
        """Return what it takes to turn an event's effects into messages and schedules."""
        return [
            _send(*(self.queues[name].queue for name in ("email", "receipt", "resume", "webhook", "deadline"))),
            self._schedules("scheduler:CreateSchedule"),
            Right(
                iam.PolicyStatement(
                    actions=["iam:PassRole"],
                    resources=[self.scheduling.role.role_arn],
                    conditions={"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}},
                )
            ),
        ]

    def _diagnose(self) -> list[Right]:
        """Return what a diagnosis needs beyond the tables."""
        return [
            _look_into(*self.queues.diagnosed),
            _allow(("ses:GetEmailIdentity",), [self._sender_identity]),
            Right(
                iam.PolicyStatement(actions=["ses:GetAccount"], resources=["*"]),
                ("AwsSolutions-IAM5[Resource::*]", "Serverless-LambdaStarPermissions"),
                "SES has no ARN for the account itself; the call reads whether it may send, and how much.",
            ),
        ]

    def _examine_audit(self) -> list[Right]:
        """Return what it takes to show, verify, and export a deployment's audit log."""
        audit = self.data.audit
        return [
            _allow(("dynamodb:Query", "dynamodb:BatchGetItem"), [audit.table.table_arn]),
            _allow(("dynamodb:Query",), [audit.index_arn("by_day")]),
            *self._read_seals(),
            self._read_attachments(),
            _objects("s3:GetObject", self.data.exports, EXPORT_PREFIX),
            _send(self.queues["export"].queue),
        ]

    def _read_seals(self) -> list[Right]:
        """Return what it takes to find and check digests; without ListBucket, S3 hides that an object is missing."""
        seals = self.seals
        return [
            _allow(("s3:ListBucket", "s3:ListBucketVersions"), [seals.bucket.bucket_arn]),
            _objects("s3:GetObjectVersion", seals.bucket, DIGESTS),
            *(_objects("s3:GetObject", seals.bucket, prefix) for prefix in (DIGESTS, SECTIONS, KEYS)),
            _allow(("kms:GetPublicKey",), [seals.key.key_arn]),
        ]

    def _decide(self, *more_on_requests: str) -> list[Right]:
        """Return what it takes to read a request and change it together with its audit event."""
        data = self.data
        return [
            _allow(
                ("dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem", *more_on_requests),
                [data.requests.table.table_arn],
            ),
            _allow(("dynamodb:PutItem", "dynamodb:GetItem", "dynamodb:Query"), [data.audit.table.table_arn]),
            _objects("s3:GetObject", data.content, CONTENT_PREFIX),
            self._never_change_audit(),
        ]

    @property
    def _sender_identity(self) -> str:
        return Stack.of(self).format_arn(service="ses", resource="identity", resource_name=self.options.sender_domain)

    def _send_as_sender(self, configuration_set: str) -> Right:
        """Return the right to send from the one address.

        In the sandbox, SES also asks whether the recipient's identity may be used, so the sender is pinned by the
        condition, not by the resource (Amazon SES developer guide, "Using IAM policies with Amazon SES").
        """
        identities = Stack.of(self).format_arn(service="ses", resource="identity", resource_name="*")
        statement = iam.PolicyStatement(
            actions=["ses:SendEmail", "ses:SendRawEmail"],
            resources=[identities, configuration_set],
            conditions={"StringEquals": {"ses:FromAddress": self.options.mail_from}},
        )
        return Right(
            statement,
            ("AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:ses:<AWS::Region>:<AWS::AccountId>:identity/*]",),
            "The condition admits one sender; the recipient's identity, which the sandbox asks about, is unknown here.",
        )

    def _read_stream(self) -> list[Right]:
        """Return what Lambda's poller does with the audit stream on the function's behalf."""
        stream = str(self.data.audit.table.table_stream_arn)
        return [
            _allow(("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"), [stream]),
            Right(
                iam.PolicyStatement(actions=["dynamodb:ListStreams"], resources=["*"]),
                ("AwsSolutions-IAM5[Resource::*]", "Serverless-LambdaStarPermissions"),
                "Lambda's poller lists streams, which DynamoDB does not restrict to one table.",
            ),
        ]

    def _read_lists(self, *indexes: str) -> Right:
        return _allow(("dynamodb:Query",), [self.data.requests.index_arn(name) for name in indexes])

    def _read_attachments(self) -> Right:
        return _objects("s3:GetObject", self.data.content, ATTACHMENT_PREFIX)

    def _read_configuration(self) -> Right:
        return _allow(("dynamodb:GetItem",), [self.data.deployments.table.table_arn])

    def _read_secret(self) -> Right:
        return _allow(("secretsmanager:GetSecretValue",), [self.data.secret_arn])

    def _repeat_secrets(self) -> Right:
        """Decrypt the stored answers of repeated calls, whose context is not that of webhooks' own secrets."""
        return Right(
            iam.PolicyStatement(
                actions=["kms:Decrypt"],
                resources=[self.data.webhook_key.key_arn],
                conditions={"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": [REPEATED_CALL]}},
            )
        )

    def _never_change_audit(self) -> Right:
        return Right(
            iam.PolicyStatement(
                sid="AuditEventsAreNeverChanged",
                effect=iam.Effect.DENY,
                actions=list(AUDIT_MUTATIONS),
                resources=[self.data.audit.table.table_arn],
            )
        )


def _allow(actions: Sequence[str], resources: Sequence[str]) -> Right:
    return Right(iam.PolicyStatement(actions=list(actions), resources=list(resources)))


def _objects(action: str, bucket: s3.Bucket, prefix: str) -> Right:
    logical_id = Stack.of(bucket).get_logical_id(cast("CfnResource", bucket.node.default_child))
    return Right(
        iam.PolicyStatement(actions=[action], resources=[bucket.arn_for_objects(f"{prefix}*")]),
        (f"AwsSolutions-IAM5[Resource::<{logical_id}.Arn>/{prefix}*]",),
        "Objects are named at run time; the wildcard stays under the one prefix.",
    )


def _send(*queues: sqs.IQueue) -> Right:
    return _allow(("sqs:SendMessage",), [queue.queue_arn for queue in queues])


def _look_into(*queues: sqs.IQueue) -> Right:
    return _allow(("sqs:GetQueueAttributes",), [queue.queue_arn for queue in queues])


def _consume(*queues: sqs.IQueue, more: Sequence[str] = ()) -> Right:
    """Return what Lambda's poller does on the function's behalf."""
    return _allow(
        ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", *more),
        [queue.queue_arn for queue in queues],
    )


def _retry(*queues: sqs.IQueue) -> Right:
    """Return the same, for a worker that sets the pause before a message's next attempt itself."""
    return _consume(*queues, more=("sqs:ChangeMessageVisibility",))
