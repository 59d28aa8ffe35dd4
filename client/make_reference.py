"""Write docs/flows/reference.md from the docstrings of the client: `make docs`."""

import ast
from collections.abc import Iterator
from pathlib import Path

CLIENT = Path(__file__).parent
PAGE = CLIENT.parent / "docs/flows/reference.md"
MODULES = {
    "client": "The plain client",
    "aio": "The plain client, awaited",
    "answers": "What was approved",
    "attachments": "Attachments",
    "webhooks": "Webhooks and pushes",
    "signature": "Signatures",
    "endpoint": "An endpoint for pushes",
    "errors": "Errors",
    "types": "Shapes",
    "crewai": "CrewAI",
    "crewai.providers": "CrewAI: the providers",
    "crewai.resumer": "CrewAI: the resumer",
    "crewai.registry": "CrewAI: the registry",
    "crewai.answers": "CrewAI: the answer",
    "crewai.versions": "CrewAI: versions",
    "crewai.resumption": "CrewAI: resuming",
    "crewai.store": "CrewAI: the store",
}
Definition = ast.FunctionDef | ast.AsyncFunctionDef


def reference() -> str:
    """Return the page: every public class, method and function that has a docstring."""
    lines = ["# Reference of `flow_hitl_client`", "", "Made from the docstrings by `make docs`; do not edit."]
    for name, title in MODULES.items():
        path = CLIENT / "flow_hitl_client" / name.replace(".", "/")
        source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        module = ast.parse(source.read_text())
        lines += ["", f"## {title}: `flow_hitl_client.{name}`", "", *_text(module)]
        for node in module.body:
            if isinstance(node, ast.ClassDef) and _is_public(node):
                lines += ["", f"### class `{node.name}`", "", *_text(node)]
                for member in node.body:
                    if isinstance(member, ast.Assign):
                        lines += [*_same_as(member)]
                    elif isinstance(member, Definition) and (member.name == "__init__" or _is_public(member)):
                        lines += [*_entry(member, "#### ", node.name)]
            elif isinstance(node, Definition) and _is_public(node):
                lines += [*_entry(node, "### ")]
    return "\n".join(lines) + "\n"


def _same_as(node: ast.Assign) -> Iterator[str]:
    """Yield the entry of a method that is made from another class's."""
    if isinstance(node.value, ast.Call) and node.value.args:
        yield from ["", f"#### async `{ast.unparse(node.targets[0])}`", "", f"As `{ast.unparse(node.value.args[0])}`."]


def _entry(node: Definition, heading: str, owner: str = "") -> Iterator[str]:
    if ast.get_docstring(node) is None:
        return
    name = owner if node.name == "__init__" else node.name
    arguments = ast.unparse(node.args).removeprefix("self, ").removeprefix("self")
    returns = f" -> {ast.unparse(node.returns)}" if node.returns and node.name != "__init__" else ""
    kind = "async " if isinstance(node, ast.AsyncFunctionDef) else ""
    yield from ["", f"{heading}{kind}`{name}`", "", "```python", f"{name}({arguments}){returns}", "```", *_text(node)]


def _text(node: ast.Module | ast.ClassDef | Definition) -> list[str]:
    """Return the docstring as markdown: its indented lines are code."""
    return [line.rstrip() for line in (ast.get_docstring(node) or "").splitlines()]


def _is_public(node: ast.ClassDef | Definition) -> bool:
    return not node.name.startswith("_") and ast.get_docstring(node) is not None


if __name__ == "__main__":
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(reference())
