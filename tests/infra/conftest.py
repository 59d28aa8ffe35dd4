"""One synth of both stacks, with cdk-nag, for every test of the infrastructure."""

import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra import packaging
from infra.app import synthesise

Resource = dict[str, Any]


@dataclass(frozen=True)
class Stack:
    """A synthesised template and what the tests ask of it."""

    template: dict[str, Any]
    metadata: dict[str, Any]

    def of_type(self, resource_type: str) -> dict[str, Resource]:
        """Return the resources of a type by their logical ids."""
        return {name: each for name, each in self.template["Resources"].items() if each["Type"] == resource_type}

    def properties(self, resource_type: str) -> list[dict[str, Any]]:
        return [each.get("Properties", {}) for each in self.of_type(resource_type).values()]

    def find(self, resource_type: str, part_of_id: str) -> Resource:
        """Return the one resource of a type whose logical id contains a text."""
        (found,) = [each for name, each in self.of_type(resource_type).items() if part_of_id in name]
        return found

    def function(self, name: str) -> dict[str, Any]:
        """Return the properties of the function `functions.<name>`."""
        found: dict[str, Any] = self.template["Resources"][self.function_id(name)]["Properties"]
        return found

    def function_id(self, name: str) -> str:
        """Return the logical id of the function `functions.<name>`."""
        functions = self.of_type("AWS::Lambda::Function").items()
        (found,) = [key for key, each in functions if each["Properties"]["Handler"] == f"functions.{name}.handler"]
        return found


OPTIONS = {"inbound_domain": "hitl.example.com", "alarm_email": "ops@example.com"}
WITH_DOMAIN = OPTIONS | {"hosted_zone": "Z0123456789EXAMPLE", "domain": "api.example.com/hitl"}


@dataclass(frozen=True)
class Assembly:
    core: Stack
    mail_edge: Stack


@pytest.fixture(scope="session")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """Synthesise as for AWS, once in a run."""
    return _made_once(tmp_path_factory, "assembly", OPTIONS, checks=True)


@pytest.fixture(scope="session")
def with_domain(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """The same with a hosted zone and a custom domain, and without cdk-nag."""
    return _made_once(tmp_path_factory, "assembly-with-domain", WITH_DOMAIN, checks=False)


def _made_once(
    tmp_path_factory: pytest.TempPathFactory, name: str, options: dict[str, str], *, checks: bool
) -> Assembly:
    of_process = tmp_path_factory.getbasetemp()
    # What several processes run, pytest-xdist lays side by side in a directory of the whole run.
    of_run = of_process.parent if "PYTEST_XDIST_WORKER" in os.environ else of_process
    directory = of_run / name
    with (of_run / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # It is written last.
        if not (directory / "manifest.json").exists():
            _synthesise(tmp_path_factory, directory, options, checks)
    return Assembly(_stack(directory, "flow-hitl"), _stack(directory, "flow-hitl-mail-edge"))


def _synthesise(
    tmp_path_factory: pytest.TempPathFactory, directory: Path, options: dict[str, str], checks: bool
) -> None:
    """Synthesise with a stand-in for the layer of dependencies: its content is in no template."""
    dependencies = tmp_path_factory.mktemp("dependencies")
    (dependencies / "python").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packaging, "BUILD_DIRECTORY", tmp_path_factory.mktemp("build"))
        package = packaging.Package(dependencies, "0" * 64)
        patch.setattr(packaging.Packager, "dependencies", lambda _: package)
        # No template has it either, and this machine may lack the runtime's Python.
        patch.setattr(packaging, "write_bytecode", lambda *_: None)
        synthesise(options, directory, checks=checks)


@pytest.fixture(scope="session")
def core(assembly: Assembly) -> Stack:
    return assembly.core


@pytest.fixture(scope="session")
def mail_edge(assembly: Assembly) -> Stack:
    return assembly.mail_edge


def _stack(directory: Path, name: str) -> Stack:
    template = json.loads((directory / f"{name}.template.json").read_text())
    return Stack(template, json.loads((directory / f"{name}.metadata.json").read_text()))
