"""An operator has a time of the audit log looked at again."""

from collections.abc import Iterator
from datetime import datetime

from flow_hitl.audit.effects import Effect
from flow_hitl.audit.index import periods
from flow_hitl.platform.records import dataclass
from flow_hitl.sweep.second_look import SecondLook


@dataclass(frozen=True)
class ReplayedBatch:
    """Some events of one day and deployment that were looked at: what was handed on, and what made no sense."""

    day: datetime
    deployment_id: int
    events: int
    handed_on: tuple[Effect, ...]
    senseless: tuple[str, ...]


@dataclass(frozen=True)
class Replay:
    second_look: SecondLook

    def __call__(self, since: datetime, until: datetime, *, dry_run: bool) -> Iterator[ReplayedBatch]:
        """Look at all events between two moments (whole seconds) in order, and yield what came of it as it goes."""
        for period in periods(since, until):
            for batch in self.second_look.batches(period):
                looked = self.second_look(batch, dry_run=dry_run)
                yield ReplayedBatch(
                    period.since, batch[0].deployment_id, looked.events, looked.handed_on, looked.senseless
                )
