"""Gather what is needed about a request to answer the troubleshooting questions, and no more."""

from collections.abc import Sequence
from datetime import datetime

from flow_hitl.audit.chain import AuditEvent
from flow_hitl.audit.effects import MAILS, Effect, EffectState, named_done
from flow_hitl.audit.ports import AuditLog, EffectStates
from flow_hitl.contract.shapes import Channel
from flow_hitl.deployments.deployment import Deployment
from flow_hitl.deployments.ports import DeploymentStore
from flow_hitl.diagnosis.findings import (
    Facts,
    RequestDiagnosis,
    late_reminders,
    overdue,
    to_be_done,
    untold_webhooks,
)
from flow_hitl.diagnosis.flow_findings import flow_is_owed, flow_question
from flow_hitl.diagnosis.mail_findings import late_mails, mail_question
from flow_hitl.diagnosis.reply_findings import reply_question
from flow_hitl.mails.ports import MailAccount, SuppressionList
from flow_hitl.people.access import Action, KeyHolder, SignedInMember, authorize
from flow_hitl.platform.ports import Clock, DeadLetterCounts
from flow_hitl.platform.records import dataclass
from flow_hitl.replies.ports import DiscardLog
from flow_hitl.requests.bound import explained
from flow_hitl.requests.ports import Polls, RequestStore
from flow_hitl.requests.request import Head, Status

# Dead-letter queues that can hold effects of any kind.
_EVERY_EFFECT = ("relay_retry", "stream")


@dataclass(frozen=True)
class DiagnoseRequest:
    """Diagnose one request for a program or person who may view it, or for the operator."""

    requests: RequestStore
    audit: AuditLog
    effects: EffectStates
    deployments: DeploymentStore
    discards: DiscardLog
    suppressed: SuppressionList
    polls: Polls
    mail_account: MailAccount
    dead_letters: DeadLetterCounts
    clock: Clock

    def __call__(self, actor: KeyHolder | SignedInMember, request_id: str) -> RequestDiagnosis:
        """Raises NotFound, Forbidden, and NotAsLogged."""
        head = self.requests.head(request_id)
        authorize(actor, Action.VIEW, head)
        return self._diagnosis(head, actor.deployment)

    def for_operator(self, request_id: str) -> tuple[int, RequestDiagnosis]:
        """Return the deployment's id and the diagnosis, for the operator; raises NotFound."""
        head = self.requests.head(request_id)
        return head.deployment_id, self._diagnosis(head, self.deployments.load(head.deployment_id))

    def _diagnosis(self, head: Head, deployment: Deployment) -> RequestDiagnosis:
        timeline = self.audit.timeline(head.request_id)

        def answers() -> RequestDiagnosis:
            facts = self._facts(head, deployment, timeline)
            return RequestDiagnosis(
                head.request_id, (mail_question(facts), reply_question(facts), flow_question(facts))
            )

        return explained(timeline, answers, "The audit log of this request was changed, so it explains nothing.")

    def _facts(self, head: Head, deployment: Deployment, timeline: Sequence[AuditEvent]) -> Facts:
        now = self.clock.now()
        pending, pushed = head.status is Status.PENDING, any(event.data.get("push") for event in timeline)
        late, owed = late_mails(head, timeline, now), flow_is_owed(head)
        undone = self._undone(timeline, now)
        kinds = {effect.kind for effect in undone}
        clock_is_late = overdue(head, now) or late_reminders(head, timeline, now)
        queues = dict.fromkeys(
            [
                *(("email", *_EVERY_EFFECT) if late or kinds & MAILS else ()),
                *(("receipt", *_EVERY_EFFECT) if head.awaits_receipt else ()),
                *(("inbound_mail", "mail_feedback") if pending else ()),
                *(("deadline", "schedules", *_EVERY_EFFECT) if clock_is_late else ()),
                *(("resume", *_EVERY_EFFECT) if owed and pushed else ()),
                *(("webhook", *_EVERY_EFFECT) if untold_webhooks(deployment, timeline, now) else ()),
            ]
        )
        return Facts(
            head=head,
            timeline=timeline,
            deployment=deployment,
            now=now,
            suppressed=self.suppressed.reasons(head.responders, head.deployment_id) if pending else {},
            sending=self.mail_account.state() if late else None,
            discards=self.discards.of_request(head.request_id) if head.responded_via is not Channel.EMAIL else (),
            polls=self.polls.last(head.deployment_id, head.request_id) if owed and not pushed else None,
            undone=undone,
            dead_letters={queue: self.dead_letters.number(queue) for queue in queues},
        )

    def _undone(self, timeline: Sequence[AuditEvent], now: datetime) -> Sequence[Effect]:
        noted = named_done(timeline)
        effects = [one for one in to_be_done(timeline, now) if (one.request_id, one.name) not in noted]
        states = self.effects.states(effects, now) if effects else {}
        return [effect for effect in effects if states[effect] in (EffectState.UNKNOWN, EffectState.BEGUN)]
