"""Lists to browse: rows and counts, without loading requests."""

from dataclasses import dataclass, replace

from flow_hitl.people.access import Action, Reader, SignedInMember, authorize
from flow_hitl.requests.ports import RequestFilter, RequestRows, RowPage
from flow_hitl.requests.reading.list_rows import Counts, Order


@dataclass(frozen=True)
class ListRequests:
    """Managers see all requests of their deployment, everyone else those they may answer."""

    rows: RequestRows

    def page(
        self,
        reader: Reader,
        wanted: RequestFilter,
        *,
        order: Order = Order.NEWEST,
        text: str = "",
        limit: int = 50,
        cursor: str | None = None,
    ) -> RowPage:
        """Return matching rows within one read; an empty page with a cursor has successors.

        `text` is searched in the columns, ignoring case. Raises Forbidden, and ValidationFailed for a foreign cursor or
        one with another order.
        """
        wanted = replace(wanted, assigned_to=_names(reader, wanted.assigned_to))
        return self.rows.page(
            reader.deployment.deployment_id, wanted, order=order, text=text, limit=limit, cursor=cursor
        )

    def counts(self, reader: Reader) -> Counts:
        """Count what the reader may see; raises Forbidden."""
        return self.rows.counts(reader.deployment.deployment_id, _names(reader, ()))


def _names(reader: Reader, assigned_to: tuple[str, ...]) -> tuple[str, ...]:
    """Return the assignee names to look for, none for everyone's; raises Forbidden."""
    authorize(reader, Action.VIEW)
    if isinstance(reader, SignedInMember) and not reader.manages:
        return reader.email, *reader.known_as
    return reader.deployment.names_of(*assigned_to)
