"""Cold starts: what a fresh process imports until a function has answered once, and what CPU that takes."""

import json
import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flow_hitl.platform.environment import Settings
from tests.bench.recording import Invocation, Recording
from tests.bench.replay import ENVIRONMENT

ROOT = Path(__file__).resolve().parents[2]
# Of which review an invocation of the function is taken.
FUNCTIONS: Mapping[str, str] = {
    "intake": "api",
    "respond": "api",
    "relay": "api",
    "resume_flow": "api",
    "deadline": "clock",
    "send_email": "mail",
    "inbound_mail": "mail",
    "dashboard": "page",
}


@dataclass(frozen=True)
class Start:
    """Milliseconds of CPU of a function's import and of its first call, the same by boto3 and a client, and modules."""

    imported: float
    first: float
    ratio: float
    modules: Sequence[str]


def cold_starts(recording: Recording, port: int, rounds: int) -> dict[str, Start]:
    """Start each function so many times, alternating with boto3 and a client; raises ValueError for another answer."""
    ran: dict[str, list[tuple[float, float]]] = {name: [] for name in FUNCTIONS}
    modules: dict[str, Sequence[str]] = {}
    floors: list[float] = []
    # The first round writes bytecode.
    for number in range(rounds + 1):
        floor = _run(_common(recording, port))["import"]
        floors += [floor] if number else []
        for name in FUNCTIONS:
            found = _ran(recording, port, name)
            modules[name] = found["modules"]
            ran[name] += [(found["import"], found["first"])] if number else []
    # The least of all, as others on the machine only ever add.
    least = {name: min(runs, key=sum) for name, runs in ran.items()}
    return {name: Start(*taken, sum(taken) / min(floors), modules[name]) for name, taken in least.items()}


def imported(recording: Recording, port: int, function: str) -> Sequence[str]:
    """Return the modules that a function has imported when it has answered once."""
    modules: Sequence[str] = _ran(recording, port, function)["modules"]
    return modules


def _ran(recording: Recording, port: int, function: str) -> Any:
    invocation = next(one for one in recording.reviews[FUNCTIONS[function]] if one.function == function and one.calls)
    found = _run(_start(recording, port, invocation))
    answered = found["answered"]
    if any(invocation.result[name] != value for name, value in answered.items()):
        raise ValueError(f"{function} answered {answered}, not {invocation.result}")
    return found


def _common(recording: Recording, port: int) -> dict[str, Any]:
    settings = Settings(**{**recording.settings, "aws_client": "json"})
    environment = {**ENVIRONMENT, **settings.to_environment(), "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
    folders = [ROOT, ROOT / "layers/flow_hitl/python", sysconfig.get_path("purelib")]
    return {"path": [*map(str, folders)], "environment": {**environment, "PATH": os.environ["PATH"]}}


def _start(recording: Recording, port: int, invocation: Invocation) -> dict[str, Any]:
    return {
        **_common(recording, port),
        "function": invocation.function,
        "event": invocation.event,
        "now": invocation.now.isoformat(),
        "answers": [(made.operation, made.number) for made in invocation.calls],
        "others": recording.any_answer(),
    }


def _run(start: Mapping[str, Any]) -> Any:
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        json.dump(start, file)
        file.flush()
        command = [sys.executable, "-I", "-S", str(Path(__file__).with_name("cold_start.py")), file.name]
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise ValueError(done.stderr[-2000:])
    return json.loads(done.stdout.splitlines()[-1])
