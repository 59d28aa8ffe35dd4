"""Lists to look through: rows of requests and how many there are, without loading any."""

from dataclasses import dataclass, replace

from flow_hitl.domain.access import Action, Actor, ProvenAddress, authorize
from flow_hitl.domain.deployment import Deployment
from flow_hitl.domain.rows import Counts, Order
from flow_hitl.ports import Clock, RequestFilter, RequestRows, RowPage


@dataclass(frozen=True)
class ListRequests:
    """What a deployment's manager sees of all its requests, and each person of those that they may answer."""

    rows: RequestRows
    clock: Clock

    def page(
        self,
        actor: Actor,
        deployment: Deployment,
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
        wanted = replace(wanted, assigned_to=_names(actor, deployment, wanted.assigned_to))
        return self.rows.page(deployment.deployment_id, wanted, order=order, text=text, limit=limit, cursor=cursor)

    def counts(self, actor: Actor, deployment: Deployment, assigned_to: tuple[str, ...] = ()) -> Counts:
        """Count a deployment's requests, or an assignee's; raises Forbidden."""
        names = _names(actor, deployment, assigned_to)
        return self.rows.counts(deployment.deployment_id, names, self.clock.now())


def _names(actor: Actor, deployment: Deployment, assigned_to: tuple[str, ...]) -> tuple[str, ...]:
    """Return under which names to look, if the actor may look there."""
    authorize(actor, Action.VIEW, deployment_id=deployment.deployment_id, desk=assigned_to)
    if isinstance(actor, ProvenAddress):
        return actor.email, *actor.known_as
    return deployment.names_of(*assigned_to)
