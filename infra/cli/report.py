"""What `flow-hitl doctor` and `flow-hitl preflight` have in common: checks, and how they are printed."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import click
from botocore.exceptions import BotoCoreError, ClientError

from flow_hitl.diagnosis.findings import Finding, FindingStatus, info
from flow_hitl.platform.aws_errors import unknown
from flow_hitl.platform.no_answer import Unknown
from infra.cli.target import CommandTarget

_MARKS = {
    FindingStatus.OK: ("ok", "green"),
    FindingStatus.PROBLEM: ("PROBLEM", "red"),
    FindingStatus.INFO: ("note", "yellow"),
}


@dataclass(frozen=True)
class StackCheck:
    """What was checked, and what was found."""

    name: str
    finding: Finding

    def to_dict(self) -> dict[str, Any]:
        finding = self.finding
        return {
            "check": self.name,
            "status": finding.status.value,
            "fact": finding.fact,
            "next_step": finding.next_step,
        }


def report(target: CommandTarget, checks: Iterator[StackCheck]) -> int:
    """Print each check as soon as it is done, as some take seconds, and return the number of problems."""
    found = list(checks if target.as_json else _printed(checks))
    problems = sum(check.finding.status is FindingStatus.PROBLEM for check in found)
    if target.as_json:
        document = {"problems": problems, "checks": [check.to_dict() for check in found]}
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        click.echo(f"\n{problems or 'No'} problem{'' if problems == 1 else 's'} found.")
        if target.choice and any("`flow-hitl " in (check.finding.next_step or "") for check in found):
            click.echo(f"Next: add{target.choice} to the commands above.", err=True)
    return problems


def named(name: str, findings: Iterable[Finding]) -> Iterator[StackCheck]:
    """Yield the findings of one check."""
    return (StackCheck(name, finding) for finding in findings)


def asked(ask: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """Return what a check of AWS found, or that AWS gave no answer."""
    try:
        return list(ask())
    except (BotoCoreError, ClientError) as error:
        return [not_asked("AWS", unknown(error))]


def not_asked(whom: str, unknown: Unknown) -> Finding:
    """Return the finding that a check could not be made."""
    return info(f"This could not be checked: {whom} did not answer ({unknown.why}).", "Check your role's permissions.")


def _printed(checks: Iterator[StackCheck]) -> Iterator[StackCheck]:
    for check in checks:
        mark, color = _MARKS[check.finding.status]
        click.echo(f"{click.style(mark.ljust(8), fg=color)} {check.name}: {check.finding.fact}")
        if check.finding.next_step:
            click.echo(f"{' ' * 9}-> {check.finding.next_step}")
        yield check
