"""Watching the AWS calls that the handlers make, and dying at one of them."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal
from unittest.mock import patch

from botocore import exceptions
from botocore.client import BaseClient
from moto.core.botocore_stubber import BotocoreStubber

from flow_hitl import bootstrap
from flow_hitl.platform.json_client import Connection, JsonClient, Unanswered
from infra.local.hitl_fixture import Hitl, short_way
from tests.support.slices import part

When = Literal["before", "after"]


class Crash(BaseException):
    """The function's process dies: nothing in the code may catch this."""


@dataclass(frozen=True)
class AwsCall:
    """One call of AWS, whichever client makes it."""

    service: str
    operation: str
    parameters: Mapping[str, Any]

    @property
    def name(self) -> str:
        return f"{self.service}.{self.operation}"


@contextmanager
def around_calls(act: Callable[[AwsCall, Callable[[], Any]], Any], *names: str) -> Iterator[None]:
    """Have each AWS call of this process go through `act`, which makes it, or not, and returns what it answers.

    `names` are those of the calls that are meant (`service.Operation`), by default all. The innermost comes first.
    """
    of_boto3, of_ours = BaseClient._make_api_call, JsonClient.call  # type: ignore[attr-defined]

    def meant(call: AwsCall, make: Callable[[], Any]) -> Any:
        return act(call, make) if not names or call.name in names else make()

    def by_boto3(client: Any, operation: str, parameters: Mapping[str, Any]) -> Any:
        service = client.meta.service_model.service_id.hyphenize()
        return meant(AwsCall(service, operation, parameters), lambda: of_boto3(client, operation, parameters))

    def by_ours(client: JsonClient, operation: str, parameters: Mapping[str, Any]) -> Any:
        call = AwsCall(client.service.name, operation, parameters)
        return meant(call, lambda: of_ours(client, operation, parameters))

    with patch.object(BaseClient, "_make_api_call", by_boto3), patch.object(JsonClient, "call", by_ours):
        yield


@contextmanager
def around_sending(act: Callable[[str, bytes, Callable[[], Any]], Any]) -> Iterator[None]:
    """Have each request of an AWS call go through `act`, which is given the call's name, the body, and how to send it.

    Where it raises Unanswered, the client has no answer, and may make the call again.
    """
    calling: list[str] = []
    exchange, answer = Connection.exchange, BotocoreStubber.__call__

    def by_ours(connection: Connection, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Any:
        return act(calling[-1], body, lambda: exchange(connection, method, path, headers, body))

    def by_boto3(stub: Any, event_name: str, request: Any, **more: Any) -> Any:
        try:
            return act(calling[-1], request.body, lambda: answer(stub, event_name, request, **more))
        except Unanswered as reason:
            raise getattr(exceptions, str(reason))(endpoint_url=request.url) from None

    def named(call: AwsCall, make: Callable[[], Any]) -> Any:
        calling.append(call.name)
        try:
            return make()
        finally:
            calling.pop()

    with (
        patch("time.sleep"),
        patch.object(Connection, "exchange", by_ours),
        patch.object(BotocoreStubber, "__call__", by_boto3),
        # Nothing is sent on it.
        patch.object(short_way, "answer", lambda *_: None),
        around_calls(named),
    ):
        yield


@dataclass(frozen=True)
class Call:
    """One AWS call of a handler: in which of its runs (from 1), by which function, and `service.Operation`."""

    run: int
    function: str
    operation: str


@dataclass
class Calls:
    """The calls so far, and the call at which the process died, if it did."""

    begun: list[Call] = field(default_factory=list)
    died_at: Call | None = None

    @property
    def operations(self) -> list[str]:
        return [call.operation for call in self.begun]


@contextmanager
def unsettled(hitl: Hitl) -> Iterator[None]:
    """Let only the called handler run: what AWS would do after it waits for the next call."""
    with patch.object(hitl, "_settle"):
        yield


@contextmanager
def watched(hitl: Hitl, at_call: Callable[[Call, When], None] | None = None) -> Iterator[Calls]:
    """Yield the AWS calls that handlers make; `at_call` is told of each before and after it happens."""
    calls = Calls()
    runs = 0
    running: list[str] = []
    find = hitl._function

    def function(name: str) -> Callable[[Any, Any], Any]:
        handler = find(name)

        def run(event: Any, context: Any) -> Any:
            nonlocal runs
            runs += 1
            running.append(name)
            try:
                return handler(event, context)
            finally:
                running.pop()

        return run

    def seen(call: AwsCall, make: Callable[[], Any]) -> Any:
        if not running:
            return make()
        calls.begun.append(Call(runs, running[-1], call.name))
        if at_call is None:
            return make()
        at_call(calls.begun[-1], "before")
        answer = make()
        at_call(calls.begun[-1], "after")
        return answer

    with patch.object(hitl, "_function", function), around_calls(seen):
        yield calls


@contextmanager
def crashing(hitl: Hitl, number: int, when: When) -> Iterator[Calls]:
    """Die before or after the handlers' AWS call of this number (from 0); another process goes on after that."""
    count = 0

    def at_call(call: Call, moment: When) -> None:
        nonlocal count
        if moment != when:
            return
        count += 1
        if count == number + 1:
            calls.died_at = call
            raise Crash(f"{when} {call}")

    new_process()
    with watched(hitl, at_call) as calls:
        try:
            yield calls
        except Crash:
            new_process()


# Past every call.
NO_DEATH = 1_000_000


def deaths(
    hitl: Hitl, when: When, act: Callable[[], object], surely: Callable[[Call, Calls], bool] = lambda *_: False
) -> list[int]:
    """Return the numbers of the handlers' AWS calls that `act` leads to, to die at one after the other; then NO_DEATH.

    `act` is done once for it. They are all of a few calls and some four of many, others in each test, with some of each
    function and those that are `surely` wanted.
    """
    with crashing(hitl, NO_DEATH, when) as calls:
        act()
    assert len(calls.begun) > 1, "so few calls cannot be all"
    test = os.environ["PYTEST_CURRENT_TEST"]
    names = {
        f"{test} {when} {number}": {call.function, number if surely(call, calls) else call.function}
        for number, call in enumerate(calls.begun)
    }
    dying = part(names, max(1, len(names) // 4))
    return [*(number for number, name in enumerate(names) if name in dying), NO_DEATH]


def new_process() -> None:
    """Forget everything that a warm function remembers."""
    old = bootstrap.current()
    bootstrap.use(bootstrap.Application(old.settings, old.clock, old.ids, old.jitter))


@contextmanager
def losing_answers(*operations: str) -> Iterator[list[str]]:
    """Lose the answer to each call of these operations (`service.Operation`) once: the client makes it again.

    Yields which were lost. AWS knows a transaction again by its token; moto does not look at that.
    """
    lost: list[str] = []
    sent: set[bytes] = set()

    def lose(name: str, body: bytes, send: Callable[[], Any]) -> Any:
        answer = send()
        if name in operations and body not in sent:
            sent.add(body)
            lost.append(name)
            raise Unanswered("ConnectionClosedError")
        return answer

    with around_sending(lose):
        yield lost
