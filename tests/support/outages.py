"""Outages: a component is away for a time, and what is lost where that is longer than anybody tries again."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

from botocore.exceptions import EndpointConnectionError

from flow_hitl.platform import aws
from infra.local.hitl_fixture import Hitl
from infra.local.hitl_fixture.stack import ACCOUNT, REGION, queue_url
from tests.support.aws_calls import Call, When, around_calls, watched
from tests.support.receiver import Receiver


@contextmanager
def losing_events(hitl: Hitl) -> Iterator[None]:
    """Let the audit events of what happens in here not reach the relay."""
    deliver = hitl._deliver

    def deliver_others(function: str, records: list[dict[str, Any]]) -> list[Any]:
        return [] if function == "relay" else deliver(function, records)

    with patch.object(hitl, "_deliver", deliver_others):
        yield


@contextmanager
def kms_away(hitl: Hitl) -> Iterator[None]:
    """Let KMS refuse to sign."""

    def fail(*_: object) -> None:
        raise ConnectionError("KMS is away")

    with around_calls(fail, "kms.Sign"):
        yield


COMPONENTS = (
    "SES",
    "DynamoDB of the deadlines",
    "DynamoDB of all workers",
    "Scheduler",
    "SQS of the relay",
    "relay",
    "send_email",
    "inbound_mail",
    "resume endpoint",
    "S3",
    "keys",
)
_FUNCTIONS = ("relay", "send_email", "inbound_mail")
_PEOPLE = ("intake", "wait", "respond", "dashboard", "management")
_STREAM_KEEPS = timedelta(days=1)


@contextmanager
def away(hitl: Hitl, flow: Receiver, component: str) -> Iterator[None]:
    """Let a component be away for what happens in here; people and flows still reach us."""
    with ExitStack() as stack:
        if component == "resume endpoint":
            flow.status = 503
            stack.callback(setattr, flow, "status", 200)
        elif component == "relay":
            stack.enter_context(_relay_away(hitl))
        elif component in _FUNCTIONS:
            stack.enter_context(_function_away(hitl, component))
        else:
            stack.enter_context(_calls_fail(hitl, component))
        if component == "SQS of the relay":
            stack.enter_context(_events_lost(hitl))
        if component == "Scheduler":
            # What is due fires when it is back.
            stack.enter_context(patch.object(hitl, "_schedules", list))
        if component == "DynamoDB of all workers":
            # The sweep would fail every five minutes.
            stack.enter_context(patch.object(hitl, "_next_sweep", lambda: None))
        yield


@contextmanager
def _calls_fail(hitl: Hitl, component: str) -> Iterator[None]:
    def fail(call: Call, when: When) -> None:
        if when == "before" and _uses(component, call):
            raise EndpointConnectionError(endpoint_url=f"https://{component}")

    with watched(hitl, fail):
        yield


def _uses(component: str, call: Call) -> bool:
    service, _, operation = call.operation.partition(".")
    if component == "SES":
        return service == "sesv2"
    if component == "Scheduler":
        return service == "scheduler"
    if component == "DynamoDB of the deadlines":
        return service == "dynamodb" and call.function == "deadline"
    if component == "SQS of the relay":
        return operation == "SendMessage" and call.function == "relay"
    services = {"DynamoDB of all workers": ("dynamodb",), "S3": ("s3",), "keys": ("secrets-manager", "kms")}
    return service in services[component] and call.function not in _PEOPLE


@contextmanager
def _function_away(hitl: Hitl, name: str) -> Iterator[None]:
    deliver = hitl._deliver

    def deliver_others(function: str, records: list[dict[str, Any]]) -> list[Any]:
        return [{"itemIdentifier": "all"}] if function == name else deliver(function, records)

    with patch.object(hitl, "_deliver", deliver_others):
        yield


@contextmanager
def _relay_away(hitl: Hitl) -> Iterator[None]:
    """Let the stream wait, which then has forgotten what is older than a day."""
    with patch.object(hitl, "_relay_new_events", lambda: False):
        yield
    forgotten = hitl.clock.now() - _STREAM_KEEPS
    for key, at in _events():
        if at < forgotten:
            hitl._relayed.add(key)


@contextmanager
def _events_lost(hitl: Hitl) -> Iterator[None]:
    """Let the relay fail as a whole so often that the stream gives its records up."""
    deliver = hitl._deliver

    def deliver_or_lose(function: str, records: list[dict[str, Any]]) -> list[Any]:
        try:
            return deliver(function, records)
        except EndpointConnectionError:
            return [{"itemIdentifier": record["messageId"]} for record in records if "messageId" in record]

    with patch.object(hitl, "_deliver", deliver_or_lose):
        yield


def _events() -> Iterator[tuple[tuple[str, int], datetime]]:
    from moto.dynamodb.models import dynamodb_backends

    for chain in dynamodb_backends[ACCOUNT][REGION].tables["audit"].items.values():
        for event in chain.values():
            attrs = event.attrs
            yield (attrs["subject"].value, int(attrs["seq"].value)), datetime.fromisoformat(attrs["at"].value)


def agenda() -> list[str]:
    """Return the keys of what the sweep is still to look at."""
    items = aws.client("dynamodb").scan(TableName="deployments")["Items"]
    return sorted(one["sk"]["S"] for one in items if one["pk"]["S"].startswith("agenda#"))


def purge(queue: str) -> None:
    aws.client("sqs").purge_queue(QueueUrl=queue_url(queue))
