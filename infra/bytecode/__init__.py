"""Bytecode for the Python that runs in Lambda, whatever Python is on this machine.

Without it, each cold start compiles what it imports, and takes three to five times as long.
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from infra.node import node, npm

BUILD_DIRECTORY = Path(__file__).resolve().parent.parent.parent / ".build"
IN_NODE = ("3.13", "3.14")
"""The Pythons that run in Node, by the lock in this folder: Pyodide, from npm."""

_HERE = Path(__file__).resolve().parent
_LOCK = ("package.json", "package-lock.json")


def write_bytecode(python: str, directory: Path) -> None:
    """Add to a directory the bytecode of its modules for a Python such as "3.13".

    It does not depend on file times, which differ in Lambda. Raises RuntimeError if there is no such Python, here or
    from npm.
    """
    interpreter = find_interpreter(python)
    if interpreter is not None:
        run = [
            interpreter, "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash",
            "-s", str(directory), "-p", "/", str(directory),
        ]  # fmt: skip
    elif python in IN_NODE:
        run = [node(), str(_pyodide() / "compile.mjs"), python, str(directory)]
    else:
        raise RuntimeError(
            f"Python {python} is needed here, to write its bytecode. Install it, for example by `uv python install "
            f"{python}`, or choose one of {', '.join(IN_NODE)}: -c python={IN_NODE[0]}"
        )
    subprocess.run(run, check=True)


def find_interpreter(python: str) -> str | None:
    """Return the path of this machine's Python of a version, or None."""
    if python == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    from uv import find_uv_bin

    found = subprocess.run(
        [find_uv_bin(), "python", "find", "--no-config", "--system", "--no-python-downloads", python],
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip() or None


def _pyodide() -> Path:
    """Return the directory with Pyodide and the script that runs it; the first time, npm needs its registry."""
    script = "compile.mjs"
    digest = hashlib.sha256(b"".join((_HERE / name).read_bytes() for name in (*_LOCK, script)))
    made = BUILD_DIRECTORY / f"pyodide-{digest.hexdigest()[:16]}"
    if made.is_dir():
        return made
    print("Installing a Python that runs in Node, to write the bytecode …", file=sys.stderr)
    BUILD_DIRECTORY.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILD_DIRECTORY) as scratch:
        target = Path(scratch) / "pyodide"
        target.mkdir()
        for name in (*_LOCK, script):
            shutil.copy(_HERE / name, target / name)
        subprocess.run(
            [*npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
            cwd=target,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        try:
            target.rename(made)
        except OSError:
            # Another build was quicker.
            if not made.is_dir():
                raise
    return made
