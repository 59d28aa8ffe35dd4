"""The answer of a call that could not be made."""

from flow_hitl.platform.records import dataclass


@dataclass(frozen=True)
class Unknown:
    """What could not be asked, and why."""

    why: str
