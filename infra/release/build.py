"""Build everything of a release from the commit that is checked out; nothing is uploaded."""

import hashlib
import json
import os
import subprocess
import tarfile
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import get_args

from uv import find_uv_bin

from infra.app import synthesise
from infra.linting import findings, unaccepted
from infra.local.environment import SITE_VENV
from infra.options import Architecture, Options
from infra.packaging import ROOT, Packager
from infra.release import template
from infra.release.archive import write_files, write_zip
from infra.release.changelog import NotReady, Release, read_release
from infra.release.sbom import Component, bill

STAGES = ("production", "evaluation")
SUMS = "SHA256SUMS"
_LOCK = "layers/dependencies/requirements.txt"
_DEPENDENCIES, _OURS, _FUNCTIONS, _EDGE = "layer-dependencies", "layer-flow-hitl.zip", "functions.zip", "mail-edge.zip"
_SITE = "docs-site.zip"


def version_of(root: Path) -> str:
    """Return the version in both pyproject.toml; raises NotReady if they differ."""
    found = {
        str(tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]["version"])
        for folder in (root, root / "client")
    }
    if len(found) != 1:
        raise NotReady(f"pyproject.toml and client/pyproject.toml have two versions: {', '.join(sorted(found))}.")
    return found.pop()


def prepare(root: Path) -> Release:
    """Return what is to be released; raises NotReady that says what to do first."""
    version = version_of(root)
    release = read_release((root / "CHANGELOG.md").read_text("utf-8"), version)
    if not (root / f"tests/releases/{version}.json").exists():
        raise NotReady(f"Later releases must not break this one: run `make freeze`, and commit {version}.json.")
    changed = _git(root, "status", "--porcelain").decode().splitlines()
    if changed:
        raise NotReady(f"A release is a commit, and these files differ from it: {', '.join(changed)}")
    return release


def build(root: Path, release: Release, target: Path) -> Sequence[Path]:
    """Fill an empty directory and return its files; the same commit gives the same bytes on the same machine.

    The first time, `uv` needs the package index. Raises NotReady.
    """
    build_wheels(root, release, target)
    assets, components = _archives(root, release, target)
    _templates(release, target, assets)
    build_site(root, release.epoch, target / _SITE)
    _write_json(target / "sbom.cdx.json", bill(release, components, (root / _LOCK).read_text("utf-8")))
    (target / "NOTES.md").write_text(f"# Flow HITL {release.version}, {release.day}\n\n{release.notes}\n", "utf-8")
    files = sorted(target.iterdir())
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    (target / SUMS).write_text("".join(sums), "utf-8")
    return [*files, target / SUMS]


def build_wheels(root: Path, release: Release, target: Path) -> None:
    """Build the wheels of the service's tools and of the client, from the commit alone."""
    with tempfile.TemporaryDirectory() as scratch:
        # The build leaves files where it runs, and would take up others.
        with tarfile.open(fileobj=BytesIO(_git(root, "archive", "HEAD"))) as archive:
            archive.extractall(scratch, filter="data")
        for folder in (Path(scratch), Path(scratch, "client")):
            build_wheel(folder, release.epoch, target)


def build_wheel(source: Path, epoch: int, target: Path) -> None:
    """Build the wheel of a folder, by the locked builder; its files have the time of the release."""
    locked = ["--require-hashes", "--build-constraints", str(ROOT / "requirements/build.txt")]
    subprocess.run(
        [find_uv_bin(), "build", "--quiet", "--no-config", "--wheel", "--out-dir", target, *locked, source],
        env=os.environ | {"SOURCE_DATE_EPOCH": str(epoch)},
        check=True,
    )
    (target / ".gitignore").unlink(missing_ok=True)


def build_site(root: Path, epoch: int, target: Path) -> None:
    """Write the documentation as a site into a .zip, by the environment that `make site` installs."""
    more = {"PYTHONPATH": f"{root}:{root / 'layers/flow_hitl/python'}", "NO_MKDOCS_2_WARNING": "1"}
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run(
            [SITE_VENV / "bin/python", "-m", "mkdocs", "build", "--quiet", "--site-dir", scratch],
            cwd=root,
            env=os.environ | more | {"SOURCE_DATE_EPOCH": str(epoch)},
            check=True,
        )
        write_zip(target, Path(scratch), epoch)


def _archives(root: Path, release: Release, target: Path) -> tuple[Mapping[str, str], Sequence[Component]]:
    """Write the archives for Lambda; return their names by the hashes that CDK knows them by, and the packages."""
    assets: dict[str, str] = {}
    components: list[Component] = []
    for architecture in get_args(Architecture):
        packager = Packager(_options(STAGES[0]).python, architecture)
        dependencies = packager.dependencies()
        write_zip(target / f"{_DEPENDENCIES}-{architecture}.zip", dependencies.path, release.epoch)
        assets[dependencies.digest] = f"{_DEPENDENCIES}-${{Architecture}}.zip"
        for metadata in sorted(dependencies.path.glob("python/*.dist-info/METADATA")):
            components.append(Component.parse(metadata.read_text("utf-8")))
        # These are the same for both.
        for name, package in ((_OURS, packager.flow_hitl()), (_FUNCTIONS, packager.functions())):
            write_zip(target / name, package.path, release.epoch)
            assets[package.digest] = name
    edge = {f"mail_edge/{path.name}": path.read_bytes() for path in (root / "infra/mail_edge").glob("*.py")}
    write_files(target / _EDGE, edge, release.epoch)
    return assets, components


def _templates(release: Release, target: Path, assets: Mapping[str, str]) -> None:
    prefix = f"flow-hitl-{release.version}/"
    written = []
    for stage in STAGES:
        with tempfile.TemporaryDirectory() as scratch:
            # The tests let cdk-nag look at them.
            synthesise(_context(stage), Path(scratch), checks=False)
            core = json.loads(Path(scratch, f"{template.STACK}.template.json").read_text("utf-8"))
            edge = json.loads(Path(scratch, f"{template.STACK}-mail-edge.template.json").read_text("utf-8"))
        written += [target / f"core-{stage}.template.json", target / "mail-edge.template.json"]
        _write_json(written[-2], template.core_template(core, assets, prefix))
        _write_json(written[-1], template.edge_template(edge, _EDGE, prefix))
    for name, found in findings(sorted(set(written))).items():
        if unaccepted(found):
            raise NotReady(f"CloudFormation would not take {name}: {'; '.join(unaccepted(found))}")


def _context(stage: str) -> Mapping[str, str]:
    return {
        "stage": stage,
        "inbound_domain": template.INBOUND_DOMAIN,
        "alarm_email": template.ALARM_EMAIL,
        "stack_name": template.STACK,
    }


def _options(stage: str) -> Options:
    return Options.from_context(_context(stage))


def _write_json(path: Path, document: object) -> None:
    # Without spaces: CloudFormation takes a megabyte.
    path.write_text(json.dumps(document, separators=(",", ":")) + "\n", "utf-8")


def _git(root: Path, *words: str) -> bytes:
    return subprocess.run(["git", *words], cwd=root, check=True, capture_output=True).stdout
