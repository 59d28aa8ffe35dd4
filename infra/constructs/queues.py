"""The queues between the functions, each with a dead-letter queue."""

from aws_cdk import Duration
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.constructs.findings import accept
from infra.options import Options
from infra.topology import DIAGNOSED, QUEUES, RETENTION_DAYS, Queue, construct_id

RETENTION = Duration.days(RETENTION_DAYS)


class WorkQueue(Construct):
    """A queue and its dead-letter queue."""

    def __init__(self, scope: Construct, plan: Queue, options: Options) -> None:
        super().__init__(scope, construct_id(plan.name))
        self.plan = plan
        self.dead_letters = dead_letter_queue(self, "DeadLetters", options)
        self.queue = sqs.Queue(
            self,
            "Queue",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=options.require_tls,
            visibility_timeout=Duration.seconds(plan.visibility_seconds),
            retention_period=RETENTION,
            dead_letter_queue=sqs.DeadLetterQueue(max_receive_count=plan.max_receives, queue=self.dead_letters),
        )


class Queues(Construct):
    """All queues by name; `stream_dead_letters` takes what the audit stream could not deliver, `schedule_dead_letters`
    what EventBridge Scheduler could not.
    """

    def __init__(self, scope: Construct, own_id: str, options: Options) -> None:
        super().__init__(scope, own_id)
        self.work_queues = {plan.name: WorkQueue(self, plan, options) for plan in QUEUES}
        self.stream_dead_letters = dead_letter_queue(self, "StreamDeadLetters", options)
        self.schedule_dead_letters = dead_letter_queue(self, "ScheduleDeadLetters", options)

    def __getitem__(self, name: str) -> WorkQueue:
        return self.work_queues[name]

    @property
    def diagnosed(self) -> list[sqs.Queue]:
        """The dead-letter queues that can say why a request got stuck."""
        return [self.dead_letter_queues[name] for name in DIAGNOSED]

    @property
    def queues(self) -> dict[str, sqs.Queue]:
        """Every queue that a function works off, by its name."""
        return {name: work.queue for name, work in self.work_queues.items()}

    @property
    def dead_letter_queues(self) -> dict[str, sqs.Queue]:
        """Every dead-letter queue by the name of its queue, or `stream` or `schedules`."""
        return {name: work.dead_letters for name, work in self.work_queues.items()} | {
            "stream": self.stream_dead_letters,
            "schedules": self.schedule_dead_letters,
        }


def dead_letter_queue(scope: Construct, own_id: str, options: Options) -> sqs.Queue:
    """Make a queue that keeps messages as long as SQS allows."""
    queue = sqs.Queue(
        scope,
        own_id,
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=options.require_tls,
        retention_period=RETENTION,
    )
    accept(
        queue,
        "It is itself a dead-letter queue: messages rest here until an operator sends them again.",
        "AwsSolutions-SQS3",
        "Serverless-SQSRedrivePolicy",
    )
    return queue
