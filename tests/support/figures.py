"""What the tests of the figures share: some ordinary requests, and what is stored."""

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from flow_hitl.audit.audit_log import event_from_item, put_event
from flow_hitl.audit.chain import AuditEvent, EventKind, next_event, request_subject
from flow_hitl.bootstrap import current
from flow_hitl.contract.shapes import Channel
from flow_hitl.metrics.metric_store import DynamoMetricStore, _key
from flow_hitl.metrics.metrics import Bucket, Dimension, measure, merged
from flow_hitl.platform.dynamodb import item
from flow_hitl.requests.request import Stamp, decide
from infra.local.hitl_fixture import Hitl
from tests.support import examples
from tests.support.asserts import EMIT

# Whatever waits is stored when its day is over.
LONG_ENOUGH = timedelta(days=1, minutes=11).total_seconds()


def make_busy(hitl: Hitl) -> None:
    """Let some requests go their ordinary ways, before a sweep comes: nobody has counted them yet."""
    for number, word in enumerate(("approved", "rejected", "why?")):
        hitl.ask(emit=EMIT, method_name=f"review_{number % 2}", assigned_to_email=f"{number}@example.com")
        hitl.advance(minutes=3)
        hitl.reply(word)
    hitl.api("DELETE", f"/v1/requests/{hitl.ask().id}")
    hitl.ask(emit=EMIT)


def put_opening(hitl: Hitl, at: datetime, data: Any, name: str = "broken") -> None:
    """Put an opening into the log past everybody."""
    event = next_event(
        subject=request_subject(name),
        seq=1,
        prev_hash="0" * 64,
        event_id=name,
        kind=EventKind.REQUEST_CREATED,
        at=at,
        actor="flow",
        data=data,
    )
    part = put_event(current().settings.audit_table, event, hitl.deployment_id)["Put"]
    hitl._clients["dynamodb"].put_item(TableName=part["TableName"], Item=part["Item"])


def opening(**changes: Any) -> dict[str, Any]:
    """Return the facts of an opening that counts."""
    data = {"assigned_to_email": "a@example.com", "flow_name": None, "method_name": "review", "test": False}
    return data | changes


def measure_before(monkeypatch: pytest.MonkeyPatch, hitl: Hitl, method: str) -> None:
    """Have what has happened stored right before the next call of a method of the figures' store."""
    original = getattr(DynamoMetricStore, method)

    def late(*arguments: Any) -> Any:
        monkeypatch.setattr(DynamoMetricStore, method, original)
        hitl.measure()
        return original(*arguments)

    monkeypatch.setattr(DynamoMetricStore, method, late)


def settle(hitl: Hitl) -> None:
    """Let so much time pass that what has happened is stored at the next chance; nothing comes due."""
    hitl.clock.sleep(LONG_ENOUGH)


def measure_all(hitl: Hitl) -> None:
    """Have all that has happened stored."""
    settle(hitl)
    hitl.measure()


def shown_set(hitl: Hitl) -> int:
    return current()._metrics.generations(hitl.deployment_id).live.number


def stored(hitl: Hitl, number: int | None = None) -> dict[Bucket, Counter[str]]:
    """Return every bucket of a generation, by default of the one shown, read as they lie in the table."""
    number = shown_set(hitl) if number is None else number
    buckets: dict[Bucket, Counter[str]] = {}
    table = current().settings.deployments_table
    for found in hitl._clients["dynamodb"].scan(TableName=table)["Items"]:
        _, _, rest = found["pk"]["S"].partition(f"metrics#{hitl.deployment_id}#{number}#")
        if rest in set(Dimension):
            period = found["sk"]["S"].split("#")[1]
            bucket = Bucket(Dimension(rest), period, found["value"]["S"], found.get("outcome", {}).get("S"))
            buckets[bucket] = Counter({name: int(value["N"]) for name, value in found.items() if "N" in value})
    return buckets


def expected(hitl: Hitl, before: datetime | None = None) -> dict[Bucket, Counter[str]]:
    """Return what the whole audit log says, or the log before a time, added up without any of the store."""
    items = hitl._clients["dynamodb"].scan(TableName=current().settings.audit_table)["Items"]
    events = [event_from_item(one) for one in items]
    return figures_of(event for event in events if before is None or event.at < before)


def is_whole(hitl: Hitl) -> bool:
    """Tell whether all that has settled is stored, in one set."""
    found = current()._metrics.generations(hitl.deployment_id)
    settled = current()._fold_events.settled
    return found.live.progress is not None and not found.is_unfinished and found.live.progress.position.at >= settled


def are_right(hitl: Hitl) -> bool:
    """Tell whether the stored figures are those of the log, as far as they are stored."""
    progress = current()._metrics.generations(hitl.deployment_id).live.progress
    # Looking at the whole tables takes moto longer than all the rest.
    return progress is None or stored(hitl) == expected(hitl, progress.position.at)


def spoil(hitl: Hitl, bucket: Bucket, counter: str, by: int) -> None:
    """Change a counter behind everybody's back."""
    hitl._clients["dynamodb"].update_item(
        TableName=current().settings.deployments_table,
        Key=item(_key(hitl.deployment_id, shown_set(hitl), bucket)),
        UpdateExpression=f"SET #value = :value{', outcome = :outcome' if bucket.outcome else ''} ADD #counter :by",
        ExpressionAttributeNames={"#value": "value", "#counter": counter},
        ExpressionAttributeValues=item({":value": bucket.value, ":outcome": bucket.outcome, ":by": by}),
    )


def requests_of(first: datetime, *, days: int, count: int, clock_every: int = 0) -> Iterator[AuditEvent]:
    """Yield the events of requests over some days, each answered; every so many-th of them by the clock.

    They come as in an office: mostly by day, hardly ever at a weekend.
    """
    chance = random.Random(count)  # noqa: S311 - no secret
    people = ("anna", "bob", "chiara", "dan")
    for number in range(count):
        day = first + timedelta(days=days * number // count)
        if day.weekday() > 4 and chance.random() < 0.8:
            day += timedelta(days=2 if day + timedelta(days=2) < first + timedelta(days=days) else -2)
        at = day + timedelta(hours=min(max(chance.gauss(12.5, 3), 0), 23.9))
        person = f"{chance.choice(people)}@example.com"
        opened = examples.opening(
            at=at,
            method_name=f"review_{chance.choice(('article', 'payment', 'vendor'))}",
            flow_name=chance.choice(("ContentFlow", "PaymentFlow")),
            sla_target_minutes=60,
            assignment=examples.assigned_to(person),
        )
        by_clock = bool(clock_every) and number % clock_every == 0
        answer = examples.answer(
            via=Channel.AUTO_RESPONSE if by_clock else Channel.EMAIL,
            responder=None if by_clock else person,
            responder_verified=not by_clock,
            outcome="rejected" if by_clock else chance.choices(("approved", "rejected", None), (70, 22, 8))[0],
        )
        seconds = 5400.0 if by_clock else min(chance.lognormvariate(7.2, 1.2), 80_000)
        answered_at = min(at + timedelta(seconds=seconds), first + timedelta(days=days, hours=23))
        yield opened.event
        yield decide(opened.after, answer, examples.CONTENT, stamp=Stamp("e2", answered_at, answer.actor)).event


def figures_of(events: Iterable[AuditEvent], *, times: int = 1) -> dict[Bucket, Counter[str]]:
    """Return the buckets that events make, as if each of them had happened so many times."""
    measured = (measure(event) for event in events)
    sums = merged(each.tallies for each in measured if each)
    return {bucket: Counter({name: times * n for name, n in tally.items()}) for bucket, tally in sums.items()}


def store(hitl: Hitl, buckets: Mapping[Bucket, Counter[str]], number: int | None = None) -> None:
    """Write buckets as the store writes them, but each by a call of its own: moto is slow in adding."""
    number = shown_set(hitl) if number is None else number
    table = current().settings.deployments_table
    for bucket, tally in buckets.items():
        record = {**_key(hitl.deployment_id, number, bucket), "value": bucket.value, "outcome": bucket.outcome, **tally}
        hitl._clients["dynamodb"].put_item(TableName=table, Item=item(record))
