"""The synthesized core stack for this machine, cached by the hash of its inputs: a synth takes 10 seconds."""

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from infra.local.emulator import Packages, function_python
from infra.local.failure import StackFailed
from infra.local.state import ROOT

STACK_NAME = "flow-hitl"
INBOUND_DOMAIN = "hitl.localhost"
CACHE = ROOT / ".build" / "local-assembly"
KEPT_ASSEMBLIES = 3

# The port is known only at start; an address that stands for it lets one assembly serve every start.
_BASE_URL = "http://local-base-url.invalid"
_INPUTS = ("functions", "infra", "layers", "templates", "requirements/local.txt")
_NO_INPUTS = ("infra/local", "infra/cli")
_SCRATCH = "synth-"


def synthesise(directory: Path, base_url: str) -> bool:
    """Fill `directory` with the assembly of the core stack whose links begin with `base_url`; tell whether it was kept.

    Raises StackFailed.
    """
    kept = CACHE / _fingerprint()
    was_kept = kept.is_dir()
    if not was_kept:
        _synthesise(kept)
        _forget_old()
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    for entry in kept.iterdir():
        if entry.name == f"{STACK_NAME}.template.json":
            (directory / entry.name).write_text(entry.read_text().replace(_BASE_URL, base_url))
        else:
            (directory / entry.name).symlink_to(entry)
    return was_kept


def packages(directory: Path) -> Packages:
    """Return what the functions of the assembly in `directory` run from."""
    files = json.loads((directory / f"{STACK_NAME}.assets.json").read_text())["files"].values()
    sources = {
        destination["objectKey"]: str((directory / file["source"]["path"]).resolve())
        for file in files
        for destination in file["destinations"].values()
    }
    resources: dict[str, Any] = json.loads((directory / f"{STACK_NAME}.template.json").read_text())["Resources"]
    # All functions share their code, layers, and settings.
    function = next(one["Properties"] for one in resources.values() if one["Type"] == "AWS::Lambda::Function")
    layers = (resources[layer["Ref"]]["Properties"]["Content"] for layer in function["Layers"])
    settings = function["Environment"]["Variables"].items()
    return Packages(
        code=sources[function["Code"]["S3Key"]],
        layers=tuple(sources[content["S3Key"]] for content in layers),
        environment={name: value for name, value in settings if isinstance(value, str)},
    )


def context() -> dict[str, str]:
    """Return the CDK context of the local stack."""
    return {
        "stack_name": STACK_NAME,
        "inbound_domain": INBOUND_DOMAIN,
        "base_url": _BASE_URL,
        "allow_insecure_urls": "true",
        "require_tls": "false",
        "stage": "evaluation",
        # As in production, so that what a lock refuses shows here too.
        "seal_lock": "governance",
        "alarm_email": "none",
        "packages_for_host": "true",
        "python": function_python(),
        "architecture": "arm64" if platform.machine().lower() in ("arm64", "aarch64") else "x86_64",
    }


def _synthesise(target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=_SCRATCH) as scratch:
        made = Path(scratch) / "assembly"
        # A process of its own, so that CDK's node process ends with the synth.
        run = subprocess.run(
            [sys.executable, "-m", "infra.local.assembly", str(made)],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "layers/flow_hitl/python")])},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if run.returncode != 0:
            raise StackFailed(
                "The CDK app failed; fix this and start again:\n" + "\n".join(run.stdout.splitlines()[-20:])
            )
        try:
            made.rename(target)
        except OSError:
            # Another start made the same assembly meanwhile.
            if not target.is_dir():
                raise


def _fingerprint() -> str:
    digest = hashlib.sha256(json.dumps(context(), sort_keys=True).encode() + Path(__file__).read_bytes())
    for path in _inputs():
        digest.update(f"\n{path.relative_to(ROOT)} ".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _inputs() -> Iterator[Path]:
    left_out = tuple(ROOT / name for name in _NO_INPUTS)
    for name in _INPUTS:
        root = ROOT / name
        for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
            if path.is_file() and "__pycache__" not in path.parts and not any(path.is_relative_to(o) for o in left_out):
                yield path


def _forget_old() -> None:
    """Keep the newest few assemblies: each holds copies of the layers."""
    kept = [path for path in CACHE.iterdir() if path.is_dir() and not path.name.startswith(_SCRATCH)]
    for path in sorted(kept, key=lambda path: path.stat().st_mtime, reverse=True)[KEPT_ASSEMBLIES:]:
        shutil.rmtree(path, ignore_errors=True)


if __name__ == "__main__":
    from infra.app import synthesise as synthesise_app

    # cdk-nag judges the template in the tests; here it would double the time.
    synthesise_app(context(), Path(sys.argv[1]), checks=False)
