"""How commands print: tables of plain text or JSON on standard output, what to do next on standard error."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

from flow_hitl.deployments.deployment import Deployment
from infra.cli.target import CommandTarget


def show(target: CommandTarget, document: Any, text: str, next_step: str) -> None:
    """Print the document as JSON if the operator asked for it, else the text and what to do next.

    The next step goes to standard error, so that standard output can be kept or piped as it is.
    """
    if target.as_json:
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    click.echo(text)
    click.echo(f"\nNext: {next_step}", err=True)


def warn(target: CommandTarget, changed: Deployment) -> None:
    """Print what a deployment's configuration hardly means, on standard error: standard output stays a document."""
    for warning in target.application.configuration_warnings(changed):
        click.echo(f"Warning: {warning}", err=True)


def table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return rows in columns as wide as their longest cell, under headings."""
    lines = [[heading.upper() for heading in headings], *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def listed(columns: Mapping[str, str], documents: Iterable[Mapping[str, Any]]) -> str:
    """Return documents as a table: `columns` names the field below each heading."""
    return table([*columns], [[_plain(one[field]) for field in columns.values()] for one in documents])


def facts(pairs: Sequence[tuple[str, object]]) -> str:
    """Return names with their values, one a line."""
    width = max(len(name) for name, _ in pairs)
    return "\n".join(f"{name.ljust(width)}  {_cell(value)}" for name, value in pairs)


def _plain(value: object) -> object:
    if isinstance(value, list | tuple):
        return ", ".join(value) or "-"
    return "-" if value is None else value


def _cell(value: object) -> str:
    """Return a value on one line: text as it is, all else as JSON spells it, so that it can be put into a file."""
    return " ".join(value.split()) if isinstance(value, str) else json.dumps(value)
