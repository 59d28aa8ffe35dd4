"""The queues between the functions, each with a dead-letter queue, and how each is worked off."""

from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from flow_hitl.delivery.retries import RESUME_ATTEMPTS
from flow_hitl.platform.worker_times import MAIL_READER, WEBHOOK_SENDER, WORKER
from flow_hitl.proof.export import EXPORT_ATTEMPTS
from infra.constructs.findings import accept
from infra.options import Options

LONGEST_RETENTION = Duration.days(14)


@dataclass(frozen=True)
class QueuePlan:
    """A queue's timing; `late_seconds` is the age of a message that raises an alarm."""

    visibility_seconds: int = WORKER.hidden_seconds
    max_receives: int = 10
    retention_days: int = 4
    late_seconds: int = 15 * 60


# A resumption is tried for 24 hours, and its worker sets each pause itself; two deliveries may meet a busy worker.
RESUME_PLAN = QueuePlan(max_receives=RESUME_ATTEMPTS + 2, retention_days=14, late_seconds=24 * 3600)
# A deadline that is not yet due is put back for up to a quarter of an hour.
DEADLINE_PLAN = QueuePlan(late_seconds=30 * 60)
MAIL_PLAN = QueuePlan(visibility_seconds=MAIL_READER.hidden_seconds)
WEBHOOK_PLAN = QueuePlan(visibility_seconds=WEBHOOK_SENDER.hidden_seconds)

SEAL_PLAN = QueuePlan(visibility_seconds=1800, max_receives=5, retention_days=14, late_seconds=3 * 3600)
EXPORT_PLAN = QueuePlan(visibility_seconds=3600, max_receives=EXPORT_ATTEMPTS, late_seconds=6 * 3600)


class WorkQueue(Construct):
    """A queue and the dead-letter queue where a message rests that was tried often enough."""

    def __init__(self, scope: Construct, construct_id: str, plan: QueuePlan, options: Options) -> None:
        super().__init__(scope, construct_id)
        self.plan = plan
        self.dead_letters = dead_letter_queue(self, "DeadLetters", options)
        self.queue = sqs.Queue(
            self,
            "Queue",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=options.require_tls,
            visibility_timeout=Duration.seconds(plan.visibility_seconds),
            retention_period=Duration.days(plan.retention_days),
            dead_letter_queue=sqs.DeadLetterQueue(max_receive_count=plan.max_receives, queue=self.dead_letters),
        )


class Queues(Construct):
    """All queues; `stream_dead_letters` takes what the audit stream could not deliver at all."""

    def __init__(self, scope: Construct, construct_id: str, options: Options) -> None:
        super().__init__(scope, construct_id)
        self.email = WorkQueue(self, "Email", QueuePlan(), options)
        self.resume = WorkQueue(self, "Resume", RESUME_PLAN, options)
        self.webhook = WorkQueue(self, "Webhook", WEBHOOK_PLAN, options)
        self.deadline = WorkQueue(self, "Deadline", DEADLINE_PLAN, options)
        self.inbound_mail = WorkQueue(self, "InboundMail", MAIL_PLAN, options)
        self.mail_feedback = WorkQueue(self, "MailFeedback", QueuePlan(), options)
        self.relay_retry = WorkQueue(self, "RelayRetry", QueuePlan(), options)
        self.measure_retry = WorkQueue(self, "MeasureRetry", QueuePlan(), options)
        self.seal = WorkQueue(self, "Seal", SEAL_PLAN, options)
        self.export = WorkQueue(self, "Export", EXPORT_PLAN, options)
        self.stream_dead_letters = dead_letter_queue(self, "StreamDeadLetters", options)

    @property
    def work_queues(self) -> dict[str, WorkQueue]:
        """The queues with their names, as the operator's commands and the outputs call them."""
        return {
            "email": self.email,
            "resume": self.resume,
            "webhook": self.webhook,
            "deadline": self.deadline,
            "inbound_mail": self.inbound_mail,
            "mail_feedback": self.mail_feedback,
            "relay_retry": self.relay_retry,
            "measure_retry": self.measure_retry,
            "seal": self.seal,
            "export": self.export,
        }

    @property
    def diagnosed(self) -> list[sqs.Queue]:
        """The dead-letter queues that can say why a request got stuck."""
        stuck = (self.email, self.resume, self.inbound_mail, self.relay_retry)
        return [*(work.dead_letters for work in stuck), self.stream_dead_letters]

    @property
    def dead_letter_queues(self) -> dict[str, sqs.Queue]:
        """Every dead-letter queue by the name of what filled it."""
        return {name: work.dead_letters for name, work in self.work_queues.items()} | {
            "stream": self.stream_dead_letters
        }


def dead_letter_queue(scope: Construct, construct_id: str, options: Options) -> sqs.Queue:
    """Make a queue that keeps its messages for as long as SQS allows."""
    queue = sqs.Queue(
        scope,
        construct_id,
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=options.require_tls,
        retention_period=LONGEST_RETENTION,
    )
    accept(
        queue,
        "It is itself a dead-letter queue: messages rest here until an operator sends them again.",
        "AwsSolutions-SQS3",
        "Serverless-SQSRedrivePolicy",
    )
    return queue
