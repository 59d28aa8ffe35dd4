"""Values as an operator types them."""

import re
import tomllib
from datetime import datetime, timedelta
from importlib import metadata
from pathlib import Path
from typing import Any

import click

from flow_hitl.contract.rotation import Rotation
from flow_hitl.platform.address import is_mail_address
from flow_hitl.platform.times import parse_rfc3339, rfc3339
from infra.cli.target import CommandTarget

_DAYS = re.compile(r"([1-9][0-9]{0,3})d")
signs_from_option = click.option(
    "--signs-from", metavar="WHEN", help="A time such as 2027-01-31T12:00:00Z, or days such as 1d; 30d at most.  [now]"
)


def version() -> str:
    """Return the version of the installed package, or in the repository the one that it would have."""
    try:
        return metadata.version("flow-hitl")
    except metadata.PackageNotFoundError:
        project = Path(__file__).resolve().parents[2] / "pyproject.toml"
        return str(tomllib.loads(project.read_text("utf-8"))["project"]["version"])


def plain_address(_context: click.Context, _parameter: click.Parameter, value: Any) -> Any:
    """Return an option's value, each of which must be a plain email address; raises BadParameter."""
    for address in value if isinstance(value, tuple) else [value]:
        if address is not None and not is_mail_address(address):
            raise click.BadParameter(f"{address!r} is not a plain email address such as alice@example.com.")
    return value


def moment(_context: click.Context, _parameter: click.Parameter, value: str | None) -> datetime | None:
    """Return the time that an option names; raises BadParameter."""
    try:
        return parse_rfc3339(value) if value else None
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a time such as 2027-01-31T00:00:00Z.") from None


def future_moment(text: str, now: datetime, option: str) -> datetime:
    """Return the moment that a text names; raises BadParameter if it names none, or one that has passed."""
    days = _DAYS.fullmatch(text)
    try:
        moment = now + timedelta(days=int(days[1])) if days else parse_rfc3339(text)
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is neither a time such as 2027-01-31T12:00:00Z nor a number of days such as 90d.",
            param_hint=option,
        ) from None
    if moment <= now:
        raise click.BadParameter(f"{text} is in the past.", param_hint=option)
    return moment


def rotation(target: CommandTarget, signs_from: str | None) -> Rotation:
    """Return the rotation that `signs_from_option` asks for."""
    if signs_from is None:
        return Rotation(signs_from=None)
    return Rotation(signs_from=rfc3339(future_moment(signs_from, target.application.clock.now(), "--signs-from")))
