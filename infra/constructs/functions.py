"""The functions, each with its own role, its own log and its trigger."""

from collections.abc import Mapping, Sequence

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_logs as logs
from constructs import Construct

from flow_hitl.platform.worker_times import MAIL_READER, WEBHOOK_SENDER, WORKER
from infra.constructs.access import Access, Right
from infra.constructs.findings import accept
from infra.constructs.layers import Code, accept_runtime_findings

API_TIMEOUT_SECONDS = 29  # API Gateway gives up after 30
SEAL_TIMEOUT_SECONDS = 300
EXPORT_TIMEOUT_SECONDS = 600
LARGE = 1024
SMALL = 512
LOG_RETENTION = logs.RetentionDays.THREE_MONTHS


class HitlFunction(Construct):
    """`functions.<name>.handler` with the shared code and environment and the rights that are given, no others."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        name: str,
        code: Code,
        environment: Mapping[str, str],
        rights: Sequence[Right],
        *,
        timeout_seconds: int,
        memory_size: int,
    ) -> None:
        super().__init__(scope, construct_id)
        self.name = name
        log_group = logs.LogGroup(self, "Log", retention=LOG_RETENTION, removal_policy=RemovalPolicy.DESTROY)
        write_log = iam.PolicyStatement(
            actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[log_group.log_group_arn]
        )
        self.role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            inline_policies={name: iam.PolicyDocument(statements=[write_log, *(right.statement for right in rights)])},
        )
        self.function = lambda_.Function(
            self,
            "Function",
            handler=f"functions.{name}.handler",
            code=code.asset,
            runtime=code.runtime,
            architecture=code.architecture,
            layers=code.layers,
            environment=dict(environment),
            role=self.role.without_policy_updates(),
            log_group=log_group,
            timeout=Duration.seconds(timeout_seconds),
            memory_size=memory_size,
        )
        for right in rights:
            if right.accepted_findings:
                accept(self.role, right.reason, *right.accepted_findings)
        accept_runtime_findings(self.function)
        accept(
            self.function,
            "The tracer costs half a second of every cold start; logs and the audit log carry the request id.",
            "Serverless-LambdaTracing",
        )
        accept(
            self.function,
            "Nobody invokes it asynchronously: API Gateway waits for it, and what feeds it from a queue or the stream "
            "has a dead-letter queue.",
            "Serverless-LambdaDLQ",
        )


class Functions(Construct):
    """All functions; those behind the API get their routes from `HttpApi.serve`."""

    def __init__(
        self, scope: Construct, construct_id: str, code: Code, environment: Mapping[str, str], access: Access
    ) -> None:
        super().__init__(scope, construct_id)
        self._code = code
        self._environment = environment
        self.intake = self._function("Intake", "intake", access.intake(), API_TIMEOUT_SECONDS, LARGE)
        self.management = self._function("Management", "management", access.management(), API_TIMEOUT_SECONDS, LARGE)
        self.respond = self._function("Respond", "respond", access.respond(), API_TIMEOUT_SECONDS, LARGE)
        self.dashboard = self._function("Dashboard", "dashboard", access.dashboard(), API_TIMEOUT_SECONDS, LARGE)
        self.docs = self._function("Docs", "docs", access.docs(), API_TIMEOUT_SECONDS, SMALL)
        self.inbound_mail = self._function(
            "InboundMail", "inbound_mail", access.inbound_mail(), MAIL_READER.seconds, LARGE
        )
        self.mail_feedback = self._function(
            "MailFeedback", "mail_feedback", access.mail_feedback(), WORKER.seconds, SMALL
        )
        self.deadline = self._function("Deadline", "deadline", access.deadline(), WORKER.seconds, SMALL)
        self.relay = self._function("Relay", "relay", access.relay(), WORKER.seconds, SMALL)
        self.measure = self._function("Measure", "measure", access.measure(), WORKER.seconds, SMALL)
        self.send_email = self._function("SendEmail", "send_email", access.send_email(), WORKER.seconds, SMALL)
        self.resume_flow = self._function("ResumeFlow", "resume_flow", access.resume_flow(), WORKER.seconds, SMALL)
        self.send_webhook = self._function(
            "SendWebhook", "send_webhook", access.send_webhook(), WEBHOOK_SENDER.seconds, SMALL
        )
        self.seal = self._function("Seal", "seal", access.seal(), SEAL_TIMEOUT_SECONDS, LARGE)
        self.export_audit = self._function(
            "ExportAudit", "export_audit", access.export_audit(), EXPORT_TIMEOUT_SECONDS, LARGE
        )
        self._add_triggers(access)

    @property
    def all(self) -> list[HitlFunction]:
        """The functions, in the order of a deployment's and a request's way through them."""
        return [
            self.management,
            self.intake,
            self.relay,
            self.measure,
            self.send_email,
            self.mail_feedback,
            self.inbound_mail,
            self.dashboard,
            self.respond,
            self.deadline,
            self.resume_flow,
            self.send_webhook,
            self.docs,
            self.seal,
            self.export_audit,
        ]

    @property
    def stream_readers(self) -> list[HitlFunction]:
        """The functions that the audit table's stream feeds; DynamoDB serves two of them well, and no third."""
        return [self.relay, self.measure]

    def _function(
        self, construct_id: str, name: str, rights: list[Right], timeout_seconds: int, memory: int
    ) -> HitlFunction:
        return HitlFunction(
            self,
            construct_id,
            name,
            self._code,
            self._environment,
            rights,
            timeout_seconds=timeout_seconds,
            memory_size=memory,
        )

    def _add_triggers(self, access: Access) -> None:
        queues = access.queues
        for worker, work, batch_size in (
            (self.inbound_mail, queues.inbound_mail, 5),
            (self.mail_feedback, queues.mail_feedback, 10),
            (self.deadline, queues.deadline, 10),
            (self.relay, queues.relay_retry, 10),
            (self.measure, queues.measure_retry, 10),
            (self.send_email, queues.email, 10),
            (self.resume_flow, queues.resume, 1),
            (self.send_webhook, queues.webhook, 1),
            (self.seal, queues.seal, 1),
            (self.export_audit, queues.export, 1),
        ):
            source = sources.SqsEventSource(work.queue, batch_size=batch_size, report_batch_item_failures=True)
            worker.function.add_event_source(source)
            accept(
                worker.function,
                "Lambda has failure destinations for streams alone; the queue has its own dead-letter queue.",
                "Serverless-LambdaEventSourceMappingDestination",
            )
        # The figures may be some seconds old; the more events come together, the fewer writes they take.
        batches = ((50, 0), (200, 5))
        for reader, (batch_size, window_seconds) in zip(self.stream_readers, batches, strict=True):
            reader.function.add_event_source(
                sources.DynamoEventSource(
                    access.data.audit.table,
                    starting_position=lambda_.StartingPosition.TRIM_HORIZON,
                    batch_size=batch_size,
                    max_batching_window=Duration.seconds(window_seconds),
                    bisect_batch_on_error=True,
                    retry_attempts=5,
                    on_failure=sources.SqsDlq(queues.stream_dead_letters),
                    report_batch_item_failures=True,
                )
            )
