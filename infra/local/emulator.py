"""The AWS emulator as a child process on 127.0.0.1, stopped with everything it started."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import urllib3

from flow_hitl.platform import aws
from infra.local.failure import StackFailed
from infra.local.patience import HANG_SECONDS
from infra.local.state import ROOT, emulator_log

REGION = "us-east-1"
STOP_SECONDS = 8.0
SERVICES = (
    "apigateway",
    "cloudformation",
    "cloudwatch",
    "dynamodb",
    "events",
    "iam",
    "kms",
    "lambda",
    "logs",
    "s3",
    "scheduler",
    "secretsmanager",
    "sns",
    "sqs",
    "ssm",
    "sts",
)
EDGE_SERVICES = ("acm", "route53", "ses")
"""What only the mail edge's template needs."""
BROKEN = "functions-that-do-not-load.json"


@dataclass(frozen=True)
class Packages:
    """What all functions run from: the directories of their code and layers, and the settings known before a deploy."""

    code: str
    layers: tuple[str, ...]
    environment: dict[str, str]


class Emulator:
    """One ministack, with its files in one directory that is emptied when it starts."""

    def __init__(
        self, home: Path, ses_endpoint_url: str | None, functions: Packages, services: Sequence[str] = SERVICES
    ) -> None:
        """Prepare an emulator with its files in `home`, whose functions mail by `ses_endpoint_url`, or by itself."""
        self._directory = home / "emulator"
        self._log = emulator_log(home)
        self._ses_endpoint_url = ses_endpoint_url
        self._functions = functions
        self._services = services
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint_url(self) -> str:
        """The URL of every service of the emulator."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start it; `wait` until it answers."""
        shutil.rmtree(self._directory, ignore_errors=True)
        self._directory.mkdir(parents=True)
        self._port = _free_port()
        with self._log.open("wb") as log:
            self._process = self._spawn(log)

    def wait(self) -> None:
        """Wait until it answers; raises StackFailed."""
        deadline = time.monotonic() + HANG_SECONDS
        pool = urllib3.PoolManager(retries=False, timeout=HANG_SECONDS)
        while time.monotonic() < deadline:
            self.check()
            try:
                if pool.request("GET", f"{self.endpoint_url}/_ministack/health").status == 200:
                    return
            except urllib3.exceptions.HTTPError:
                time.sleep(0.02)
        raise StackFailed(f"The emulator did not answer within {HANG_SECONDS:.0f} s; see the end of {self._log}.")

    def check(self) -> None:
        """Raise StackFailed if the process has ended."""
        if self._process is not None and self._process.poll() is not None:
            raise StackFailed(
                f"The emulator has stopped (exit code {self._process.returncode}). "
                f"Start the stack again; if it stops again, see the end of {self._log}."
            )

    def broken_functions(self) -> dict[str, str]:
        """Return why functions do not load, by module; empty before they were loaded, and where none are ahead."""
        report = self._directory / BROKEN
        return dict(json.loads(report.read_text())) if report.exists() else {}

    def stop(self) -> None:
        """Stop the emulator and its functions, and remove their files; do nothing if it never started."""
        if self._process is None:
            return
        # It leads its own session, so its process group is exactly what it started, functions included.
        group = self._process.pid
        _signal_group(group, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        _signal_group(group, signal.SIGKILL)
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process = None
        shutil.rmtree(self._directory, ignore_errors=True)

    def _spawn(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        order = {**vars(self._functions), "report": str(self._directory / BROKEN)}
        return subprocess.Popen(
            [str(_python()), str(Path(__file__).with_name("emulator_process.py")), json.dumps(order)],
            env=self._environment(),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=self._directory,
            start_new_session=True,
        )

    def _environment(self) -> dict[str, str]:
        """Return a clean environment: functions inherit it, and this machine's AWS configuration must not leak in."""
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self._directory),
            "LANG": "C.UTF-8",
            "TMPDIR": str(self._directory),
            "GATEWAY_PORT": str(self._port),
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_HOST": "127.0.0.1",
            "MINISTACK_REGION": REGION,
            "S3_DATA_DIR": str(self._directory / "s3"),
            "STATE_DIR": str(self._directory / "state"),
            # Functions act under their roles, so that a missing grant fails as it does on AWS.
            "AUTH": "true",
            "SERVICES": ",".join(self._services),
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "DOCKER_HOST": "unix:///nonexistent",
            "LAMBDA_ACCOUNT_CONCURRENCY": "500",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL_SESV2": self._ses_endpoint_url or self.endpoint_url,
            "PYTHONUNBUFFERED": "1",
        }


def use_emulator_credentials() -> None:
    """Point this process at the emulator: fixed credentials and region, no proxy, no profile, no earlier clients."""
    aws.client.cache_clear()
    aws.link_client.cache_clear()
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_CA_BUNDLE"):
        os.environ.pop(name, None)
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": ",".join(filter(None, [os.environ.get("NO_PROXY"), "127.0.0.1", "localhost"])),
    }


def function_python() -> str:
    """Return the version ("3.11") of the Python that runs the emulator and the functions; raises StackFailed."""
    command = [str(_python()), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    found = subprocess.run(command, check=False, capture_output=True, text=True)
    if found.returncode != 0:
        raise StackFailed("The emulator's Python does not run. Run `make clean setup`, then start again.")
    return found.stdout.strip()


def _python() -> Path:
    python = ROOT / ".venv-emulator/bin/python"
    if not python.exists():
        raise StackFailed("The emulator is not installed. Run `make setup`, then start again.")
    return python


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _signal_group(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        pass
    except PermissionError:
        # macOS raises this for a group whose only member is a zombie.
        if sys.platform != "darwin":
            raise
