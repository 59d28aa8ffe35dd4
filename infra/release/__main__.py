"""`make release`: everything of a release into `.build/release`; `python -m infra.release version` prints which."""

import hashlib
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from infra.app import prepare_process
from infra.packaging import BUILD_DIRECTORY, ROOT
from infra.release.changelog import NotReady

_TARGET = BUILD_DIRECTORY / "release"


def main(arguments: Sequence[str]) -> int:
    """Build the release, or print its version; return the exit code."""
    # What builds it imports handlers, for their routes.
    prepare_process()
    from infra.release.build import build, prepare, version_of

    try:
        if list(arguments) == ["version"]:
            print(version_of(ROOT))
            return 0
        release = prepare(ROOT)
        print(f"Building {release.version} of {release.day}; the first time, packages come from PyPI …", flush=True)
        BUILD_DIRECTORY.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=BUILD_DIRECTORY) as scratch:
            made = Path(scratch, "release")
            made.mkdir()
            names = [path.name for path in build(ROOT, release, made)]
            shutil.rmtree(_TARGET, ignore_errors=True)
            made.rename(_TARGET)
    except NotReady as error:
        print(f"Nothing was released. {error}", file=sys.stderr)
        return 1
    _tell(release.version, names)
    return 0


def _tell(version: str, names: Sequence[str]) -> None:
    width = max(map(len, names))
    for name in names:
        content = (_TARGET / name).read_bytes()
        print(f"{name.ljust(width)}  {len(content) / 1024:>9,.1f} KB  {hashlib.sha256(content).hexdigest()[:16]}")
    print(
        f"\nIn {_TARGET.relative_to(ROOT)}; nothing was uploaded.\n"
        f"Next: git tag v{version}, publish the files, and for a launch without CDK see docs/deploy.md."
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
