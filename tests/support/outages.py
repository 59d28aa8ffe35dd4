"""What is lost where an outage lasts longer than anybody tries again."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from infra.local.hitl_fixture import Hitl


@contextmanager
def losing_events(hitl: Hitl) -> Iterator[None]:
    """Let the audit events of what happens in here reach neither the relay nor the figures."""
    deliver, unmeasured = hitl._deliver, list(hitl._unmeasured)

    def deliver_others(function: str, records: list[dict[str, Any]]) -> list[Any]:
        return [] if function == "relay" else deliver(function, records)

    with patch.object(hitl, "_deliver", deliver_others):
        yield
    hitl._unmeasured[:] = unmeasured
