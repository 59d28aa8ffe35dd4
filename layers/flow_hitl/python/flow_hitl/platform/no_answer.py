"""The answer of a call that could not be made."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Unknown:
    """What could not be asked, and why."""

    why: str
