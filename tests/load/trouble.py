"""What goes wrong during the load: workers die, SES throttles, the flows are away, events come again in any order."""

import base64
import json
import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from flow_hitl.platform.environment import Settings
from infra.local import fork_server
from infra.local.failure import StackFailed
from infra.outputs import settings_from_outputs
from tests.e2e import web
from tests.e2e.local_client import LocalClient
from tests.load.flow import Flows

# The system keeps so much of a process's name.
_NAME_LENGTH = 15
_STREAM_BATCH = 10
# How often to look whether a worker of the function is busy: the death of an idle one proves little.
_LOOKS, _LOOK_SECONDS = 20, 0.02


@dataclass(frozen=True)
class Plan:
    """How much trouble there is; shares are from 0 to 1."""

    killed: tuple[str, ...]
    """The functions whose workers are killed, one after the other."""
    kill_every_seconds: float
    throttled: float
    away_seconds: float
    again: float
    """The share of requests whose events are delivered again, and of email replies that are sent twice."""


@dataclass
class Trouble:
    """What went wrong so far."""

    local: LocalClient
    flows: Flows
    plan: Plan
    emulator: int
    """The process id of the emulator, which leads the group of all its workers."""
    kills: Counter[str] = field(default_factory=Counter)
    events_again: int = 0
    answered: "SimpleQueue[str]" = field(default_factory=SimpleQueue)
    chance: random.Random = field(default_factory=lambda: random.Random(12))  # noqa: S311 - no secret

    @cached_property
    def _settings(self) -> Settings:
        return settings_from_outputs(self.local.operator.outputs)

    @cached_property
    def _sqs(self) -> Any:
        return self.local.aws("sqs")

    @contextmanager
    def made(self) -> Iterator[None]:
        """Make trouble while the block runs."""
        if not fork_server.AVAILABLE:
            raise StackFailed("Only on Linux is it known which process is a worker, so the load only runs there.")
        over = threading.Event()
        with ThreadPoolExecutor(thread_name_prefix="trouble") as threads:
            self.throttle(self.plan.throttled)
            at_work = [threads.submit(work, over) for work in (self._kill, self._deliver_again)]
            try:
                yield
            finally:
                over.set()
                self.throttle(0.0)
                self.flows.away = False
        for work in at_work:
            # What made no trouble has proven nothing.
            work.result()

    def happens(self, share: float) -> bool:
        """Tell whether this call is among such a share of all."""
        return self.chance.random() < share

    def waiting(self, queue: str) -> int:
        """Return how many messages a queue of the topology has, hidden ones included."""
        return self.messages(self._settings.queue_url(queue))

    def messages(self, queue_url: str) -> int:
        """Return how many messages a queue has, hidden ones included."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self._sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)["Attributes"]
        return sum(int(found[name]) for name in names)

    def refused_by_ses(self) -> int:
        """Return how many calls SES has refused since the stack started."""
        refused: int = web.get(f"{self.local.credentials.base_url}/_local/ses").json()["refused"]
        return refused

    def throttle(self, share: float) -> None:
        """Let SES refuse this share of calls."""
        changed = web.put(f"{self.local.credentials.base_url}/_local/ses", json={"throttled": share})
        assert changed.status_code == 200, changed.text

    def leave(self) -> None:
        """Let the flows be away for their time; returns at once."""
        self.flows.away = True

        def come_back() -> None:
            self.flows.away = False

        timer = threading.Timer(self.plan.away_seconds, come_back)
        timer.daemon = True
        timer.start()

    def _kill(self, over: threading.Event) -> None:
        while not over.wait(self.plan.kill_every_seconds):
            name = self.plan.killed[self.kills.total() % len(self.plan.killed)]
            pid = self._busy(name)
            # It may have ended by itself meanwhile.
            with suppress(ProcessLookupError):
                if pid is not None:
                    os.kill(pid, signal.SIGKILL)
            self.kills[name if pid is not None else "none was there"] += 1

    def _busy(self, name: str) -> int | None:
        """Return a worker of a function that is at work, else an idle one, else None."""
        found = [one for one in processes() if one.group == self.emulator and one.name == name[:_NAME_LENGTH]]
        for _ in range(_LOOKS):
            now = [one for one in map(process, (one.id for one in found)) if one is not None]
            if busy := [one for one in now if one.state in "RD"]:
                return self.chance.choice(busy).id
            time.sleep(_LOOK_SECONDS)
        return self.chance.choice(found).id if found else None

    def _deliver_again(self, over: threading.Event) -> None:
        """Send the events of some answered requests to the stream's reader once more, in any order."""
        dynamodb = self.local.aws("dynamodb")
        while not over.is_set():
            with suppress(Empty):
                request_id = self.answered.get(timeout=0.2)
                events = dynamodb.query(
                    TableName=self._settings.audit_table,
                    KeyConditionExpression="subject = :subject",
                    ExpressionAttributeValues={":subject": {"S": f"request#{request_id}"}},
                )["Items"]
                self.chance.shuffle(events)
                for event in events:
                    url = self._settings.queue_url("relay_retry")
                    self._sqs.send_message(QueueUrl=url, MessageBody=as_streamed(event))
                self.events_again += len(events)


def as_streamed(item: Mapping[str, Any]) -> str:
    """Return an item of the audit table, as boto3 reads it, as the stream hands it to its reader."""
    return json.dumps(item, default=lambda packed: base64.b64encode(packed).decode())


@dataclass(frozen=True)
class Process:
    """A process as the system shows it: `state` is R if it runs."""

    id: int
    name: str
    state: str
    group: int


def process(pid: int) -> Process | None:
    """Return a process, None if it has ended."""
    try:
        before, _, after = Path(f"/proc/{pid}/stat").read_text().rpartition(")")
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, _parent, group, *_ = after.split()
    return Process(pid, before.partition("(")[2], state, int(group))


def processes() -> Iterator[Process]:
    """Yield all processes of this machine: `ps`, many times a second, would be a load of its own."""
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]
    yield from (one for one in map(process, pids) if one is not None)


def shorten_batches(local: LocalClient) -> None:
    """Give the stream's readers small batches.

    AWS halves a batch whose worker died; the emulator tries all of it again, and a busy machine might never finish it
    between two deaths.
    """
    client = local.aws("lambda")
    for mapping in client.list_event_source_mappings()["EventSourceMappings"]:
        if ":dynamodb:" in mapping["EventSourceArn"]:
            client.update_event_source_mapping(UUID=mapping["UUID"], BatchSize=_STREAM_BATCH)


def emulator_of(stack: int) -> int:
    """Return the process id of the emulator that a local stack's process has started."""
    listed = subprocess.run(["ps", "-A", "-ww", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True)
    for line in listed.stdout.splitlines():
        pid, parent, command = line.split(None, 2)
        if int(parent) == stack and "emulator_process.py" in command:
            return int(pid)
    raise StackFailed("The local stack has no emulator; has it stopped?")
