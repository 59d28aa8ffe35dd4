"""Lists to browse: rows and counts, without loading requests."""

from collections.abc import Callable
from dataclasses import replace

from flow_hitl.people.access import Action, Reader, SignedInMember, authorize
from flow_hitl.platform.records import dataclass
from flow_hitl.requests.ports import RequestFilter, RequestRows, RowPage
from flow_hitl.requests.reading.list_rows import ByColumn, Count, Counts, Order
from flow_hitl.requests.reading.search_requests import SearchRequests


@dataclass(frozen=True)
class ListRequests:
    """Managers see all requests of their deployment, everyone else those they may answer."""

    rows: RequestRows
    search: Callable[[], SearchRequests]

    def page(
        self,
        reader: Reader,
        wanted: RequestFilter,
        *,
        order: Order | ByColumn = Order.NEWEST,
        text: str = "",
        limit: int = 50,
        cursor: str | None = None,
        backward: bool = False,
    ) -> RowPage:
        """Return matching rows within one read; an empty page with a cursor has successors.

        With a `text`, those that have all its words, newest first and whatever the order. `backward`: the page that
        ends at the cursor. Raises Forbidden, and ValidationFailed for a foreign cursor or one with another order.
        """
        wanted = replace(wanted, assigned_to=_names(reader, wanted.assigned_to))
        if text:
            search = self.search()
            return search(reader.deployment.deployment_id, wanted, text=text, limit=limit, cursor=cursor)
        return self.rows.page(
            reader.deployment.deployment_id,
            wanted,
            order=order,
            limit=limit,
            cursor=cursor,
            backward=backward,
        )

    def waiting_for(self, member: SignedInMember) -> Count:
        """Count what waits for a person's own answer; raises Forbidden."""
        authorize(member, Action.VIEW)
        return self.rows.pending(member.deployment.deployment_id, own_names(member))

    def pending(self, reader: SignedInMember) -> Count:
        """Count the pending requests that the reader may see; raises Forbidden."""
        return self.rows.pending(reader.deployment.deployment_id, _names(reader, ()))

    def counts(self, reader: Reader) -> Counts:
        """Count what the reader may see; raises Forbidden."""
        return self.rows.counts(reader.deployment.deployment_id, _names(reader, ()))


def own_names(member: SignedInMember) -> tuple[str, ...]:
    """Return the names under which requests go to a person."""
    return member.email, *member.known_as


def _names(reader: Reader, assigned_to: tuple[str, ...]) -> tuple[str, ...]:
    """Return the assignee names to look for, none for everyone's; raises Forbidden."""
    authorize(reader, Action.VIEW)
    if isinstance(reader, SignedInMember) and not reader.manages:
        return own_names(reader)
    return reader.deployment.names_of(*assigned_to)
