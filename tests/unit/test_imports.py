"""Imports run one way, as the design says: infra → functions → services → domain, and `bootstrap` alone joins."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "layers" / "flow_hitl" / "python" / "flow_hitl"

# What each part may import of ours; longer names are looked up first. Third-party packages stand under "packages".
MAY_IMPORT = {
    "domain": {"domain", "verify_audit"},
    "signing": {"signing", "domain"},
    "ports.py": {"domain"},
    "services": {"services", "domain", "signing", "ports", "verify_audit"},
    "adapters": {"adapters", "domain", "ports", "verify_audit"},
    "settings.py": set[str](),
    "telemetry.py": set[str](),
    # It stands alone: auditors run it without us.
    "verify_audit.py": set[str](),
    "edge.py": {"adapters", "domain", "ports", "settings"},
    "bootstrap.py": {"edge", "adapters", "services", "domain", "signing", "ports", "settings", "verify_audit"},
}
MAY_USE_PACKAGES = {
    "domain": set[str](),
    "signing": {"itsdangerous"},
    "ports.py": set[str](),
    "services": {"pydantic"},
    "settings.py": {"pydantic"},
    "telemetry.py": {"aws_lambda_powertools"},
    "verify_audit.py": set[str](),
    "edge.py": set[str](),
    "bootstrap.py": set[str](),
}
FUNCTIONS_MAY_USE = {"aws_lambda_powertools", "pydantic"}


def imports(path: Path) -> Iterator[str]:
    """Yield the full name of everything that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.rglob("*.py"))
    assert found, f"nothing in {folder}"
    return found


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0]


def other_packages(path: Path) -> set[str]:
    tops = {name.partition(".")[0] for name in imports(path)}
    return tops - set(sys.stdlib_module_names) - {"flow_hitl", "functions", "infra"}


@pytest.mark.parametrize("path", files(PACKAGE), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_layer_imports_one_way(path: Path) -> None:
    if path.name == "__init__.py":
        assert not list(imports(path))
        return
    part = part_of(path)
    ours = [name for name in imports(path) if name.startswith(("flow_hitl", "functions", "infra"))]
    wrong = [name for name in ours if not name.startswith("flow_hitl.") or name.split(".")[1] not in MAY_IMPORT[part]]
    assert not wrong
    if part in MAY_USE_PACKAGES:
        assert other_packages(path) <= MAY_USE_PACKAGES[part]


@pytest.mark.parametrize("path", files(ROOT / "functions"), ids=lambda path: path.name)
def test_functions_know_neither_boto3_nor_infra(path: Path) -> None:
    assert other_packages(path) <= FUNCTIONS_MAY_USE
    assert not [name for name in imports(path) if name.startswith("infra")]


@pytest.mark.parametrize("path", files(ROOT / "functions"), ids=lambda path: path.name)
def test_functions_leave_the_stores_to_bootstrap(path: Path) -> None:
    # What is left is how things are spelled at the edge: a message's body, a stream record, a page and what it loads.
    edges = ("queues", "audit_log", "rendering", "assets")
    spelling = tuple(f"flow_hitl.adapters.{edge}." for edge in edges)
    assert not [name for name in imports(path) if ".adapters" in name and not name.startswith(spelling)]


def test_the_domain_reads_no_clock_and_no_random_source() -> None:
    impure = {"time", "random", "secrets", "os", "socket", "subprocess", "logging", "threading", "pathlib"}
    for path in files(PACKAGE / "domain"):
        tops = {name.partition(".")[0] for name in imports(path)}
        assert not tops & impure, path
        assert ".now(" not in path.read_text(encoding="utf-8"), path
