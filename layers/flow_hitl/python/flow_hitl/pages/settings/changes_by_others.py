"""What others have changed while somebody filled in a form, told by the deployment's own audit chain."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flow_hitl.audit.chain import AuditEvent, EventKind
from flow_hitl.audit.ports import AuditLog
from flow_hitl.pages.settings.change_lines import lines_of
from flow_hitl.pages.settings.view import OthersChange
from flow_hitl.people.names import person_of

_MOST_EVENTS = 50


def of_kinds(*kinds: EventKind) -> Callable[[AuditEvent], bool]:
    """Return what tells the events of these kinds from others."""
    return lambda event: event.kind in kinds


@dataclass(frozen=True)
class OthersChanges:
    audit: AuditLog

    def __call__(
        self, deployment_id: int, seen: int, about: Callable[[AuditEvent], bool], only: Sequence[str] = ()
    ) -> Sequence[OthersChange]:
        """Return the changes that matter after the chain's place `seen`, oldest first.

        `only` are the members of the settings document to tell of, none for all.
        """
        events = self.audit.changes(deployment_id, seen, _MOST_EVENTS)
        told = [(event, lines_of(event, only)) for event in events if about(event)]
        return tuple(
            OthersChange(at=event.at, by=person_of(event.actor), lines=lines) for event, lines in told if lines
        )
