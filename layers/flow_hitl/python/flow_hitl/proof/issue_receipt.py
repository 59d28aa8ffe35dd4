"""Sign the receipt of a decision, after the decision: whatever happens here, the decision stands."""

from flow_hitl.audit.effects import Effect
from flow_hitl.audit.ports import AuditLog, EffectLog
from flow_hitl.platform.ports import Clock
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.worker_times import WORKER
from flow_hitl.proof.ports import SealKey
from flow_hitl.proof.receipt import claims_of, receipt_of, signing_input
from flow_hitl.proof.verify_audit import fingerprint
from flow_hitl.requests.bound import decision_in, told_problems
from flow_hitl.requests.changing.change_request import ChangeRequest
from flow_hitl.requests.ports import RequestStore
from flow_hitl.requests.request import Change, Head, Stamp, issue_receipt


class NotAsDecided(Exception):
    """The stored answer or content is not what the decision's event binds, so it is not signed."""


@dataclass(frozen=True)
class IssueReceipt:
    """Sign one decision's receipt and keep it with the request: once, however often it is called."""

    requests: RequestStore
    audit: AuditLog
    effects: EffectLog
    key: SealKey
    change_request: ChangeRequest
    clock: Clock

    def __call__(self, effect: Effect) -> None:
        """Perform the effect of a decision; raises EffectBusy, NotAsDecided, and what KMS raises."""
        if not self.effects.claim(effect, self.clock.now(), WORKER.lease):
            return
        try:
            self._issue(effect)
        except Exception:
            self.effects.release(effect)
            raise

    def _issue(self, effect: Effect) -> None:
        request = self.requests.load(effect.request_id)
        if request.head.receipt is not None:
            self.effects.complete(effect)
            return
        events = self.audit.timeline(effect.request_id)
        decision = decision_in(events)
        problems = told_problems(request, events, lambda seq: [event for event in events if event.seq > seq])
        if problems or decision is None:
            raise NotAsDecided(f"The decision of request {effect.request_id} {'; '.join(problems)}.")
        key = fingerprint(self.key.public_key())
        signed = signing_input(claims_of(request, decision), key)
        receipt = receipt_of(signed, self.key.sign(signed))

        def step(head: Head, stamp: Stamp) -> Change | None:
            push = request.content.resume_url is not None
            return issue_receipt(head, receipt, key, push=push, did=effect.name, stamp=stamp)

        self.change_request(effect.request_id, step, known=request)
