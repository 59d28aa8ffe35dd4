"""Changing a deployment's configuration: each change and its audit event are written together, or not at all."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from flow_hitl.audit.bound import state_before
from flow_hitl.audit.chain import AuditEvent, EventKind, deployment_subject, next_event
from flow_hitl.deployments.deployment import Deployment, configuration_digest
from flow_hitl.deployments.ports import DeploymentStore, TransactionPart
from flow_hitl.platform.digests import digest
from flow_hitl.platform.ports import Clock, Ids
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.repeated_calls import CallRecord
from flow_hitl.platform.rounds import in_rounds


@dataclass(frozen=True)
class Configured:
    """A deployment after a change, and what changed, as the event shows it: JSON, never with a secret in it.

    `also` is what another store writes in the same transaction.
    """

    deployment: Deployment
    before: Any
    after: Any
    also: TransactionPart | None = None


@dataclass(frozen=True)
class ChangeConfiguration:
    """Apply a change to a deployment until no other writer is in between: none is lost, none overwrites another."""

    deployments: DeploymentStore
    clock: Clock
    ids: Ids
    pause: Callable[[int], None]

    def __call__(
        self,
        deployment_id: int,
        kind: EventKind,
        actor: str,
        step: Callable[[Deployment], Configured | None],
        called: CallRecord | None = None,
    ) -> Deployment:
        """Return the deployment after `step`, which is given it as it is and returns None to leave it so.

        `called` is kept together with a change. Raises what `step` raises, NotFound, ValidationFailed if the
        configuration outgrows its record, CalledBefore, and Conflict after eight rounds.
        """

        def attempt() -> Deployment:
            found = self.deployments.load(deployment_id)
            configured = step(found)
            if configured is None:
                return found
            data = {"before": configured.before, "after": configured.after}
            after = replace(configured.deployment, version=found.version + 1)
            if configured.also is not None and "Put" in configured.also:
                data["record_sha256"] = digest(configured.also["Put"]["Item"])
            event = self._event(found, after, kind, actor, data)
            changed = _sealed(after, event)
            self.deployments.commit(changed, event, before=found, also=configured.also, called=called)
            return changed

        return in_rounds(attempt, self.pause)

    def create(self, deployment: Deployment, actor: str, facts: Any) -> Deployment:
        """Write a deployment that does not exist yet, with the first event of its chain, and return it."""
        data = {"before": None, "after": facts}
        event = self._event(deployment, deployment, EventKind.DEPLOYMENT_CREATED, actor, data)
        created = _sealed(deployment, event)
        self.deployments.create(created, event)
        return created

    def _event(self, found: Deployment, after: Deployment, kind: EventKind, actor: str, data: Any) -> AuditEvent:
        now = self.clock.now()
        return next_event(
            subject=deployment_subject(found.deployment_id),
            seq=found.audit_seq + 1,
            prev_hash=found.audit_hash,
            event_id=self.ids.event_id(),
            kind=kind,
            # Its events stay in the order of time, whosever clock is slow.
            at=max(now, found.audit_at or now),
            actor=actor,
            data={
                **data,
                **(state_before(configuration_digest(found)) if found.audit_seq else {}),
                "configuration_sha256": configuration_digest(after),
            },
        )


def _sealed(deployment: Deployment, event: AuditEvent) -> Deployment:
    return replace(deployment, audit_seq=event.seq, audit_hash=event.hash, audit_at=event.at)
