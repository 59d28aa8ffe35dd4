"""What keeps the figures."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from flow_hitl.metrics.metrics import Bucket, Cut, Dimension, Generations, Progress, Span, Tallies, Tally
from flow_hitl.platform.records import dataclass


@dataclass(frozen=True)
class MetricReading:
    """The buckets of a range, and the number of the last cut that each has.

    `complete` is False if there were too many to read.
    """

    tallies: Mapping[Bucket, Tally]
    complete: bool
    cuts: Mapping[Bucket, int]


class MetricStore(Protocol):
    """The figures' buckets, a set for each deployment and generation; all is read consistently."""

    def generations(self, deployment_id: int) -> Generations:
        """Read which sets exist, and how far each has come."""

    def begin(self, deployment_id: int, generations: Generations) -> None:
        """Write the next version, and the place from which its new set is built; raises Conflict as `save` does."""

    def save(self, deployment_id: int, generations: Generations) -> None:
        """Write the next version; raises Conflict if it is not the next."""

    def fold(self, deployment_id: int, number: int, progress: Progress, cut: Cut) -> Progress:
        """Add a cut to a set, or the rest of the one that was begun, each bucket once, and return how far it has come.

        Raises Conflict if it had not come as far as `progress`.
        """

    def contents(self, deployment_id: int, number: int, span: Span) -> Tallies:
        """Return all buckets of all dimensions in a span."""

    def read(self, deployment_id: int, number: int, dimension: Dimension, spans: Sequence[Span]) -> MetricReading:
        """Return a dimension's buckets in these spans, with few calls however many requests they count."""

    def all_time(self, deployment_id: int, number: int) -> MetricReading:
        """Return the bucket of the total of all time, if there is one."""

    def remove(self, deployment_id: int, number: int) -> Iterator[None]:
        """Delete a set that no longer grows, a part at a time."""
