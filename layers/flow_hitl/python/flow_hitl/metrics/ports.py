"""What keeps the figures."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from flow_hitl.metrics.metrics import Bucket, Dimension, Generations, Measurement, Span, Tallies, Tally


@dataclass(frozen=True)
class MetricReading:
    """The buckets of a range; `complete` is False if there were too many to read."""

    tallies: Mapping[Bucket, Tally]
    complete: bool


class MetricStore(Protocol):
    """The figures' buckets, a set for each deployment and generation."""

    def generations(self, deployment_id: int) -> Generations:
        """Read which sets exist, consistently."""

    def save(self, deployment_id: int, generations: Generations) -> None:
        """Write the next version; raises Conflict if it is not the next."""

    def record(
        self, deployment_id: int, generations: Generations, number: int, measured: Sequence[Measurement], now: datetime
    ) -> None:
        """Add each event to a set, once; raises Conflict if the generations have changed."""

    def uncounted(self, deployment_id: int, measured: Sequence[Measurement]) -> Set[str]:
        """Return which events (their ids), of the last 90 days, the set that is shown lacks."""

    def add(self, deployment_id: int, generations: Generations, number: int, tallies: Tallies, name: str) -> None:
        """Add sums to a set, once per `name`; raises Conflict if the generations have changed."""

    def contents(self, deployment_id: int, number: int, span: Span) -> Tallies:
        """Return all buckets of all dimensions in a span."""

    def read(self, deployment_id: int, number: int, dimension: Dimension, spans: Sequence[Span]) -> MetricReading:
        """Return a dimension's buckets in these spans, with few calls however many requests they count."""

    def all_time(self, deployment_id: int, number: int) -> Tally:
        """Return the total of all time."""

    def remove(self, deployment_id: int, number: int) -> None:
        """Delete a whole set."""
