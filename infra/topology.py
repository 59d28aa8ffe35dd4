"""The functions, the queues, and what triggers what; CDK, the local stack and the `hitl` fixture read it here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from flow_hitl.audit.chain import EventKind
from flow_hitl.audit.effects import UNHEARD
from flow_hitl.delivery.retries import DAYS, RESUME, Patience
from flow_hitl.platform.worker_times import MAIL_READER, WEBHOOK_SENDER, WORKER
from flow_hitl.proof.export import EXPORT_ATTEMPTS

API_TIMEOUT_SECONDS = 29  # API Gateway gives up after 30
_LARGE = 1024
# A call that waits costs by its time and this; less memory has too little processor for large contents.
_WAITING = 256
RETENTION_DAYS = 14
"""For how long queues keep messages, as long as SQS can: whoever is away loses none before it is given up."""
# Deliveries that met a busy worker, or one that died, are no attempts.
_SPARE_RECEIVES = 5


@dataclass(frozen=True)
class Function:
    """`functions.<name>.handler`: after how many seconds Lambda ends it, and its memory in MiB."""

    name: str
    timeout_seconds: int = WORKER.seconds
    memory_size: int = 512


@dataclass(frozen=True)
class Throttle:
    """The most calls of one route: per second in the long run, and at once."""

    steady: int
    burst: int


ORDINARY = Throttle(steady=200, burst=400)
MANAGING = Throttle(steady=20, burst=40)


@dataclass(frozen=True)
class HttpFunction:
    """A function that answers the routes of its resolver, and with `the_rest` whatever no route matches."""

    name: str
    throttle: Throttle = ORDINARY
    the_rest: bool = False


@dataclass(frozen=True)
class Queue:
    """A queue and the function that works it off.

    `patience` holds the pauses that its worker sets after each failure; `visibility_seconds` is the pause after a crash
    of the worker, and after every failure where it sets none, up to `tries` of them. `late_seconds` is the age of a
    message that raises an alarm; SQS leaves out what was received three times, for which workers count
    `MessageKeepsFailing`.
    """

    name: str
    worker: str
    batch_size: int = 10
    visibility_seconds: int = WORKER.hidden_seconds
    patience: Patience | None = DAYS
    tries: int = 0
    late_seconds: int = 15 * 60

    @property
    def max_receives(self) -> int:
        """Return after how many receipts SQS moves a message to the dead-letter queue."""
        return self.patience.attempts + _SPARE_RECEIVES if self.patience else self.tries


@dataclass(frozen=True)
class StreamReader:
    """A function that the audit table's stream feeds; new events of the kinds `unheard` do not call it."""

    name: str
    batch_size: int
    unheard: frozenset[EventKind]

    @property
    def filters(self) -> Sequence[Mapping[str, object]]:
        """What a record must match one of. A change of an event or a removal, which nobody may do, does."""
        heard = {"kind": {"S": [{"anything-but": sorted(self.unheard)}]}}
        return (
            {"eventName": ["INSERT"], "dynamodb": {"NewImage": heard}},
            {"eventName": ["MODIFY", "REMOVE"]},
        )


# In the order in which a deployment and a request meet them.
FUNCTIONS = (
    Function("management", API_TIMEOUT_SECONDS, _LARGE),
    Function("intake", API_TIMEOUT_SECONDS, _LARGE),
    Function("relay"),
    Function("send_email"),
    Function("mail_feedback"),
    Function("inbound_mail", MAIL_READER.seconds, _LARGE),
    Function("dashboard", API_TIMEOUT_SECONDS, _LARGE),
    Function("respond", API_TIMEOUT_SECONDS, _LARGE),
    Function("wait", API_TIMEOUT_SECONDS, _WAITING),
    Function("deadline"),
    Function("sign_receipt"),
    Function("resume_flow"),
    Function("send_webhook", WEBHOOK_SENDER.seconds),
    Function("docs", API_TIMEOUT_SECONDS),
    Function("seal", 300, _LARGE),
    Function("export_audit", 600, _LARGE),
    Function("sweep", 300),
    Function("measure", 300),
    Function("retention", 300),
)

HTTP_FUNCTIONS = (
    HttpFunction("intake"),
    HttpFunction("wait"),
    HttpFunction("management", MANAGING),
    HttpFunction("respond"),
    HttpFunction("dashboard", the_rest=True),
    HttpFunction("docs", MANAGING),
)

QUEUES = (
    # With some seconds for each, and for the last one as long as SES may be silent.
    Queue("email", "send_email", batch_size=5),
    Queue("receipt", "sign_receipt"),
    Queue("resume", "resume_flow", batch_size=1, patience=RESUME, late_seconds=24 * 3600),
    Queue("webhook", "send_webhook", batch_size=1, visibility_seconds=WEBHOOK_SENDER.hidden_seconds),
    # A deadline that is not yet due is put back for up to a quarter of an hour.
    Queue("deadline", "deadline", late_seconds=30 * 60),
    Queue("inbound_mail", "inbound_mail", 5, visibility_seconds=MAIL_READER.hidden_seconds),
    Queue("mail_feedback", "mail_feedback"),
    Queue("relay_retry", "relay"),
    Queue("seal", "seal", batch_size=1, visibility_seconds=1800, patience=None, tries=5, late_seconds=3 * 3600),
    Queue(
        "export",
        "export_audit",
        batch_size=1,
        visibility_seconds=3600,
        patience=None,
        tries=EXPORT_ATTEMPTS,
        late_seconds=6 * 3600,
    ),
    # A run has five minutes; what it did not come to, the next one does, so its message need not come again for long.
    Queue("sweep", "sweep", batch_size=1, visibility_seconds=1800, patience=None, tries=3, late_seconds=3600),
    Queue("measure", "measure", batch_size=1, visibility_seconds=1800, patience=None, tries=3, late_seconds=3600),
    Queue(
        "retention", "retention", batch_size=1, visibility_seconds=1800, patience=None, tries=3, late_seconds=6 * 3600
    ),
)

STREAM_READERS = (StreamReader("relay", 50, UNHEARD),)

# Events settle within ten minutes; a sweep twice as often would cost twice as much.
SWEEPS = "rate(5 minutes)"
# Figures are read together with what is not stored yet, which may not become too much.
MEASURES = "rate(5 minutes)"
# Nobody waits for it, and a run that is full goes on in the next.
RETENTIONS = "rate(1 hour)"

DEAD_LETTERS = (*(queue.name for queue in QUEUES), "stream", "schedules")
"""What has a dead-letter queue: each queue, the audit stream, and EventBridge Scheduler."""

# Dead letters of these can explain why a request is stuck.
DIAGNOSED = (
    "email",
    "mail_feedback",
    "receipt",
    "resume",
    "webhook",
    "inbound_mail",
    "deadline",
    "schedules",
    "relay_retry",
    "stream",
)


def queue_settings(queue: Callable[[str], str], dead_letters: Callable[[str], str]) -> dict[str, str]:
    """Return the functions' settings that name queues, from the names in SQS of a queue and of its dead letters."""
    work = ",".join(f"{one.name}={queue(one.name)}" for one in QUEUES)
    rest = ",".join(f"{name}={dead_letters(name)}" for name in DEAD_LETTERS)
    return {"queue_names": work, "dead_letter_queue_names": rest}


def construct_id(name: str) -> str:
    """Return the construct id of a name: `RelayRetry` for `relay_retry`."""
    return "".join(word.capitalize() for word in name.split("_"))
