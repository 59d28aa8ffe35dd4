"""What keeps deployments and what they use."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from flow_hitl.audit.chain import AuditEvent
from flow_hitl.deployments.deployment import Deployment, DeploymentName
from flow_hitl.deployments.quotas import Usage
from flow_hitl.platform.ports import Reading
from flow_hitl.platform.repeated_calls import CallRecord

TransactionPart = Mapping[str, Any]
"""One more write for a transaction, as its own store made it and nobody else reads it."""


class DeploymentStore(Protocol):
    def load(self, deployment_id: int) -> Deployment:
        """Read a deployment's configuration consistently; raises NotFound."""

    def reading(self, deployment_id: int) -> Reading[Deployment]:
        """Return the reading of a deployment's configuration, which raises NotFound."""

    def strange(self, deployment_id: int) -> Sequence[str]:
        """Return, as sentences about the deployment's last event, what is wrong with its records but their contents."""

    def load_with_usage(self, deployment_id: int, now: datetime) -> tuple[Deployment, Usage]:
        """Read, consistently and in one call, what a deployment has used of its quotas too; raises NotFound."""

    def create(self, deployment: Deployment, event: AuditEvent) -> None:
        """Write a new deployment with its first event."""

    def commit(
        self,
        deployment: Deployment,
        event: AuditEvent,
        before: Deployment,
        also: TransactionPart | None = None,
        called: CallRecord | None = None,
    ) -> None:
        """Write a deployment, the event that says what changed and a part of another store, all together or not at all.

        Who may sign in is written along, and the call that asked for it. Raises Conflict if the deployment is no longer
        as it was `before`, ValidationFailed if it is larger than can be kept, and CalledBefore.
        """

    def next_id(self) -> int: ...

    def list_ids(self) -> Sequence[int]: ...

    def of_person(self, address: str, limit: int) -> Sequence[DeploymentName]:
        """Return deployments in which an address may sign in, by their ids; whether it still may stands in each."""

    def write_people(self, deployment: Deployment) -> None:
        """Write anew who may sign in; raises Conflict if the deployment has changed in the meantime."""


class KeyUses(Protocol):
    def record(self, deployment_id: int, key_id: str, at: datetime) -> None:
        """Take down that an API key was used."""

    def last(self, deployment_id: int) -> Mapping[str, datetime]:
        """Return when each of a deployment's API keys was used last, by key id; those never used are missing."""


class UsageLog(Protocol):
    def add(self, deployment_id: int, moment: datetime, used: Usage, marks: Collection[str] = ()) -> Collection[str]:
        """Add to what a deployment has used in the hour and the day (UTC) of a moment.

        `marks` name what is added. If some of them were added before, in the same quarter of an hour, nothing is added,
        and they are returned. They are forgotten when something is added that is half an hour younger.
        """

    def add_behind(self, deployment_id: int, day: datetime, mails: Mapping[str, int]) -> None:
        """Add emails to a day (UTC) by places in its order, but for those up to the last place that was added so."""
