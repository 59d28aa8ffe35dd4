"""Times as an operator types them."""

import re
from datetime import datetime, timedelta

import click

from flow_hitl.platform.times import parse_rfc3339

_DAYS = re.compile(r"([1-9][0-9]{0,3})d")


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
