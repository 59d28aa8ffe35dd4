"""The command `flow-hitl-client`."""

import argparse
import logging
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from flow_hitl_client.errors import FlowHitlClientError
from flow_hitl_client.journal import Journal

_NAME = "flow-hitl-client"
_CREWAI_MISSING = "crewai is not installed: pip install 'flow-hitl-client[crewai]'"


def main(arguments: Sequence[str] | None = None, name: str = _NAME) -> int:
    """Run the command under a name and return the exit code: 0, 1 on failure, 2 for wrong usage."""
    options = _parser(name).parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    try:
        code: int = options.run(options)
    except FlowHitlClientError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    return code


def _parser(name: str = _NAME) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=name,
        description="Resumes paused flows. Needs FLOW_HITL_URL and FLOW_HITL_API_KEY; FLOW_HITL_FLOWS is where paused "
        "flows are stored (default: ~/.flow-hitl/flows.db).",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    resume = commands.add_parser("resume", help="resume flows when people answer, until Ctrl-C")
    resume.add_argument("--app", required=True, help="my_flows:registry, or a module with flow classes")
    resume.add_argument("--store", help="the file with the paused flows")
    resume.add_argument("--concurrency", type=int, default=4, help="the most flows that run at once (default: 4)")
    resume.add_argument("--resume-url", help="where to push decisions of these flows' later review points")
    resume.add_argument("--once", action="store_true", help="resume what is decided now, then exit")
    resume.add_argument("--retry-failed", action="store_true", help="first retry all flows that failed to resume")
    resume.set_defaults(run=_resume)

    pending = commands.add_parser("pending", help="list the flows that wait for a person")
    pending.add_argument("--store", help="the file with the paused flows")
    pending.set_defaults(run=_pending)

    retry = commands.add_parser("retry", help="let a flow that failed to resume try again")
    retry.add_argument("request_id", nargs="?", help="the request whose flow failed (default: all)")
    retry.add_argument("--store", help="the file with the paused flows")
    retry.set_defaults(run=_retry)
    return parser


def _resume(options: argparse.Namespace) -> int:
    sys.path.insert(0, str(Path.cwd()))
    app = _load(options.app)
    resumer = _crewai_side().Resumer(
        app,
        store=options.store,
        resume_url=options.resume_url,
        concurrency=options.concurrency,
        say=lambda text: print(text, flush=True),
    )
    if options.retry_failed:
        resumer.retry()
    if options.once:
        print(f"{resumer.run_once()} flows resumed.")
        return 0

    def stop(number: int, _frame: Any) -> None:
        print("Stopping when the running flows are done. Press Ctrl-C again to stop now.", flush=True)
        signal.signal(number, signal.SIG_DFL)
        resumer.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print(f"Waiting for decisions for the flows in {resumer.journal.path}. Press Ctrl-C to stop.", flush=True)
    resumer.run()
    return 0


def _pending(options: argparse.Namespace) -> int:
    journal = Journal(options.store)
    waiting, cancelled = journal.open(), journal.cancelled()
    for pause in waiting:
        note = "" if pause.status == "asked" else "  (not asked yet)"
        print(f"{pause.request_id}  {pause.flow_class}.{pause.body['method_name']}  flow {pause.flow_id}{note}")
    print(f"{len(waiting)} review points wait for a person.")
    if cancelled:
        print(f"{len(cancelled)} were cancelled; their flows stay paused. Start a new flow if you still need one.")
    return 0


def _retry(options: argparse.Namespace) -> int:
    journal = Journal(options.store)
    ids = [options.request_id] if options.request_id else [pause.request_id for pause in journal.failed()]
    count = sum(journal.again(request_id) for request_id in ids)
    print(f"{count} flows will be resumed again by `flow-hitl-client resume`.")
    return 0 if count or not options.request_id else 1


def _crewai_side() -> Any:
    try:
        return import_module("flow_hitl_client.crewai.resumer")
    except ImportError as error:
        raise FlowHitlClientError(f"{_CREWAI_MISSING} ({error})") from error


def _load(path: str) -> Any:
    """Return what `module:attribute` names, or the module of `module`."""
    module_name, _, attribute = path.partition(":")
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and (module_name == error.name or module_name.startswith(f"{error.name}.")):
            raise FlowHitlClientError(f"--app {path}: there is no module {module_name} in {Path.cwd()}") from None
        if error.name == "crewai":
            raise FlowHitlClientError(_CREWAI_MISSING) from None
        raise
    if attribute and not hasattr(module, attribute):
        raise FlowHitlClientError(f"--app {path}: {module_name} has no {attribute}")
    return getattr(module, attribute) if attribute else module
