"""Other systems that keep a flow waiting for a person, and what a review takes of CPU in each of them.

Each is a program for an environment of its own, made from PyPI or npm where they can be reached.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

HERE = Path(__file__).parent
# Name, and what is installed for it.
PYTHON: Mapping[str, tuple[str, ...]] = {
    "langgraph": ("langgraph", "langgraph-checkpoint-sqlite", "aiosqlite"),
    "crewai": ("crewai",),
    "dbos": ("dbos",),
}
NPM = ("@restatedev/restate-server", "@restatedev/restate-sdk")
NAMES = ("restate", *PYTHON)


def install(folder: Path, say: Callable[[str], None]) -> list[str]:
    """Install each peer that is not there yet; return those that could be."""
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for name in NAMES:
        try:
            _install(folder / name, name)
            found.append(name)
        except (OSError, subprocess.SubprocessError) as error:
            shutil.rmtree(folder / name, ignore_errors=True)
            say(f"{name} cannot be installed and is left out: {error}")
    return found


def _install(folder: Path, name: str) -> None:
    if folder.exists():
        return
    if name == "restate":
        folder.mkdir()
        _call(["npm", "install", "--silent", "--no-audit", "--no-fund", *NPM], folder)
        return
    uv = str(Path(sys.executable).with_name("uv"))
    _call([uv, "venv", "-q", "--python", sys.executable, str(folder)])
    _call([uv, "pip", "install", "-q", "--python", str(folder / "bin/python"), *PYTHON[name]])


def _call(command: list[str], folder: Path | None = None) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=900)


def cpu(folder: Path, name: str, asked: str, warm: int = 5, count: int = 40) -> tuple[str, float]:
    """Return a peer's name with its version, and milliseconds of CPU per review."""
    python = sys.executable if name == "restate" else str(folder / name / "bin/python")
    command = [python, str(HERE / f"{name}_peer.py"), asked, str(warm), str(count), str(folder / name)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    said = json.loads(next(line for line in reversed(done.stdout.splitlines()) if line.startswith('{"system"')))
    return said["system"], said["cpu_ms"]
