"""`make load`: many requests on a local stack in trouble; exits with 0 if what came out is what went in.

`LOAD=500` sets how many; `LOAD_MINUTES=20` for how long requests are created at most.
"""

import os
import signal
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import NoReturn

from infra.local.emulator import use_emulator_credentials
from infra.local.failure import StackFailed
from infra.local.progress import Progress, fail
from infra.local.running import running_stack
from tests.e2e.local_client import LocalClient
from tests.load.books import tally
from tests.load.flow import waiting_flows
from tests.load.load import Load
from tests.load.trouble import Plan, Trouble, emulator_of, shorten_batches

NUMBER, MINUTES, SETTLE_MINUTES = "10000", "120", 30.0
PLAN = Plan(
    killed=("intake", "wait", "relay", "send_email", "inbound_mail", "respond", "resume_flow", "dashboard", "measure"),
    kill_every_seconds=4.0,
    throttled=0.2,
    away_seconds=60.0,
    again=0.1,
)


def main() -> int:
    """Run it; return the exit code."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        number, minutes = int(os.environ.get("LOAD") or NUMBER), float(os.environ.get("LOAD_MINUTES") or MINUTES)
    except ValueError:
        return fail("LOAD and LOAD_MINUTES must be numbers. Correct them and start again.")
    use_emulator_credentials()
    progress = Progress()
    try:
        with (
            tempfile.TemporaryDirectory(prefix="flow-hitl-load-") as directory,
            running_stack(Path(directory)) as stack,
        ):
            local = LocalClient(stack.home, stack.credentials)
            shorten_batches(local)
            with waiting_flows() as flows:
                trouble = Trouble(local, flows, PLAN, emulator_of(stack.process.pid))
                progress.say(f"Up to {number:,} requests, created for {minutes:g} minutes at most")
                load = Load(flows, trouble, number, 60 * minutes, 60 * SETTLE_MINUTES, progress.say)
                load()
                progress.say("Comparing what went in with what came out")
                counted = tally(load)
    except StackFailed as error:
        return fail(str(error))
    except KeyboardInterrupt:
        return fail("Interrupted. Run `make load` to start over.")
    sys.stdout.write(f"\n{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} processors\n\n{counted.written()}")
    if not counted.holds:
        return fail("What came out is not what went in; see the lines marked WRONG.")
    return 0


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
