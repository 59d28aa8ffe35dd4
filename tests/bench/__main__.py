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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from infra.local.hitl_fixture import hitl_on_moto
from tests.bench import peers
from tests.bench.cold import FUNCTIONS, ROOT, Start, cold_starts
from tests.bench.local import ANSWERS, LocalStack, measure_local_stack
from tests.bench.prices import AS_OF, PRICES, dollars_per_million
from tests.bench.recording import ASKED, Invocation, Recording, record
from tests.bench.replay import Cpu, measure, replaying
from tests.support.growth_bounds import FEW, MANY, Compared, compared
from tests.support.prices import Spent
from tests.support.quiet import quiet
from tests.support.waiting import WAYS, an_hour_of

PAGE = ROOT / "docs/performance.md"
PEERS = ROOT / ".build/bench-peers"
LIGHT = ("intake", "respond", "relay", "resume_flow", "deadline")


@dataclass(frozen=True)
class Row:
    """A figure, what it is to be at most (None: it has no goal), and what stands between it and less."""

    name: str
    value: float
    goal: float | None
    between: str
    digits: int = 2

    @property
    def is_met(self) -> bool:
        return self.goal is None or round(self.value, self.digits) <= self.goal

    def __str__(self) -> str:
        goal, met = ("–", "–") if self.goal is None else (f"{self.goal:g}", "yes" if self.is_met else "no")
        return f"| {self.name} | {self.value:.{self.digits}f} | {goal} | {met} | {self.between} |"


@dataclass(frozen=True)
class Measured:
    """All that was measured; `local` is None where there can be no local stack.

    `others` are the systems that could be installed, of those that were `wanted`.
    """

    recording: Recording
    ours: dict[str, Cpu]
    others: dict[str, float]
    wanted: bool
    cold: dict[str, Start]
    waiting: dict[str, Spent]
    growth: Compared
    local: LocalStack | None


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


def recorded(port: int, file: Path) -> Recording:
    """Record the reviews, and hand their answers to the server at the port."""
    with quiet():
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
                with quiet():
                    measured.append(measure(replay, recording.reviews[name]))
            for peer in found:
                try:
                    system, milliseconds = peers.cpu(PEERS, peer, asked)
                    others.setdefault(system, []).append(milliseconds)
                except (subprocess.SubprocessError, StopIteration) as error:
                    say(f"{peer} did not run and is left out: {error}")
    # What else the machine does only adds.
    least = {
        name: Cpu(
            min(one.milliseconds for one in each),
            min(one.floor for one in each),
            statistics.median(one.ratio for one in each),
        )
        for name, each in ours.items()
    }
    return least, {name: min(each) for name, each in others.items()}


def an_hour_of_each() -> dict[str, Spent]:
    """Return what an hour takes of each way to wait."""
    found = {}
    for way in WAYS:
        with hitl_on_moto() as hitl:
            found[way] = an_hour_of(way, hitl)
    return found


def resumption(recording: Recording) -> tuple[list[Invocation], list[str]]:
    """Return the functions that run between an answer and its POST, and the calls that they make until then."""
    review = recording.reviews["api"]
    answered = next(number for number, one in enumerate(review) if one.function == "respond")
    resumed = next(number for number, one in enumerate(review) if one.before_post is not None)
    last = review[resumed]
    # The relay's message is what starts it.
    sent = next(made.operation for made in review[resumed - 1].calls if made.operation == "SendMessage")
    return review[answered + 1 : resumed + 1], [sent, *(made.operation for made in last.calls[: last.before_post])]


def rows(measured: Measured) -> Iterator[Row]:
    """Yield the figures that can be measured here, and their goals."""
    recording, ours, others, cold = measured.recording, measured.ours, measured.others, measured.cold
    work = "the socket, signature, and JSON of each call, a third; the POST to the flow, an eighth; our own rules"
    for name, milliseconds in others.items():
        if name.startswith("Restate"):
            yield Row(f"CPU of a review by API, × {name}", ours["api"].milliseconds / milliseconds, 0.4, work)
    least = min(others.values(), default=None)
    if least:
        yield Row("CPU of a review by API, × the cheapest peer", ours["api"].milliseconds / least, 1.0, work)
    yield Row("CPU of a review by API, × bare boto3", ours["api"].ratio, 0.5, work)
    mail = "the socket, signature, and JSON of each call, a quarter; two emails rendered, a fifth; our own rules"
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
    before = next(one.before_post for one in recording.reviews["api"] if one.before_post is not None)
    hops = ", ".join(one.function for one in resumption(recording)[0])
    so_far = f"the claim, and all that the POST needs in one read; the functions on the way: {hops}"
    yield Row("AWS calls of a resumption before its POST", before, 2, so_far, 0)
    runs = "the function runs while the call waits"
    ways: Sequence[tuple[str, float | None, str]] = (
        ("client.wait_for", 0.002, f"the first two minutes, in which {runs}"),
        ("the feed", 0.002, f"the first two minutes, in which {runs}"),
        ("?wait=20", None, f"{runs}: pause between two calls as our client does"),
    )
    for way, limit, between in ways:
        yield Row(f"$ for an hour of waiting, {way}", measured.waiting[way].dollars, limit, between, 4)
    more = f"items that any page or call reads more of {MANY:,} requests than of {FEW:,}, or than its bound"
    yield Row(more, measured.growth.most_items_more, 0, "nothing", 0)
    if measured.local is not None:
        local = measured.local
        yield Row(
            "local stack: seconds until it is ready",
            local.ready,
            6,
            "the imports of the emulator and of its warm worker, and the template",
            1,
        )
        yield Row("local stack: MiB when idle", local.idle, 350, "the emulator, and the functions that start ahead", 0)
        answers = f"local stack: seconds of its first {ANSWERS} answers at once"
        yield Row(answers, local.answers, 1, "the CPU of these runs of respond, and of the emulator")


def page(measured: Measured, found: Sequence[Row]) -> str:
    """Return docs/performance.md."""
    recording, ours, others, cold = measured.recording, measured.ours, measured.others, measured.cold
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
        "cold start by `tests/test_cold_start.py`, as counts; waiting by `tests/requests/test_waiting_price.py`,",
        "growth by `tests/test_growth.py`, and idle memory by `tests/e2e/test_local_idle.py`.",
        *(["", "The local stack could not be measured here."] if measured.local is None else []),
        "",
        "## CPU of a review",
        "A request of about 1 KB is opened, answered, and its flow resumed. Ours runs the recorded handlers against an",
        "AWS that answers at once; the floor is a bare boto3 client that makes the same calls. Peers keep the same",
        "pause: in SQLite, or in a server of their own. All processes of a system share one processor, and each figure",
        "is the least of all rounds: what else the machine does only adds. Ratios to boto3 are medians of rounds",
        "side by side.",
        "",
        "| system | ms of CPU |",
        "|---|---|",
        *(
            f"| Flow HITL, by {how} | {ours[name].milliseconds:.1f} |"
            for name, how in (("api", "API"), ("mail", "email"))
        ),
        *(f"| bare boto3, by {how} | {ours[name].floor:.1f} |" for name, how in (("api", "API"), ("mail", "email"))),
        *(f"| {name} | {milliseconds:.1f} |" for name, milliseconds in sorted(others.items(), key=lambda one: one[1])),
        *no_others(others, wanted=measured.wanted),
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
    functions, calls = resumption(recording)
    lines += [
        f"From an answer to its POST: {' and '.join(one.function for one in functions)}, with {', '.join(calls)}.",
        "",
    ]
    listed = ", ".join(f"{name} {price:g}" for name, price in PRICES.items())
    lines += [
        f"Prices in dollars per million ({AS_OF}): {listed}.",
        "Not in it: SES, Lambda's memory and time, and the share of the figures and of the sweep, which run every five",
        "minutes.",
        "",
        "## An hour of waiting",
        "For one flow; the feed is for all flows of a worker. [Waiting](flows/waiting.md) says what each way is for.",
        "",
        "| way | calls | seconds of the function | reads | $ |",
        "|---|---|---|---|---|",
        *(
            f"| {way} | {one.calls} | {one.seconds:.0f} | {one.reads} | {one.dollars:.4f} |"
            for way, one in measured.waiting.items()
        ),
        "",
        "## Growth",
        f"Each page and call was measured with {FEW:,} and with {MANY:,} requests. Of these figures,",
        f"{len(measured.growth.same)} must be the same, and {len(measured.growth.bounded)} below a bound.",
        "[Growth](growth.md) has the figures up to a million requests.",
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


def no_others(others: Mapping[str, float], *, wanted: bool) -> list[str]:
    """Return the lines that say why there are no other systems, none where there are some."""
    if others:
        return []
    return ["", "No peer could be installed." if wanted else "The other systems were left out."]


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


@contextmanager
def on_one_processor() -> Iterator[None]:
    """Keep this process and those that it starts on one processor.

    To wake another one for each answer takes the longer the busier the machine is, and some systems do it more often.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    all_of_them = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(all_of_them)})
    yield
    os.sched_setaffinity(0, all_of_them)


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument(
        "--rounds", type=int, default=5, help="how often each system is measured (default: %(default)s)"
    )
    parser.add_argument(
        "--cold-rounds", type=int, default=5, help="how often each function starts (default: %(default)s)"
    )
    parser.add_argument("--no-peers", action="store_true", help="leave the other systems out")
    parser.add_argument("--no-local", action="store_true", help="leave the local stack out")
    options = parser.parse_args()
    found = [] if options.no_peers else peers.install(PEERS, say)
    with ExitStack() as server:
        with on_one_processor():
            port, file = server.enter_context(instant_aws())
            recording = recorded(port, file)
            ours, others = cpu_of_all(recording, port, found, options.rounds)
        cold = cold_starts(recording, port, options.cold_rounds)
    local = None if options.no_local else measure_local_stack(say)
    with quiet():
        wanted = not options.no_peers
        measured = Measured(recording, ours, others, wanted, cold, an_hour_of_each(), compared(), local)
    figures = list(rows(measured))
    text = page(measured, figures)
    PAGE.write_text(text, encoding="utf-8")
    say(text)
    missed = [row.name for row in figures if not row.is_met]
    if missed:
        say(f"Missed: {'; '.join(missed)}.")
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
