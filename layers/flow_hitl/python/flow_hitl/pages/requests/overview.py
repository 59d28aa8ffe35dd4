"""The deployments of a person, with what waits in each."""

from collections.abc import Sequence

from flow_hitl.deployments.deployment import DeploymentName
from flow_hitl.deployments.ports import DeploymentStore
from flow_hitl.pages.contexts import DeploymentRow
from flow_hitl.people.access import SignedInMember
from flow_hitl.platform.errors import Forbidden, NotFound
from flow_hitl.platform.records import dataclass
from flow_hitl.requests.reading.list_requests import ListRequests

# Each takes up to six calls.
_MOST_COUNTED = 15


@dataclass(frozen=True)
class Overview:
    deployments: DeploymentStore
    lists: ListRequests

    def __call__(self, email: str, names: Sequence[DeploymentName]) -> Sequence[DeploymentRow]:
        """Return a row for each deployment, where something waits for the person first; many are not counted."""
        rows = [self._row(email, name) for name in names[:_MOST_COUNTED]]
        rows.sort(key=lambda row: row.own in (None, "0"))
        return [*rows, *(DeploymentRow(name=name) for name in names[_MOST_COUNTED:])]

    def _row(self, email: str, name: DeploymentName) -> DeploymentRow:
        try:
            member = SignedInMember.of(self.deployments.load(name.deployment_id), email)
            own = self.lists.waiting_for(member)
        except (NotFound, Forbidden):
            return DeploymentRow(name=name)
        return DeploymentRow(
            name=name, own=str(own), pending=str(self.lists.pending(member)) if member.manages else None
        )
