"""Build the directories for Lambda without Docker, cached in `.build/` by the hash of their inputs."""

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from uv import find_uv_bin

from infra.bytecode import write_bytecode
from infra.options import Architecture

ROOT = Path(__file__).resolve().parent.parent
BUILD_DIRECTORY = ROOT / ".build"
_REQUIREMENTS = ROOT / "layers/dependencies/requirements.txt"

PLATFORMS: dict[Architecture, str] = {"arm64": "aarch64-manylinux_2_28", "x86_64": "x86_64-manylinux_2_28"}


@dataclass(frozen=True)
class Package:
    """A finished directory and the hash of its inputs."""

    path: Path
    digest: str


@dataclass(frozen=True)
class Packager:
    """Makes the packages for one Python version and architecture."""

    python: str
    architecture: Architecture
    for_host: bool = False

    def dependencies(self) -> Package:
        """Return the layer of locked third-party packages; the first time, `uv` needs the package index."""
        return self._package("dependencies", [_REQUIREMENTS], lambda target: self._install(target / "python"))

    def flow_hitl(self) -> Package:
        """Return the layer of our own code."""
        source = ROOT / "layers/flow_hitl/python"
        return self._package("flow_hitl", _files(source), lambda target: _copy(source, target / "python"))

    def functions(self) -> Package:
        """Return the one asset of all functions: the package `functions`, the templates, and `docs/`.

        The templates are there as Python modules, too.
        """
        names = ("functions", "templates", "docs")

        def fill(target: Path) -> None:
            for name in names:
                _copy(ROOT / name, target / name)
            # It imports what renders, which a command that finds everything built does not need.
            from flow_hitl.rendering.rendering import compile_templates

            compile_templates(target / "compiled_templates")

        files = [file for name in names for file in _files(ROOT / name)]
        # What compiles the templates.
        files += [_REQUIREMENTS, *_files(ROOT / "layers/flow_hitl/python/flow_hitl/rendering")]
        return self._package("functions", files, fill)

    def _package(self, name: str, inputs: Iterable[Path], fill: Callable[[Path], None]) -> Package:
        made_for = f"{self.python} {self.architecture} {self.for_host}"
        digest = hashlib.sha256(f"{name} {made_for}".encode())
        for path in (Path(__file__), *inputs):
            digest.update(f"\n{path.relative_to(ROOT)} ".encode() + hashlib.sha256(path.read_bytes()).digest())
        package = Package(BUILD_DIRECTORY / f"{name}-{digest.hexdigest()[:16]}", digest.hexdigest())
        if not package.path.exists():
            BUILD_DIRECTORY.mkdir(exist_ok=True)
            with tempfile.TemporaryDirectory(dir=BUILD_DIRECTORY) as scratch:
                target = Path(scratch) / name
                fill(target)
                write_bytecode(self.python, target)
                _publish(target, package.path)
        return package

    def _install(self, target: Path) -> None:
        platform = [] if self.for_host else ["--python-platform", PLATFORMS[self.architecture]]
        subprocess.run(
            [
                find_uv_bin(), "pip", "install", "--quiet", "--no-config", "--target", str(target),
                *platform, "--python-version", self.python,
                "--only-binary", ":all:", "--require-hashes", "--no-compile", "-r", str(_REQUIREMENTS),
            ],
            check=True,
        )  # fmt: skip
        # The packages' commands are not needed in Lambda, and name this machine's Python.
        shutil.rmtree(target / "bin", ignore_errors=True)


def _files(directory: Path) -> list[Path]:
    return sorted(path for path in directory.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "py.typed"))


def _publish(target: Path, path: Path) -> None:
    """Move the finished directory into place; another build may have been quicker."""
    try:
        target.rename(path)
    except OSError:
        if not path.is_dir():
            raise
