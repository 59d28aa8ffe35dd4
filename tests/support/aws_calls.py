"""Watching the AWS calls that the handlers make, and dying at one of them."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal
from unittest.mock import patch

from botocore.exceptions import ConnectionClosedError
from moto.core.models import botocore_stubber

from flow_hitl import bootstrap
from flow_hitl.platform import aws
from infra.local.hitl_fixture import Hitl
from tests.support.slices import part

_SERVICES = ("dynamodb", "sqs", "s3", "sesv2", "scheduler", "secretsmanager", "kms")

When = Literal["before", "after"]


class Crash(BaseException):
    """The function's process dies: nothing in the code may catch this."""


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

    def before(event_name: str, **_: Any) -> None:
        if running:
            calls.begun.append(Call(runs, running[-1], event_name.removeprefix("before-call.")))
            if at_call:
                at_call(calls.begun[-1], "before")

    def after(**_: Any) -> None:
        if running and at_call:
            at_call(calls.begun[-1], "after")

    emitters = [aws.client(service).meta.events for service in _SERVICES]
    for emitter in emitters:
        emitter.register("before-call", before)
        emitter.register("after-call", after)
    try:
        with patch.object(hitl, "_function", function):
            yield calls
    finally:
        for emitter in emitters:
            emitter.unregister("before-call", before)
            emitter.unregister("after-call", after)


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

    `act` is done once for it. They are all of a few calls and some six of many, others in each test, with some of each
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
    dying = part(names, max(1, len(names) // 6))
    return [*(number for number, name in enumerate(names) if name in dying), NO_DEATH]


def new_process() -> None:
    """Forget everything that a warm function remembers."""
    old = bootstrap.current()
    bootstrap.use(bootstrap.Application(old.settings, old.clock, old.ids, old.jitter))


@contextmanager
def losing_answers(*operations: str) -> Iterator[list[str]]:
    """Lose the answer to each call of these operations (`service.Operation`) once: the SDK makes it again.

    Yields which were lost. AWS knows a transaction again by its token; moto does not look at that.
    """
    lost: list[str] = []
    sent: set[bytes] = set()
    names = {operation.partition(".")[::2] for operation in operations}

    def lose(request: Any, event_name: str, **_: Any) -> None:
        if request.body in sent:
            return
        sent.add(request.body)
        lost.append(event_name.removeprefix("before-send."))
        # moto would answer after us, and never: what is lost is an answer, so the call is made first.
        botocore_stubber(event_name, request)
        raise ConnectionClosedError(endpoint_url=request.url)

    with ExitStack() as stack:
        stack.enter_context(patch("botocore.endpoint.time.sleep"))
        for service, operation in names:
            emitter = aws.client(service).meta.events
            name = f"before-send.{service}.{operation}"
            emitter.register_last(name, lose)
            stack.callback(emitter.unregister, name, lose)
        yield lost
