"""The browser for `tests/browser`: found, or installed by apt-get as root."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

MISSING = (
    "The tests in tests/browser need Chromium or Chrome, and this machine has neither. "
    "Install one (on Debian: sudo apt-get install chromium), then run: make browser"
)
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_APPLICATIONS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
# Without a font a screenshot shows boxes.
_PACKAGES = ("chromium", "fonts-dejavu-core")


def find() -> str | None:
    """Return the path of a Chromium or Chrome, None where there is none."""
    return next((path for path in (*map(shutil.which, _NAMES), *_APPLICATIONS) if path and Path(path).exists()), None)


def main() -> int:
    """Find or install a browser; return the exit code."""
    if find() is not None:
        return 0
    if _may_install():
        _install()
    if find() is not None:
        return 0
    print(MISSING, file=sys.stderr)
    return 1


def _may_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def _install() -> None:
    started = time.monotonic()
    print("set-up: installing Chromium for the browser tests with apt-get (about 30 s) …", flush=True)
    quiet = ("apt-get", "--quiet=2", "-o=Dpkg::Use-Pty=0")
    for command in ([*quiet, "update"], [*quiet, "install", "--yes", "--no-install-recommends", *_PACKAGES]):
        if not _run(command):
            return
    print(f"set-up:   done after {time.monotonic() - started:.1f} s", flush=True)


def _run(command: Sequence[str]) -> bool:
    """Run a command; show its output if it fails."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode != 0:
        print(f"{done.stdout}\nset-up: this failed: {' '.join(command)}", file=sys.stderr)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
