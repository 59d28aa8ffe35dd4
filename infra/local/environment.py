"""Set up the `.venv` folders from the locks, with nothing but Python's standard library."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from infra.local.progress import signs_of_life

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "requirements"
VENV = ROOT / ".venv"
EMULATOR_VENV = ROOT / ".venv-emulator"
MUTATION_VENV = ROOT / ".venv-mutation"
SITE_VENV = ROOT / ".venv-site"
SOURCES = (ROOT, ROOT / "layers/flow_hitl/python", ROOT / "client")
STAMP = "flow-hitl-stamp"
LOCK = ROOT / ".build/set-up.lock"

# On a slow machine and a slow network uv's own limits end what would have come.
PATIENT = {"UV_COMPILE_BYTECODE_TIMEOUT": "3600", "UV_HTTP_TIMEOUT": "600"}

COMMAND = """#!{python}
import sys

from infra.cli.main import main

sys.exit(main())
"""


class _SetUpFailed(Exception):
    """A command failed; the message names it, and its output stands above."""


def main(arguments: Sequence[str]) -> int:
    """Install what the profile needs, unless it is installed already; return the exit code."""
    profile, *rest = arguments or ["local"]
    if profile not in ("local", "dev", "mutation", "site", "crewai") or len(rest) > (profile == "crewai"):
        print(
            "usage: python -m infra.local.environment [local | dev | mutation | site | crewai [VERSION]]",
            file=sys.stderr,
        )
        return 2
    # Two commands at once (make -j, two terminals) must not build the same environment.
    LOCK.parent.mkdir(exist_ok=True)
    with LOCK.open("w") as lock:
        try:
            _wait_for(lock)
            if profile == "crewai":
                _set_up_crewai(*rest)
            elif profile == "mutation":
                _set_up_aside("mutation", MUTATION_VENV)
            elif profile == "site":
                _set_up_aside("site", SITE_VENV)
            else:
                _set_up(profile)
        except _SetUpFailed as error:
            print(f"set-up: {error}", file=sys.stderr)
            return 1
        except OSError as error:
            print(f"set-up: {error}. Run the same command again; what is installed is kept.", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("set-up: interrupted. Run the same command again; what is installed is kept.", file=sys.stderr)
            return 130
    return 0


def _wait_for(lock: IO[str]) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("set-up: waiting for another set-up of the same environments …", flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)


def _set_up(profile: str) -> None:
    started = time.monotonic()
    # What `dev` installs contains what `local` installs: who had the tools keeps them.
    if (_stamp(VENV) or "").startswith("dev "):
        profile = "dev"
    wanted = f"{profile} {_fingerprint('bootstrap', profile)}"
    if _stamp(VENV) != wanted:
        _make(VENV, f"installing requirements/{profile}.txt into .venv")
        _run([str(VENV / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
              "--require-hashes", "-r", str(REQUIREMENTS / "bootstrap.txt")])  # fmt: skip
        _sync(VENV, profile)
        _link_sources()
        _write_stamp(VENV, wanted)
        _say(started, "  done")
    _set_up_aside("emulator", EMULATOR_VENV)


def _set_up_crewai(version: str | None = None) -> None:
    """Install a crewai, by default the newest supported one, into its own environment: it takes a gigabyte."""
    name = f"crewai-{version}" if version else "crewai"
    if not (REQUIREMENTS / f"{name}.txt").exists():
        known = ", ".join(sorted(path.stem.removeprefix("crewai-") for path in REQUIREMENTS.glob("crewai-*.txt")))
        raise _SetUpFailed(f"there is no lock for crewai {version}; use CREWAI={known}, or leave it out for the newest")
    if sys.version_info >= (3, 14):
        raise _SetUpFailed("crewai needs Python 3.10 to 3.13: make PYTHON=python3.13 …")
    _set_up_aside(name, ROOT / f".venv-{name}")


def _set_up_aside(lock: str, venv: Path) -> None:
    """Install a lock into an environment of its own, which holds nothing else."""
    started = time.monotonic()
    if _stamp(venv) != (wanted := _fingerprint(lock)):
        _make(venv, f"installing requirements/{lock}.txt into {venv.name}", pip=False)
        _sync(venv, lock)
        _write_stamp(venv, wanted)
        _say(started, "  done")


def _make(venv: Path, what: str, *, pip: bool = True) -> None:
    print(f"set-up: {what} …", flush=True)
    if not (venv / "bin/python").exists():
        shutil.rmtree(venv, ignore_errors=True)
        _run([sys.executable, "-m", "venv", *([] if pip else ["--without-pip"]), str(venv)])


def _sync(venv: Path, lock: str) -> None:
    """Install exactly the lock's packages; `uv` takes seconds for it."""
    _run([str(VENV / "bin/uv"), "pip", "sync", "--quiet", "--require-hashes", "--compile-bytecode",
          "--python", str(venv / "bin/python"), str(REQUIREMENTS / f"{lock}.txt")])  # fmt: skip


def _link_sources() -> None:
    """Let `.venv` import this repository's code and run its command, without building a package."""
    packages = next((VENV / "lib").glob("python3*/site-packages"))
    (packages / "flow_hitl_sources.pth").write_text("".join(f"{source}\n" for source in SOURCES))
    command = VENV / "bin/flow-hitl"
    command.write_text(COMMAND.format(python=VENV / "bin/python"))
    command.chmod(0o755)


def _fingerprint(*locks: str) -> str:
    digest = hashlib.sha256(f"{sys.version_info[:2]} {ROOT}".encode() + Path(__file__).read_bytes())
    for lock in locks:
        digest.update(f"\n{lock}\n".encode() + (REQUIREMENTS / f"{lock}.txt").read_bytes())
    return digest.hexdigest()


def _stamp(venv: Path) -> str | None:
    path = venv / STAMP
    return path.read_text() if path.exists() else None


def _write_stamp(venv: Path, fingerprint: str) -> None:
    (venv / STAMP).write_text(fingerprint)


def _run(command: Sequence[str]) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    environment = PATIENT | environment
    with signs_of_life(lambda text: print(f"set-up: {text}", flush=True)):
        code = subprocess.run(command, env=environment, cwd=ROOT, check=False).returncode
    if code != 0:
        raise _SetUpFailed(
            f"this command failed, see above: {' '.join(command)}\nset-up: run the same make command again."
        )


def _say(started: float, text: str) -> None:
    print(f"set-up: {text} after {time.monotonic() - started:.1f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
