"""One fault at one AWS call of the handlers, then everybody's further tries until all is quiet, and what came of it."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import groupby
from typing import Any
from unittest.mock import patch

from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError, ReadTimeoutError

from flow_hitl.audit.audit_log import data_text
from flow_hitl.audit.chain import CHAIN_START
from flow_hitl.bootstrap import current
from flow_hitl.deployments.quotas import Usage
from flow_hitl.platform.dynamodb import values
from flow_hitl.proof.verify_audit import event_hash
from infra.local.hitl_fixture import Answer, Hitl
from infra.local.hitl_fixture.stack import ACCOUNT, REGION
from tests.support import figures
from tests.support.aws_calls import AwsCall, Crash, around_calls, new_process, unsettled
from tests.support.receiver import Receiver

_WRITES = ("PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems")
_THROTTLED = {
    "dynamodb": "ProvisionedThroughputExceededException",
    "s3": "SlowDown",
    "sesv2": "TooManyRequestsException",
}


Event = Mapping[str, Any]


class Fault(StrEnum):
    """What can go wrong with a call."""

    FAILS = "fails"
    ANSWER_LOST = "is done, but its answer is lost"
    DIES_BEFORE = "is not made: its process dies before it"
    DIES_AFTER = "is the last one of its process"
    THROTTLED = "is throttled"
    THROTTLED_WITHIN = "is a transaction one item of which is throttled"
    CONFLICT = "conflicts with another write"
    MADE_AGAIN = "is made again by the SDK after its answer was lost"

    def strikes(self, service: str, operation: str) -> bool:
        """Tell whether this can happen to a call of this operation."""
        if self is Fault.THROTTLED_WITHIN:
            return operation == "TransactWriteItems"
        return self is not Fault.CONFLICT or (service == "dynamodb" and operation in _WRITES)

    @property
    def call_is_done(self) -> bool:
        """Tell whether the call has its effect nonetheless."""
        return self in (Fault.ANSWER_LOST, Fault.DIES_AFTER, Fault.MADE_AGAIN)

    def error(self, service: str, operation: str, items: int) -> BaseException:
        """Return what is raised where the call was made; a transaction is one of so many items."""
        match self:
            case Fault.FAILS:
                return EndpointConnectionError(endpoint_url=f"https://{service}")
            case Fault.ANSWER_LOST:
                return ReadTimeoutError(endpoint_url=f"https://{service}")
            case Fault.DIES_BEFORE | Fault.DIES_AFTER:
                return Crash(f"{self}: {service}.{operation}")
            case Fault.THROTTLED:
                return _refused(_THROTTLED.get(service, "ThrottlingException"), operation)
        if operation != "TransactWriteItems":
            return _refused("TransactionConflictException", operation)
        code = "ThrottlingError" if self is Fault.THROTTLED_WITHIN else "TransactionConflict"
        reasons = [{"Code": code}, *({"Code": "None"} for _ in range(items - 1))]
        cancelled = {"Error": {"Code": "TransactionCanceledException", "Message": ""}, "CancellationReasons": reasons}
        return ClientError(cancelled, operation)  # type: ignore[arg-type]


def _refused(code: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, operation)


@dataclass(frozen=True)
class Point:
    """One AWS call of an operation: its place among them (from 0), the function that makes it, and what it calls."""

    number: int
    function: str
    service: str
    operation: str

    def __str__(self) -> str:
        return f"call {self.number}, {self.function}'s {self.service}.{self.operation},"


@dataclass
class Struck:
    """The calls that handlers have made, and what had happened in the run that the fault struck."""

    points: list[Point] = field(default_factory=list)
    hit: Point | None = None
    mailed: bool = False
    posted: bool = False


@contextmanager
def striking(
    hitl: Hitl, receiver: Receiver, fault: Fault | None = None, number: int = -1, *, spared: Set[str] = frozenset()
) -> Iterator[Struck]:
    """Let this fault happen to the handlers' call of this number (from 0), and all others go well.

    Calls of the functions that are `spared` are not counted.

    DynamoDB knows a transaction that comes again by its token; moto does not, so that is done here.
    """
    struck, running = Struck(), list[tuple[str, int]]()
    done: dict[str, Any] = {}
    find = hitl._function
    mailed_by_run: list[bool] = []

    def function(name: str) -> Callable[[Any, Any], Any]:
        handler = find(name)

        def run(event: Any, context: Any) -> Any:
            running.append((name, len(receiver.received)))
            mailed_by_run.append(False)
            try:
                return handler(event, context)
            finally:
                running.pop()
                mailed_by_run.pop()

        return run

    def made(call: AwsCall, make: Callable[[], Any]) -> Any:
        token = call.parameters.get("ClientRequestToken", "")
        if token and token in done:
            return done[token]
        answer = make()
        if call.operation == "SendEmail" and mailed_by_run:
            mailed_by_run[-1] = True
        if token:
            done[token] = answer
        return answer

    def faulty(call: AwsCall, make: Callable[[], Any]) -> Any:
        if not running or running[-1][0] in spared:
            return make()
        name, received = running[-1]
        struck.points.append(Point(len(struck.points), name, call.service, call.operation))
        if fault is None or len(struck.points) != number + 1:
            return made(call, make)
        struck.hit = struck.points[-1]
        answer = made(call, make) if fault.call_is_done else None
        struck.mailed, struck.posted = mailed_by_run[-1], len(receiver.received) > received
        if fault is Fault.MADE_AGAIN:
            return made(call, make) if answer is not None else None
        raise fault.error(call.service, call.operation, len(call.parameters.get("TransactItems", ())))

    with patch.object(hitl, "_function", function), around_calls(faulty):
        yield struck


# --- further tries


def settle(hitl: Hitl) -> None:
    """Let the stream and the queues run; whoever dies is given the same again."""
    _until_nobody_dies(hitl._settle)


def advance(hitl: Hitl, **time: float) -> None:
    """Let time pass, however often somebody dies meanwhile."""
    goal = hitl.clock.now() + timedelta(**time)
    _until_nobody_dies(lambda: hitl.advance(seconds=(goal - hitl.clock.now()).total_seconds()))


def _until_nobody_dies(step: Callable[[], object]) -> None:
    for _ in range(8):
        try:
            step()
        except Crash:
            new_process()
        else:
            return
    raise AssertionError("it dies again and again")


def persistently(hitl: Hitl, call: Callable[[], Answer]) -> Answer:
    """Call as one does who asks again until there is an answer, and it is no failure of the server."""
    for _ in range(5):
        answer = None
        with unsettled(hitl):
            try:
                answer = call()
            except Crash:
                new_process()
        settle(hitl)
        if answer is not None and answer.status < 500:
            return answer
        hitl.clock.sleep(1)
    raise AssertionError(f"no answer but {answer and answer.text}")


def take_in(hitl: Hitl, message: Callable[[], None]) -> None:
    """Let a message come in from outside, as a mail does; it comes again until it is dealt with."""
    try:
        message()
    except Crash:
        new_process()
    settle(hitl)


def measure(hitl: Hitl) -> None:
    """Have what has happened stored, by as many runs of the schedule as it takes; one that fails comes again."""
    figures.settle(hitl)
    for _ in range(50):
        with suppress(BotoCoreError, ClientError):
            try:
                hitl._function("measure")({}, None)
            except Crash:
                new_process()
        if figures.is_whole(hitl):
            settle(hitl)
            return
    raise AssertionError("measuring fails again and again")


# --- what came of it


@dataclass(frozen=True)
class Outcome:
    """All that people, flows and auditors can see in the end, without what differs from run to run."""

    requests: Sequence[Any]
    events: Counter[str]
    mails: Counter[tuple[str, str]]
    posts: Counter[tuple[str, str]]
    schedules: int
    usage: Usage
    said: Any


def listed(hitl: Hitl) -> list[dict[str, Any]]:
    requests: list[dict[str, Any]] = hitl.api("GET", "/v1/requests?limit=100").json["requests"]
    return requests


def outcome(
    hitl: Hitl, receiver: Receiver, requests: Sequence[Mapping[str, Any]], events: Sequence[Event], said: Any = None
) -> Outcome:
    """Return what came of it: of these `requests` as they are `listed`, and these stored `events`."""
    return Outcome(
        requests=sorted(map(_lasting, requests), key=repr),
        events=Counter(f"{event['subject'].partition('#')[0]} {event['kind']}" for event in events),
        mails=Counter((mail.to, mail.subject) for mail in hitl.inbox),
        posts=Counter(
            (post.path.partition("?")[0], json.loads(post.body).get("event", "resume")) for post in receiver.received
        ),
        schedules=len(hitl._schedules()),
        usage=current().manage_deployments.usage(hitl.deployment_id),
        said=said,
    )


def _lasting(request: Mapping[str, Any]) -> Any:
    response, resume = request["response"] or {}, request["resume"] or {}
    return {
        **{name: request[name] for name in ("status", "assigned_to_email", "assigned_by", "routing_rule", "warnings")},
        **{name: response.get(name) for name in ("outcome", "feedback", "responded_via", "responder")},
        **{f"resume {name}": resume.get(name) for name in ("status", "attempts")},
    }


def unnoted(end: Outcome) -> Outcome | None:
    """Return the same end where the first attempt to resume, in vain, was not noted, as its worker failed after it."""
    kind = "request resume_attempted"
    if end.events[kind] < 2:
        return None
    requests = [
        {**one, "resume attempts": one["resume attempts"] and one["resume attempts"] - 1} for one in end.requests
    ]
    return replace(end, requests=requests, events=end.events - Counter([kind]))


def problems(before: Outcome, after: Outcome, struck: Struck) -> list[str]:
    """Return in what the end differs from that without a fault, but for what may happen twice: whose worker has sent
    it and could not say so.
    """
    found = [
        f"{name}: {getattr(after, name)}, not {getattr(before, name)}"
        for name in ("requests", "events", "schedules", "said")
        if getattr(before, name) != getattr(after, name)
    ]
    # Counting what is used of a quota is given up where it fails: the effects are on their way.
    if after.usage.requests > before.usage.requests or after.usage.mails > before.usage.mails:
        found.append(f"usage: {after.usage}, not {before.usage}")
    for name, twice in (("mails", struck.mailed), ("posts", struck.posted)):
        promised, sent = getattr(before, name), getattr(after, name)
        lost, more = promised - sent, sent - promised
        if lost:
            found.append(f"{name} lost: {dict(lost)}")
        if more.total() > twice or not set(more) <= set(promised):
            found.append(f"{name} sent once too often: {dict(more)}")
    return found


def wrongs(hitl: Hitl) -> list[str]:
    """Return what must never be, whatever has happened: see `wrongs_of`."""
    return wrongs_of(hitl, listed(hitl), stored_events(hitl))


def wrongs_of(hitl: Hitl, requests: Sequence[Mapping[str, Any]], events: Sequence[Event]) -> list[str]:
    """Return what must never be, whatever has happened: see each line; of figures as far as they are stored."""
    left = {queue.name: len(queue._messages) for queue in _queues() if queue._messages}
    found = [f"{queue} holds {number} messages" for queue, number in left.items()]
    by_subject = groupby(events, key=lambda event: event["subject"])
    found += [f"{subject} is no chain" for subject, chain in by_subject if not _is_chain(list(chain))]
    path = f"/v1/deployments/{hitl.deployment_id}/audit/verify"
    # That nobody has sealed the days that the test has let pass is no fault.
    verified = (one for one in hitl.api("GET", path).json["findings"] if one["kind"] != "digest_missing")
    found += [f"verification finds {one}" for one in verified]
    if not figures.are_right(hitl):
        found.append("the figures are not those of the log")
    clocks = "".join(schedule["Target"]["Input"] for schedule in hitl._schedules())
    for request in requests:
        if request["status"] != "pending":
            continue
        if not request["assigned_to_email"]:
            found.append("a pending request has no owner")
        if request["auto_response"] and request["id"] not in clocks:
            found.append("a pending request has no live deadline")
    return found


def _queues() -> Sequence[Any]:
    from moto.sqs.models import sqs_backends

    return list(sqs_backends[ACCOUNT][REGION].queues.values())


def _is_chain(events: Sequence[Mapping[str, Any]]) -> bool:
    before = [CHAIN_START, *(event["hash"] for event in events)]
    return all(
        (event["seq"], event["prev_hash"], event["hash"]) == (seq, last, event_hash(event))
        for seq, (event, last) in enumerate(zip(events, before, strict=False), 1)
    )


def until_quiet(hitl: Hitl) -> None:
    """Let as much time pass as it takes until no message waits any more but dead letters."""
    for _ in range(30):
        shown_at = [
            max(message.visible_at, message.delayed_until)
            for queue in _queues()
            if not queue.name.endswith("-dlq")
            for message in queue._messages
        ]
        if not shown_at:
            return
        advance(hitl, seconds=max(0.001, min(shown_at) / 1000 + 0.001 - hitl.clock.now().timestamp()))


def let_fire(hitl: Hitl, requests: Sequence[Mapping[str, Any]]) -> bool:
    """Let fire what is still scheduled for those of the requests that are over; tell whether there was anything.

    Nobody waits until a schedule is deleted, so a failure can leave it; it has to find nothing to do.
    """
    over = {request["id"] for request in requests if request["status"] != "pending"}
    left = [one for one in hitl._schedules() if any(request_id in one["Target"]["Input"] for request_id in over)]
    for schedule in left:
        fires_at = datetime.strptime(schedule["ScheduleExpression"], "at(%Y-%m-%dT%H:%M:%S)").replace(tzinfo=UTC)
        advance(hitl, seconds=max(0, (fires_at - hitl.clock.now()).total_seconds()))
    return bool(left)


def stored_events(hitl: Hitl) -> list[dict[str, Any]]:
    """Return the audit log as it lies in the table, each event as it was hashed."""
    from moto.dynamodb.models import dynamodb_backends

    chains = dynamodb_backends[ACCOUNT][REGION].tables[current().settings.audit_table].items.values()
    found = []
    for item in (event.to_json()["Attributes"] for chain in chains for event in chain.values()):
        names = ("subject", "event_id", "kind", "at", "actor", "prev_hash", "hash")
        event = {name: item[name]["S"] for name in names}
        found.append({**event, "seq": int(item["seq"]["N"]), "data": json.loads(data_text(values(item)["data"]))})
    return sorted(found, key=lambda event: (event["subject"], event["seq"]))
