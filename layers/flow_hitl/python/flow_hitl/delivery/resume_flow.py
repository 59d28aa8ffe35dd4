"""Resume the flow: POST the signed answer to the request's `resume_url` until it is accepted or a day has passed."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Literal, NoReturn
from urllib.parse import urlsplit

from flow_hitl.audit.chain import AuditEvent, EventKind
from flow_hitl.audit.effects import Effect
from flow_hitl.audit.ports import AuditLog, EffectLog
from flow_hitl.contract.shapes import as_json
from flow_hitl.delivery.retries import RESUME
from flow_hitl.deployments.deployment import Deployment
from flow_hitl.deployments.ports import DeploymentStore
from flow_hitl.deployments.resume_secret import resume_secret_of
from flow_hitl.platform.key_ring import KeyRing
from flow_hitl.platform.ports import Clock, HttpPoster, PostResult, ReadTogether
from flow_hitl.platform.records import dataclass, replace
from flow_hitl.platform.webhook_signature import signature_headers
from flow_hitl.platform.worker_times import WORKER
from flow_hitl.requests.bound import told_problems
from flow_hitl.requests.changing.change_request import ChangeRequest
from flow_hitl.requests.ports import RequestStore
from flow_hitl.requests.request import Change, Head, Request, RequestShown, Resume, ResumeStatus, Stamp, note

_NOT_TOLD = "Not sent: the stored answer is not the one in the audit log; it "


class NotDelivered(Exception):
    """The attempt failed; retry after `pause_seconds`, or never if None."""

    def __init__(self, pause_seconds: int | None) -> None:
        super().__init__(f"try again in {pause_seconds} s" if pause_seconds is not None else "given up")
        self.pause_seconds = pause_seconds


def claimed(effects: EffectLog, effect: Effect, attempt: int, now: datetime) -> bool:
    """Claim what a flow is to be told, for attempt number `attempt` (from 1); return whether that is still to be done.

    Raises NotDelivered after the last attempt, and EffectBusy.
    """
    if attempt > RESUME.attempts:
        # The queue allows a few extra deliveries for messages that found their effect busy.
        raise NotDelivered(None)
    return effects.claim(effect, now, WORKER.lease)


def give_back(effects: EffectLog, effect: Effect, pause_seconds: int | None) -> NoReturn:
    """Let the next attempt claim it; raises NotDelivered."""
    effects.release(effect)
    raise NotDelivered(pause_seconds)


def attempt_data(effect: Effect, url: str, attempt: int, result: PostResult) -> dict[str, Any]:
    """Return what the log keeps of an attempt to tell a flow."""
    return {
        "attempt": attempt,
        "delivered": result.delivered,
        "result": result.reason,
        # The full URL may contain a secret.
        "host": urlsplit(url).hostname,
        **({"did": effect.name} if result.delivered else {}),
    }


@dataclass(frozen=True)
class ResumeFlow:
    """Deliver one decision to its flow at least once; each attempt is on the timeline."""

    requests: RequestStore
    audit: AuditLog
    deployments: DeploymentStore
    effects: EffectLog
    read: ReadTogether
    poster: HttpPoster
    change_request: ChangeRequest
    shown: Callable[[Request], RequestShown]
    keys: KeyRing
    clock: Clock

    def __call__(self, effect: Effect, attempt: int) -> None:
        """Make attempt number `attempt` (from 1); raises NotDelivered and EffectBusy."""
        if not claimed(self.effects, effect, attempt, self.clock.now()):
            return
        request, events, deployment = self._read(effect)
        url = request.content.resume_url
        if url is None or _is_void(request.head, effect):
            self.effects.complete(effect)
            return
        changed = told_problems(request, events, partial(self.audit.later, effect.request_id))
        # What was changed behind the log's back is tried again: an operator may repair it in the meantime.
        result = PostResult(None, _NOT_TOLD + "; ".join(changed)) if changed else self._post(url, request, deployment)
        pause = None if result.delivered else RESUME.pause_after(attempt)

        def step(head: Head, stamp: Stamp) -> Change:
            resume = _after_attempt(head, result, gave_up=pause is None)
            data = attempt_data(effect, url, resume.attempts, result)
            return note(head, EventKind.RESUME_ATTEMPTED, data, stamp=stamp, resume=resume)

        self.change_request(effect.request_id, step, known=request)
        if not result.delivered:
            give_back(self.effects, effect, pause)

    def _read(self, effect: Effect) -> tuple[Request, Sequence[AuditEvent], Deployment]:
        """Read all that the flow is told by, in one call; a message of before does not name the deployment."""
        request_id = effect.request_id
        request, events = self.requests.reading(request_id), self.audit.reading_first(request_id, effect.event_seq)
        if effect.about.isdecimal():
            # Only its resume secret matters, and a new one may sign a second later.
            configured = replace(self.deployments.reading(int(effect.about)), may_lag=True)
            found, told, deployment = self.read(request, events, configured)
            # A message proves nothing: only the request says whose it is.
            if deployment.deployment_id == found.head.deployment_id:
                return found, told, deployment
        else:
            found, told = self.read(request, events)
        return found, told, self.deployments.load(found.head.deployment_id)

    def _post(self, url: str, request: Request, deployment: Deployment) -> PostResult:
        payload = ResumePayload("response_submitted", self.shown(request))
        body = json.dumps(as_json(payload), ensure_ascii=False).encode()
        return self.poster.post(
            url, body, signed(self.keys, deployment, body, self.clock.now(), request.head.request_id)
        )


def signed(keys: KeyRing, deployment: Deployment, body: bytes, now: datetime, once: str) -> dict[str, str]:
    """Return the headers with which a body goes to a flow; `once` tells a repeated one."""
    secret = resume_secret_of(keys, deployment.deployment_id, deployment.resume_secret_at(now))
    return {**signature_headers(secret, body, now), "Idempotency-Key": once}


@dataclass(frozen=True)
class ResumePayload:
    """What is POSTed to a `resume_url`."""

    event: Literal["response_submitted"]
    """Always `response_submitted`."""
    request: RequestShown
    """The request with its response."""


def _is_void(head: Head, effect: Effect) -> bool:
    """Tell whether the effect is obsolete: a retry or the coming receipt replaces it, or the answer was delivered."""
    resume = head.resume
    if head.with_receipt and head.receipt is None:
        return True
    return resume is not None and (effect.event_seq < resume.retried_by or resume.status is ResumeStatus.DELIVERED)


def _after_attempt(head: Head, result: PostResult, *, gave_up: bool) -> Resume:
    before = head.resume or Resume(ResumeStatus.WAITING)
    status = ResumeStatus.DELIVERED if result.delivered else ResumeStatus.FAILED if gave_up else ResumeStatus.WAITING
    # What the flow itself reported outranks our delivery.
    if before.status not in (ResumeStatus.WAITING, ResumeStatus.FAILED):
        status = before.status
    return replace(before, status=status, attempts=before.attempts + 1, last_status=result.status)
