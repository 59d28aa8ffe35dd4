"""`make demo`: the main path, unattended. A flow asks, a person answers by email, the flow resumes."""

import os
import signal
import smtplib
import subprocess
import sys
import tempfile
import threading
import time
from email.message import EmailMessage
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import requests

from infra.local.failure import StackFailed
from infra.local.patience import HANG_SECONDS
from infra.local.progress import Progress, fail
from infra.local.running import running_stack
from infra.local.state import ROOT, Credentials, emulator_log

FLOW = ROOT / "examples/plain_http/flow.py"
ANSWER = "Approved\n\nNice and clear. One thing: say that returns are free.\n"
LOG_LINES = 40


def main() -> int:
    """Run the demo; return 0 if the flow got the answer and resumed."""
    signal.signal(signal.SIGTERM, _interrupt)
    os.environ["NO_PROXY"] = ",".join(filter(None, [os.environ.get("NO_PROXY"), "127.0.0.1", "localhost"]))
    progress = Progress()
    progress.say("Flow HITL demo: a flow asks, a person answers by email, the flow resumes")
    try:
        with tempfile.TemporaryDirectory(prefix="flow-hitl-demo-") as directory:
            home = Path(directory)
            try:
                with running_stack(home) as stack:
                    _play(stack.credentials, progress)
            except StackFailed:
                _print_log(home)
                raise
    except StackFailed as error:
        return fail(str(error))
    except KeyboardInterrupt:
        return fail("Interrupted. Run `make demo` to start over.")
    progress.say("Done. Next: run `make local` to keep the stack running and try it yourself.")
    return 0


def _play(credentials: Credentials, progress: Progress) -> None:
    progress.say(f"Running the example flow, {FLOW.relative_to(ROOT)}")
    flow = subprocess.Popen(
        [sys.executable, "-u", str(FLOW)],
        env=os.environ
        | {
            "FLOW_HITL_URL": credentials.base_url,
            "FLOW_HITL_API_KEY": credentials.api_key,
            "PYTHONPATH": str(ROOT / "client"),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    printer = threading.Thread(target=_print_lines, args=(flow,), daemon=True)
    printer.start()
    try:
        mail = _wait_for_mail(credentials, flow, after=0)
        progress.say(f'Email to {mail["to"][0]}: "{mail["subject"]}"')
        _reply(credentials, mail)
        progress.say(f'{mail["to"][0]} replies by email: "{ANSWER.splitlines()[0]}"')
        code = flow.wait(HANG_SECONDS)
        printer.join(HANG_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise StackFailed("The flow did not resume after the reply; see the log above.") from error
    finally:
        if flow.poll() is None:
            flow.kill()
            flow.wait()
    if code != 0:
        raise StackFailed(f"The flow ended with exit code {code}; see its output above.")
    confirmation = _wait_for_mail(credentials, flow, after=1)
    progress.say(f'Email to {confirmation["to"][0]}: "{confirmation["subject"]}"')
    _print_timeline(credentials, progress)


def _wait_for_mail(credentials: Credentials, flow: "subprocess.Popen[str]", after: int) -> dict[str, Any]:
    """Return the email that follows the first `after` ones."""
    deadline = time.monotonic() + HANG_SECONDS
    while time.monotonic() < deadline:
        mails: list[dict[str, Any]] = _get(f"{credentials.base_url}/_local/mail")["mails"]
        if len(mails) > after:
            return mails[after]
        if flow.poll() not in (None, 0):
            break
        time.sleep(0.1)
    raise StackFailed(f"No email arrived within {HANG_SECONDS:.0f} s; see the log above.")


def _reply(credentials: Credentials, mail: dict[str, Any]) -> None:
    """Reply as a mail client does: to the Reply-To address, with the question quoted below."""
    reply = EmailMessage()
    reply["From"] = mail["to"][0]
    reply["To"] = mail["reply_to"]
    reply["Subject"] = f"Re: {mail['subject']}"
    reply.set_content(f"{ANSWER}\nOn Monday {mail['from']} wrote:\n> Please review this content\n")
    with smtplib.SMTP("127.0.0.1", credentials.smtp_port, timeout=HANG_SECONDS) as smtp:
        smtp.send_message(reply)


def _print_timeline(credentials: Credentials, progress: Progress) -> None:
    """Print each audit event of the request."""
    headers = {"Authorization": f"Bearer {credentials.api_key}"}
    (request,) = _get(f"{credentials.base_url}/v1/requests", headers)["requests"]
    timeline = _get(f"{credentials.base_url}/v1/requests/{request['id']}/timeline", headers)
    progress.say(f"The timeline of request {request['id']}:")
    for event in timeline["events"]:
        print(f"            {event['at']}  {event['kind']:<20} {_detail(event)}", flush=True)


def _detail(event: dict[str, Any]) -> str:
    """Return who did it, and the most telling of the event's data."""
    data = event["data"]
    told = [
        f"{name} {data[name]}"
        for name in ("assigned_to_email", "to", "outcome", "responded_via", "status")
        if data.get(name)
    ]
    return f"by {event['actor']}" + (f": {', '.join(told)}" if told else "")


def _get(url: str, headers: dict[str, str] | None = None) -> Any:
    answer = requests.get(url, headers=headers, timeout=HANG_SECONDS)
    answer.raise_for_status()
    return answer.json()


def _print_log(home: Path) -> None:
    """Print the end of the emulator's log, which is deleted with the demo's files."""
    log = emulator_log(home)
    if log.exists():
        print("\n".join(log.read_text(errors="replace").splitlines()[-LOG_LINES:]), file=sys.stderr)


def _print_lines(process: "subprocess.Popen[str]") -> None:
    for line in process.stdout or ():
        print(f"          {line}", end="", flush=True)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
