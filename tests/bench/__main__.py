"""`make bench`: measures, prints one table, and writes it into docs/performance.md; exit code 1 if a goal is missed."""

import argparse
import base64
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.bench import peers
from tests.bench.cold import FUNCTIONS, ROOT, Start, cold_starts
from tests.bench.prices import AS_OF, PRICES, dollars_per_million
from tests.bench.recording import ASKED, Recording, record
from tests.bench.replay import Cpu, measure, replaying

PAGE = ROOT / "docs/performance.md"
PEERS = ROOT / ".build/bench-peers"
LIGHT = ("intake", "respond", "relay", "resume_flow", "deadline")


@dataclass(frozen=True)
class Row:
    """A figure, what it is to be at most, and what stands between it and less."""

    name: str
    value: float
    goal: float
    between: str
    digits: int = 2

    @property
    def is_met(self) -> bool:
        return round(self.value, self.digits) <= self.goal

    def __str__(self) -> str:
        met = "yes" if self.is_met else "no"
        return f"| {self.name} | {self.value:.{self.digits}f} | {self.goal:g} | {met} | {self.between} |"


@contextmanager
def instant_aws() -> Iterator[tuple[int, Path]]:
    """Run the AWS that answers at once; yields its port, and the file for its answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "answers.json"
        command = [sys.executable, str(Path(__file__).with_name("instant_aws.py")), str(port), str(file)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
            try:
                assert server.stdout is not None
                server.stdout.readline()
                yield port, file
            finally:
                server.kill()


@contextmanager
def _quiet() -> Iterator[None]:
    """Drop what is printed, as handlers print their metrics."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        yield


def recorded(port: int, file: Path) -> Recording:
    """Record the reviews, and hand their answers to the server at the port."""
    with _quiet():
        recording = record(f"http://127.0.0.1:{port}/resume")
    answers = [base64.b64encode(made.body).decode() for made in recording.made]
    file.write_text(json.dumps(answers), encoding="utf-8")
    return recording


def cpu_of_all(
    recording: Recording, port: int, found: Sequence[str], rounds: int
) -> tuple[dict[str, Cpu], dict[str, float]]:
    """Return the CPU of our reviews and of the peers' in milliseconds, each measured in every round."""
    ours: dict[str, list[Cpu]] = {"api": [], "mail": []}
    others: dict[str, list[float]] = {}
    asked = json.dumps({"flow_id": ASKED["flow_id"], "message": ASKED["message"], "state": dict(ASKED["state"])})
    with replaying(recording, port) as replay:
        for _ in range(rounds):
            for name, measured in ours.items():
                with _quiet():
                    measured.append(measure(replay, recording.reviews[name]))
            for peer in found:
                try:
                    system, milliseconds = peers.cpu(PEERS, peer, asked)
                    others.setdefault(system, []).append(milliseconds)
                except (subprocess.SubprocessError, StopIteration) as error:
                    say(f"{peer} did not run and is left out: {error}")
    middle = {
        name: Cpu(
            *(
                statistics.median(column)
                for column in zip(*((c.milliseconds, c.floor, c.ratio) for c in each), strict=True)
            )
        )
        for name, each in ours.items()
    }
    return middle, {name: statistics.median(each) for name, each in others.items()}


def rows(recording: Recording, ours: dict[str, Cpu], others: dict[str, float], cold: dict[str, Start]) -> Iterator[Row]:
    """Yield the goals that can be measured here."""
    work = "reading and writing JSON, signing, and the socket of each call; then our own rules"
    for name, milliseconds in others.items():
        if name.startswith("Restate"):
            yield Row(f"CPU of a review by API, × {name}", ours["api"].milliseconds / milliseconds, 0.4, work)
    least = min(others.values(), default=None)
    if least:
        yield Row("CPU of a review by API, × the cheapest peer", ours["api"].milliseconds / least, 1.0, work)
    yield Row("CPU of a review by API, × bare boto3", ours["api"].ratio, 0.5, work)
    mail = "two emails rendered and written, one read and parsed"
    yield Row("CPU of a review by email, × bare boto3", ours["mail"].ratio, 0.5, mail)
    for name, calls, units, dollars in (("api", 10, 30, 25), ("mail", 22, 42, 40)):
        review, (writes, reads) = recording.reviews[name], recording.units[name]
        how = {"api": "API", "mail": "email"}[name]
        count = sum(len(one.calls) for one in review)
        read = "each step reads what it decides on and writes once; what is left is reading before the resumption"
        yield Row(f"AWS calls of a review by {how}", count, calls, read, 0)
        write = "each step's transaction, billed twice, with its index entries; effect records"
        yield Row(f"write units of a review by {how}", writes, units, write, 0)
        price = sum(dollars_per_million(review, writes, reads).values())
        yield Row(f"$ per million reviews by {how}, without SES", price, dollars, "the write units", 1)
    heavy = {
        "send_email": "Jinja, Markdown and its sanitizer, and pydantic's models",
        "inbound_mail": "pydantic's models, and the email package",
        "dashboard": "Jinja, Markdown and its sanitizer, pydantic's models, and every page's module",
    }
    for name in FUNCTIONS:
        goal = 1.0 if name in LIGHT else 1.3
        between = heavy.get(name, "pydantic's models" if name != "relay" else "the logger")
        yield Row(f"cold start of {name}, × boto3 + client", cold[name].ratio, goal, between)


def page(
    recording: Recording, ours: dict[str, Cpu], others: dict[str, float], cold: dict[str, Start], found: Sequence[Row]
) -> str:
    """Return docs/performance.md."""
    now = datetime.now(UTC)
    lines = [
        "# Performance",
        "",
        "Written by `make bench`. CPU times of a shared machine move by a factor of two within minutes: only ratios",
        "count, and both sides of each were measured in one run, taking turns. Where others load the machine,",
        "these move by a third, too: a goal that is met or missed by less is open.",
        "",
        f"Measured on {now:%Y-%m-%d at %H:%M} UTC: {machine()}.",
        "",
        "## Goals",
        "| figure | measured | at most | met | what stands between it and less |",
        "|---|---|---|---|---|",
        *map(str, found),
        "",
        "Calls and write units are asserted by `tests/test_hot_path.py` and `tests/test_write_units.py`, imports of a",
        "cold start by `tests/test_cold_start.py`, as counts. What waiting costs is in [waiting](flows/waiting.md).",
        "",
        "## CPU of a review",
        "A request of about 1 KB is opened, answered, and its flow resumed. Ours runs the recorded handlers against an",
        "AWS that answers at once; the floor is a bare boto3 client that makes the same calls. Peers keep the same",
        "pause: in SQLite, or in a server of their own.",
        "",
        "| system | ms of CPU |",
        "|---|---|",
        *(
            f"| Flow HITL, by {how} | {ours[name].milliseconds:.1f} |"
            for name, how in (("api", "API"), ("mail", "email"))
        ),
        *(f"| bare boto3, by {how} | {ours[name].floor:.1f} |" for name, how in (("api", "API"), ("mail", "email"))),
        *(f"| {name} | {milliseconds:.1f} |" for name, milliseconds in sorted(others.items(), key=lambda one: one[1])),
        *(["", "No peer could be installed."] if not others else []),
        "",
        "## What a review calls",
    ]
    for name, how in (("api", "API"), ("mail", "email")):
        review, (writes, reads) = recording.reviews[name], recording.units[name]
        dollars = dollars_per_million(review, writes, reads)
        lines += [
            f"By {how}: {writes} write units, {reads:g} read units.",
            "",
            "| function | AWS calls |",
            "|---|---|",
            *(f"| {one.function} | {', '.join(made.operation for made in one.calls) or 'none'} |" for one in review),
            "",
            "Dollars per million: "
            + ", ".join(f"{what} {price:.2f}" for what, price in dollars.items())
            + f"; in all {sum(dollars.values()):.2f}.",
            "",
        ]
    listed = ", ".join(f"{name} {price:g}" for name, price in PRICES.items())
    lines += [
        f"Prices in dollars per million ({AS_OF}): {listed}.",
        "Not in it: SES, Lambda's memory and time, and the share of the figures and of the sweep, which run every five",
        "minutes.",
        "",
        "## Cold starts",
        "A fresh process imports the function and answers once: CPU in milliseconds, least of all rounds, with",
        "bytecode; modules are what it has imported then, of all packages.",
        "",
        "| function | import | first call | × boto3 + client | modules |",
        "|---|---|---|---|---|",
        *(
            f"| {name} | {one.imported:.0f} | {one.first:.0f} | {one.ratio:.2f} | {len(one.modules)} |"
            for name, one in cold.items()
        ),
        "",
    ]
    return "\n".join(lines)


def machine() -> str:
    """Return what this was measured on."""
    model = ""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        named = (line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line)
        model = next(named, "")
    load = os.getloadavg()[0]
    processors = f"{os.cpu_count()} processors{f' ({model})' if model else ''}, {platform.machine()}"
    return f"{processors}, Python {platform.python_version()}, load {load:.1f}"


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument(
        "--rounds", type=int, default=3, help="how often each system is measured (default: %(default)s)"
    )
    parser.add_argument(
        "--cold-rounds", type=int, default=5, help="how often each function starts (default: %(default)s)"
    )
    parser.add_argument("--no-peers", action="store_true", help="leave the other systems out")
    options = parser.parse_args()
    found = [] if options.no_peers else peers.install(PEERS, say)
    with instant_aws() as (port, file):
        recording = recorded(port, file)
        ours, others = cpu_of_all(recording, port, found, options.rounds)
        cold = cold_starts(recording, port, options.cold_rounds)
    figures = list(rows(recording, ours, others, cold))
    text = page(recording, ours, others, cold, figures)
    PAGE.write_text(text, encoding="utf-8")
    say(text)
    missed = [row.name for row in figures if not row.is_met]
    if missed:
        say(f"Missed: {'; '.join(missed)}.")
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
