"""What keeps how far the sweep has come."""

from typing import Protocol

from flow_hitl.sweep.watermark import Watermark


class Watermarks(Protocol):
    def load(self) -> Watermark | None:
        """Read the watermark consistently; None before the first run."""

    def save(self, mark: Watermark) -> None:
        """Write the next version; raises Conflict if another run has written it by now."""
