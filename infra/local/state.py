"""The files in `.local/`: how other programs find the running stack and call it."""

import fcntl
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from infra.local.failure import StackFailed

ROOT = Path(__file__).resolve().parents[2]
HOME_VARIABLE = "FLOW_HITL_HOME"


@dataclass(frozen=True)
class Credentials:
    """`.local/credentials.json`, by the contract: what a flow or a test needs to use the stack."""

    base_url: str
    smtp_port: int
    inbound_domain: str
    deployment_id: int
    organization_id: int
    api_key: str
    resume_signing_secret: str
    manager_email: str


@dataclass(frozen=True)
class Operator:
    """`.local/operator.json`: what the operator's commands need to reach the emulated AWS account."""

    endpoint_url: str
    region: str
    stack_name: str
    outputs: dict[str, str]


def local_home(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the directory of the local stack's files: `FLOW_HITL_HOME`, else `.local` in the repository."""
    return Path(environ.get(HOME_VARIABLE) or ROOT / ".local").resolve()


@contextmanager
def claimed(home: Path) -> Iterator[None]:
    """Claim `home` for one stack and remove an earlier one's files; raises StackFailed if it is claimed."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StackFailed(
                f"Another local stack is running in {home}. Stop it, or set {HOME_VARIABLE} to another folder."
            ) from error
        _forget(home)
        try:
            yield
        finally:
            _forget(home)


def credentials_path(home: Path) -> Path:
    """Return the path of the credentials, which exist while the stack is ready."""
    return home / "credentials.json"


def operator_path(home: Path) -> Path:
    """Return the path of the operator's file, which exists while the stack is ready."""
    return home / "operator.json"


def emulator_log(home: Path) -> Path:
    """Return the path of the emulator's log, which holds the functions' logs too."""
    return home / "emulator.log"


def write_state(path: Path, content: Credentials | Operator) -> None:
    """Write the file whole or not at all, readable by its owner only."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}-", delete=False) as file:
        # The temporary file already has mode 0600.
        json.dump(asdict(content), file, indent=2)
        file.write("\n")
    Path(file.name).replace(path)


def read_operator(home: Path) -> Operator:
    """Return what a running stack wrote; raises FileNotFoundError if none runs."""
    return Operator(**json.loads(operator_path(home).read_text()))


def read_credentials(home: Path) -> Credentials:
    """Return what a running stack wrote; raises FileNotFoundError if none runs."""
    return Credentials(**json.loads(credentials_path(home).read_text()))


def _forget(home: Path) -> None:
    for path in (credentials_path(home), operator_path(home)):
        path.unlink(missing_ok=True)
