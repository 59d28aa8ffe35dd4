"""One-time schedules: their group, and the role that writes to the deadline queue."""

from collections.abc import Sequence

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs
from constructs import Construct


class Scheduling(Construct):
    """The schedule group, and the role by which EventBridge Scheduler writes to some queues."""

    def __init__(self, scope: Construct, construct_id: str, queues: Sequence[sqs.IQueue]) -> None:
        super().__init__(scope, construct_id)
        # Gone with the stack, like the queues that its schedules write to; the sweep makes those of a restored
        # stack anew. Kept under its fixed name, it would stop the next deployment of the stack.
        self.group = scheduler.ScheduleGroup(self, "Group", removal_policy=RemovalPolicy.DESTROY)
        self.role = sending_role(self, "deadlines", queues)

    @property
    def schedule_arn_pattern(self) -> str:
        """The ARN of every schedule in the group."""
        return Stack.of(self).format_arn(
            service="scheduler", resource="schedule", resource_name=f"{self.group.schedule_group_name}/*"
        )

    @property
    def schedule_wildcard_finding(self) -> str:
        """What cdk-nag calls a grant on `schedule_arn_pattern`."""
        arn = (
            f"arn:<AWS::Partition>:scheduler:<AWS::Region>:<AWS::AccountId>:schedule/{self.group.schedule_group_name}/*"
        )
        return f"AwsSolutions-IAM5[Resource::{arn}]"


def sending_role(scope: Construct, policy: str, queues: Sequence[sqs.IQueue]) -> iam.Role:
    """Make the role by which EventBridge Scheduler of this account writes to some queues."""
    send = iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[queue.queue_arn for queue in queues])
    return iam.Role(
        scope,
        "Role",
        assumed_by=iam.ServicePrincipal(
            "scheduler.amazonaws.com",
            conditions={"StringEquals": {"aws:SourceAccount": Stack.of(scope).account}},
        ),
        inline_policies={policy: iam.PolicyDocument(statements=[send])},
    )
