"""The functions, each with its own role, log, and triggers."""

import json
from collections.abc import Mapping, Sequence

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.constructs.access import Access, Right
from infra.constructs.findings import accept
from infra.constructs.layers import Code, accept_runtime_findings
from infra.topology import FUNCTIONS, QUEUES, STREAM_READERS, Function, construct_id

LOG_RETENTION = logs.RetentionDays.THREE_MONTHS


class HitlFunction(Construct):
    """`functions.<name>.handler` with the shared code and environment, and only the given rights."""

    def __init__(
        self,
        scope: Construct,
        declared: Function,
        code: Code,
        environment: Mapping[str, str],
        rights: Sequence[Right],
    ) -> None:
        super().__init__(scope, construct_id(declared.name))
        self.name = name = declared.name
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
            timeout=Duration.seconds(declared.timeout_seconds),
            memory_size=declared.memory_size,
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
    """All functions; `HttpApi.serve` adds the routes."""

    def __init__(
        self, scope: Construct, own_id: str, code: Code, environment: Mapping[str, str], access: Access
    ) -> None:
        super().__init__(scope, own_id)
        self._by_name = {
            declared.name: HitlFunction(self, declared, code, environment, getattr(access, declared.name)())
            for declared in FUNCTIONS
        }
        self._add_triggers(access)

    def __getitem__(self, name: str) -> HitlFunction:
        return self._by_name[name]

    @property
    def all(self) -> list[HitlFunction]:
        """The functions, in the order of their declaration."""
        return [*self._by_name.values()]

    @property
    def stream_readers(self) -> list[HitlFunction]:
        """The functions that the audit table's stream feeds."""
        return [self[reader.name] for reader in STREAM_READERS]

    def _add_triggers(self, access: Access) -> None:
        queues = access.queues
        for work in QUEUES:
            worker = self[work.worker]
            source = sources.SqsEventSource(
                queues[work.name].queue, batch_size=work.batch_size, report_batch_item_failures=True
            )
            worker.function.add_event_source(source)
            accept(
                worker.function,
                "Lambda has failure destinations for streams alone; the queue has its own dead-letter queue.",
                "Serverless-LambdaEventSourceMappingDestination",
            )
        for reader in STREAM_READERS:
            self[reader.name].function.add_event_source(
                sources.DynamoEventSource(
                    access.data.audit.table,
                    starting_position=lambda_.StartingPosition.TRIM_HORIZON,
                    batch_size=reader.batch_size,
                    bisect_batch_on_error=True,
                    retry_attempts=5,
                    on_failure=sources.SqsDlq(queues.stream_dead_letters),
                    report_batch_item_failures=True,
                    filters=[{"pattern": json.dumps(one)} for one in reader.filters],
                )
            )
