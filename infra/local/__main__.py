"""`python -m infra.local`: the local stack in the foreground until Ctrl-C."""

import os
import signal
import sys
import traceback
from pathlib import Path
from types import FrameType
from typing import NoReturn

from infra.local.emulator import use_emulator_credentials
from infra.local.failure import StackFailed
from infra.local.progress import Progress, fail
from infra.local.state import claimed, credentials_path, local_home

HTTP_PORT = "8700"
SMTP_PORT = "8725"
ERRORS = "error.log"


class _Ended(Exception):
    """Ctrl-C or SIGTERM."""


def main() -> int:
    """Run the stack until a signal or until a part of it dies; return the exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    progress = Progress()
    home = local_home()
    use_emulator_credentials()
    try:
        with claimed(home):
            return _run(home, progress)
    except _Ended:
        return 0
    except StackFailed as error:
        return fail(str(error))
    except Exception as error:
        (home / ERRORS).write_text(traceback.format_exc())
        return fail(f"It failed: {type(error).__name__}: {error}. Start it again; see {home / ERRORS} for details.")


def _run(home: Path, progress: Progress) -> int:
    progress.say("Starting the local stack")
    # After the first line of progress: these imports take a second.
    from infra.local.deploy import DeploymentError
    from infra.local.stack import LocalStack, Ports

    try:
        ports = Ports(
            int(os.environ.get("FLOW_HITL_PORT", HTTP_PORT)), int(os.environ.get("FLOW_HITL_SMTP_PORT", SMTP_PORT))
        )
    except ValueError:
        return fail("FLOW_HITL_PORT and FLOW_HITL_SMTP_PORT must be numbers. Correct them and start again.")
    stack = LocalStack(home, ports, progress)
    try:
        credentials = stack.start()
        progress.say(f"Ready: the API at {credentials.base_url}, inbound SMTP at 127.0.0.1:{credentials.smtp_port}")
        progress.say(f"Mailbox: {credentials.base_url}/_local/   credentials: {credentials_path(home)}")
        progress.say("Press Ctrl-C to stop it; its requests, emails, and keys are deleted then")
        progress.say("Next: open the mailbox, or run `.venv/bin/flow-hitl doctor --local` in another terminal")
        stack.watch()
    except StackFailed as error:
        return fail(str(error))
    except DeploymentError as error:
        return fail(f"The stack was not created. Fix these resources and start it again:\n{error}")
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        progress.say("Stopping the local stack")
        stack.stop()
    return 0


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    raise _Ended


if __name__ == "__main__":
    sys.exit(main())
