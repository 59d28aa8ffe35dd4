"""Calls that come again and again: each a schedule that sends an empty message to a work queue."""

from aws_cdk import aws_scheduler as scheduler
from constructs import Construct

from infra.constructs.queues import WorkQueue
from infra.constructs.scheduling import sending_role


class Recurring(Construct):
    """A schedule in UTC, and the role by which it may write to its queue."""

    def __init__(self, scope: Construct, construct_id: str, work: WorkQueue, expression: str) -> None:
        super().__init__(scope, construct_id)
        self.role = sending_role(self, work.plan.name, [work.queue, work.dead_letters])
        scheduler.CfnSchedule(
            self,
            "Schedule",
            schedule_expression=expression,
            schedule_expression_timezone="UTC",
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
            target=scheduler.CfnSchedule.TargetProperty(
                arn=work.queue.queue_arn,
                role_arn=self.role.role_arn,
                input="{}",
                dead_letter_config=scheduler.CfnSchedule.DeadLetterConfigProperty(arn=work.dead_letters.queue_arn),
            ),
        )
