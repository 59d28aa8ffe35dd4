"""The recorded invocations once more against an AWS that answers at once, and the same AWS calls by a bare boto3."""

import http.client
import importlib
import os
import re
import socket
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import boto3

from flow_hitl.bootstrap import Application, use
from flow_hitl.platform import aws
from flow_hitl.platform.environment import Settings
from flow_hitl.platform.json_client import Connection, JsonClient
from flow_hitl.platform.system_clock import RandomIds
from tests.bench.recording import Invocation, Made, Recording

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE00000000",
    "AWS_SECRET_ACCESS_KEY": "s" * 40,
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
    "AWS_EC2_METADATA_DISABLED": "true",
    "PYDANTIC_DISABLE_PLUGINS": "__all__",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "POWERTOOLS_METRICS_DISABLED": "true",
    "POWERTOOLS_LOG_LEVEL": "CRITICAL",
}


class _Clock:
    """It shows the time of the invocation."""

    def __init__(self) -> None:
        self.time = datetime.min.replace(tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


class _Context:
    function_name = "bench"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:1:function:bench"
    aws_request_id = "1"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 29_000


@dataclass(frozen=True)
class Cpu:
    """Milliseconds of CPU of a review's handlers, and of the same calls by a bare boto3."""

    milliseconds: float
    floor: float
    # Of rounds side by side: what else the machine does is in both.
    ratio: float


class Replay:
    """The answers that the next calls of this process get."""

    def __init__(self, recording: Recording, port: int, client: str) -> None:
        self._clock, self._context = _Clock(), _Context()
        self._expected: list[Made] = []
        self._others, self._port = recording.any_answer(), port
        self._bare: dict[str, Any] = {}
        self.missing: list[str] = []
        settings = Settings(**{**recording.settings, "aws_client": client})
        use(Application(settings, self._clock, RandomIds(), lambda: 0.0))

    def run(self, invocation: Invocation) -> Any:
        """Run a handler as it was recorded."""
        self._expected, self._clock.time = list(invocation.calls), invocation.now
        handler = importlib.import_module(f"functions.{invocation.function}").handler
        return handler(invocation.event, self._context)

    def floor(self, invocation: Invocation) -> None:
        """Make the recorded calls, and nothing else."""
        for made in invocation.calls:
            self._expected = [made]
            answer = getattr(self._bare_client(made.service), _snake(made.operation))(**made.parameters)
            if "Body" in answer:
                answer["Body"].read()
        if invocation.function == "resume_flow":
            flow = http.client.HTTPConnection("127.0.0.1", self._port)
            flow.connect()
            flow.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            flow.request("POST", "/resume", b"x" * 1500)
            flow.getresponse().read()
            flow.close()

    def check(self, invocation: Invocation) -> None:
        """Raise ValueError unless a run on a warm function does what was recorded."""
        self.run(invocation)
        self.missing = []
        result = self.run(invocation)
        left = [made.operation for made in self._expected]
        said = {name: result.get(name) for name in ("statusCode", "batchItemFailures")}
        was = {name: invocation.result.get(name) for name in said}
        if said != was or left or self.missing:
            raise ValueError(f"{invocation.function}: {said} for {was}, not made {left}, not known {self.missing}")

    def name_answer(self, operation: str) -> str:
        """Return the number of the answer to the next call of an operation."""
        for made in self._expected:
            if made.operation == operation:
                self._expected.remove(made)
                return str(made.number)
        self.missing.append(operation)
        return str(self._others[operation])

    def _bare_client(self, service: str) -> Any:
        if service not in self._bare:
            name = service.replace("secrets-manager", "secretsmanager")
            self._bare[service] = self.watched(boto3.client(name))  # type: ignore[call-overload]
        return self._bare[service]

    def watched(self, client: Any) -> Any:
        """Have a boto3 client name the answer that it wants."""

        def name(request: Any, event_name: str, **_: Any) -> None:
            request.headers["x-answer"] = self.name_answer(event_name.rpartition(".")[2])

        client.meta.events.register("before-send", name)
        return client


@contextmanager
def replaying(recording: Recording, port: int, client: str = "json") -> Iterator[Replay]:
    """Have the handlers' AWS calls answered from a recording by the server at a port."""
    with patch.dict(os.environ, {**ENVIRONMENT, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}):
        replay = Replay(recording, port, client)
        call, exchange, make = JsonClient.call, Connection.exchange, aws._boto3_client
        operations: list[str] = [""]

        def named_call(self: JsonClient, operation: str, parameters: Any) -> Any:
            operations[0] = operation
            return call(self, operation, parameters)

        def named_exchange(self: Connection, method: str, path: str, headers: Any, body: bytes) -> Any:
            return exchange(self, method, path, {**headers, "x-answer": replay.name_answer(operations[0])}, body)

        aws.client.cache_clear()
        with (
            patch.object(JsonClient, "call", named_call),
            patch.object(Connection, "exchange", named_exchange),
            patch.object(aws, "_boto3_client", lambda *names, **options: replay.watched(make(*names, **options))),
        ):
            yield replay
        use(None)
        aws.client.cache_clear()


def measure(replay: Replay, review: Sequence[Invocation], rounds: int = 10, each: int = 7) -> Cpu:
    """Return what a review takes on average, in rounds that alternate with its floor."""
    for invocation in review:
        replay.check(invocation)
        replay.floor(invocation)
    ours, floors = [], []
    for _ in range(rounds):
        ours.append(_milliseconds(replay.run, review, each))
        floors.append(_milliseconds(replay.floor, review, each))
    ratio = statistics.median(one / floor for one, floor in zip(ours, floors, strict=True))
    return Cpu(statistics.fmean(ours), statistics.fmean(floors), ratio)


def _milliseconds(work: Callable[[Invocation], object], review: Sequence[Invocation], times: int) -> float:
    began = time.process_time()
    for _ in range(times):
        for invocation in review:
            work(invocation)
    return (time.process_time() - began) / times * 1000


def _snake(operation: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower()
