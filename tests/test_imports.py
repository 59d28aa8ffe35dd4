"""Imports run one way: from floor to floor of capabilities, and inside each from edges and use cases to rules.

Each capability's `__init__.py` lists its modules by kind. `rules` are pure. `use cases` reach the world through ports
alone. `edges` are AWS, mail, HTTP and rendering. `ports.py` says what use cases need of edges.
"""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "layers" / "flow_hitl" / "python" / "flow_hitl"

# Each capability may import those before it, and itself.
FLOORS = (
    "platform",
    "contract",
    "audit",
    "deployments",
    "people",
    "requests",
    "replies",
    "rendering",
    "mails",
    "webhooks",
    "delivery",
    "diagnosis",
    "metrics",
    "proof",
    "retention",
    "sweep",
    "pages",
)
MAY_IMPORT = {
    "rules": {"rules"},
    "ports": {"rules", "ports"},
    "use cases": {"rules", "ports", "use cases"},
    "edges": {"rules", "ports", "edges"},
    "wiring": {"rules", "ports", "use cases", "edges", "wiring"},
}
# Kinds that a module's own name says.
BY_NAME = ("ports", "wiring")
# The packages that a module may use beside the standard library; edges may use any.
MAY_USE_PACKAGES = {"rules": set[str](), "ports": set[str](), "use cases": {"pydantic"}}
RULES_WITH_PACKAGES = {
    "contract.validation": {"pydantic"},
    "deployments.access_documents": {"pydantic"},
    "deployments.configuration_documents": {"pydantic"},
    "platform.tokens": {"itsdangerous"},
}
IMPURE = {"time", "random", "secrets", "os", "socket", "subprocess", "logging", "threading", "pathlib"}
# The one file that joins the wiring of all capabilities.
WIRING = {"bootstrap"}
FUNCTIONS_MAY_USE = {"aws_lambda_powertools", "pydantic"}
# How things are spelled at the edge: a message's body, a stream record, a page and what it loads.
FUNCTIONS_MAY_SPELL = {
    "audit.audit_log",
    "delivery.queues",
    "rendering.assets",
    "rendering.rendering",
    "people.sign_in_queue",
    "platform.code_folder",
    "platform.telemetry",
    "proof.export_queue",
    "requests.store.deadlines",
    "webhooks.delivery_queue",
}


def imports(path: Path) -> Iterator[str]:
    """Yield the full name of everything that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.rglob("*.py") if path.name != "__init__.py")
    assert found, f"nothing in {folder}"
    return found


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


@cache
def kinds() -> dict[str, str]:
    """Return the kind of each module of the layer, as the capabilities' own lists have it; `folder.*` is all of one."""
    found = {
        f"{floor}.{kind}": kind for floor in FLOORS for kind in BY_NAME if (PACKAGE / floor / f"{kind}.py").exists()
    }
    for floor in FLOORS:
        text = ast.get_docstring(ast.parse((PACKAGE / floor / "__init__.py").read_text(encoding="utf-8"))) or ""
        _, _, lists = text.partition("\n\n")
        for entry in (
            " ".join(lists.split()).replace(" use cases:", "\nuse cases:").replace(" edges:", "\nedges:").split("\n")
        ):
            kind, _, names = entry.partition(":")
            listed = [name.strip() for name in names.split(",") if name.strip()]
            folders = [name.removesuffix(".*") for name in listed if name.endswith(".*")]
            inside = [f"{folder}.{path.stem}" for folder in folders for path in files(PACKAGE / floor / folder)]
            for name in [*(name for name in listed if not name.endswith(".*")), *inside]:
                assert f"{floor}.{name}" not in found, f"{floor}/{name} is listed twice"
                found[f"{floor}.{name}"] = kind
    return found


def ours(path: Path) -> set[str]:
    """Return the modules of the layer that a file imports."""
    names = (name.removeprefix("flow_hitl.") for name in imports(path) if name.startswith("flow_hitl."))
    return {name if name in kinds() | dict.fromkeys(WIRING) else name.rpartition(".")[0] for name in names}


def other_packages(path: Path) -> set[str]:
    tops = {name.partition(".")[0] for name in imports(path)}
    return tops - set(sys.stdlib_module_names) - {"flow_hitl", "functions", "infra"}


def layer_modules() -> list[Path]:
    return [path for path in files(PACKAGE) if module_of(path) not in WIRING]


def test_each_capability_lists_its_modules() -> None:
    assert set(kinds()) == {module_of(path) for path in layer_modules()}
    assert set(kinds().values()) <= set(MAY_IMPORT)
    # A folder that was moved away leaves its bytecode behind in a checkout.
    folders = {path.name for path in PACKAGE.iterdir() if any(path.rglob("*.py"))}
    assert folders == set(FLOORS)


@pytest.mark.parametrize("path", layer_modules(), ids=lambda path: module_of(path))
def test_the_layer_imports_one_way(path: Path) -> None:
    module = module_of(path)
    kind, floor = kinds()[module], FLOORS.index(module.partition(".")[0])
    assert not [name for name in imports(path) if name.startswith(("functions", "infra"))]
    for other in ours(path):
        assert other in kinds(), f"{module} imports {other}"
        assert FLOORS.index(other.partition(".")[0]) <= floor, f"{module} imports {other}, which stands above it"
        assert kinds()[other] in MAY_IMPORT[kind], f"{module} is of the {kind} and imports {other}"
    if kind in MAY_USE_PACKAGES:
        assert other_packages(path) <= MAY_USE_PACKAGES[kind] | RULES_WITH_PACKAGES.get(module, set())


def test_rules_read_no_clock_and_no_random_source() -> None:
    for path in layer_modules():
        if kinds()[module_of(path)] == "rules" and module_of(path) != "proof.verify_audit":
            tops = {name.partition(".")[0] for name in imports(path)}
            assert not tops & IMPURE, path
            assert ".now(" not in path.read_text(encoding="utf-8"), path


def test_the_verifier_stands_alone() -> None:
    path = PACKAGE / "proof" / "verify_audit.py"
    assert not ours(path)
    assert not other_packages(path)


@pytest.mark.parametrize("path", files(ROOT / "functions"), ids=lambda path: path.name)
def test_functions_know_neither_boto3_nor_infra(path: Path) -> None:
    assert other_packages(path) <= FUNCTIONS_MAY_USE
    assert not [name for name in imports(path) if name.startswith("infra")]


@pytest.mark.parametrize("path", files(ROOT / "functions"), ids=lambda path: path.name)
def test_functions_leave_the_stores_to_the_wiring(path: Path) -> None:
    edges = {module for module in ours(path) if kinds().get(module) == "edges"}
    assert edges <= FUNCTIONS_MAY_SPELL


def test_no_module_imports_itself_by_way_of_others() -> None:
    above = {module_of(path): ours(path) - WIRING for path in layer_modules()}
    while grounded := [module for module, below in above.items() if not below & above.keys()]:
        for module in grounded:
            del above[module]
    assert not above
