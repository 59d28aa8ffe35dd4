"""Lists to look through: rows of requests and how many there are, without loading any."""

from dataclasses import dataclass, replace

from flow_hitl.people.access import Action, KeyHolder, SignedInMember, authorize
from flow_hitl.platform.ports import Clock
from flow_hitl.requests.ports import RequestFilter, RequestRows, RowPage
from flow_hitl.requests.reading.list_rows import Counts, Order


@dataclass(frozen=True)
class ListRequests:
    """What who manages a deployment sees of all its requests, and everybody else of those that they may answer."""

    rows: RequestRows
    clock: Clock

    def page(
        self,
        reader: KeyHolder | SignedInMember,
        wanted: RequestFilter,
        *,
        order: Order = Order.NEWEST,
        text: str = "",
        limit: int = 50,
        cursor: str | None = None,
    ) -> RowPage:
        """Return rows that fit, as far as one look goes; an empty page with a cursor is to be followed by another.

        `text` is looked for in the columns, whatever its case. Raises Forbidden, and ValidationFailed for a cursor that
        is not ours or is of another order.
        """
        wanted = replace(wanted, assigned_to=_names(reader, wanted.assigned_to))
        return self.rows.page(_deployment(reader), wanted, order=order, text=text, limit=limit, cursor=cursor)

    def counts(self, reader: KeyHolder | SignedInMember) -> Counts:
        """Count what the reader sees; raises Forbidden."""
        return self.rows.counts(_deployment(reader), _names(reader, ()), self.clock.now())


def _deployment(reader: KeyHolder | SignedInMember) -> int:
    return reader.deployment.deployment_id


def _names(reader: KeyHolder | SignedInMember, assigned_to: tuple[str, ...]) -> tuple[str, ...]:
    """Return under which names to look, none for everybody's, if the reader may look at all."""
    authorize(reader, Action.VIEW)
    if isinstance(reader, SignedInMember) and not reader.manages:
        return reader.email, *reader.known_as
    return reader.deployment.names_of(*assigned_to)
