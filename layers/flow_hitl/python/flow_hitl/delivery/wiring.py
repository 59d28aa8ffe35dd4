"""From an audit event to its effects, and back to the flow."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from flow_hitl.requests.wiring import RequestsParts

if TYPE_CHECKING:
    from flow_hitl.delivery.ask_flow import AskFlow
    from flow_hitl.delivery.forget_schedules import ForgetSchedules
    from flow_hitl.delivery.redrive_dead_letters import RedriveDeadLetters
    from flow_hitl.delivery.relay_event import RelayEvent
    from flow_hitl.delivery.resume_flow import ResumeFlow
    from flow_hitl.delivery.retry_resume import RetryResume


class DeliveryParts(RequestsParts):
    @cached_property
    def retry_resume(self) -> RetryResume:
        from flow_hitl.delivery.retry_resume import RetryResume

        return RetryResume(self._requests, self._change_request)

    @cached_property
    def forget_schedules(self) -> ForgetSchedules:
        from flow_hitl.delivery.forget_schedules import ForgetSchedules

        return ForgetSchedules(self._deadlines)

    @cached_property
    def redrive_dead_letters(self) -> RedriveDeadLetters:
        from flow_hitl.delivery.dead_letter_queues import SqsDeadLetterQueues
        from flow_hitl.delivery.redrive_dead_letters import RedriveDeadLetters

        return RedriveDeadLetters(SqsDeadLetterQueues(self.client("sqs"), self.settings), self.clock)

    @cached_property
    def relay_event(self) -> RelayEvent:
        from flow_hitl.audit.effects import MAILS, EffectKind
        from flow_hitl.delivery.queues import SqsEffectQueue
        from flow_hitl.delivery.relay_event import RelayEvent

        queue_urls = {
            **dict.fromkeys(MAILS, self.settings.queue_url("email")),
            EffectKind.RECEIPT: self.settings.queue_url("receipt"),
            EffectKind.RESUME: self.settings.queue_url("resume"),
            EffectKind.ASK_FLOW: self.settings.queue_url("resume"),
            EffectKind.WEBHOOK: self.settings.queue_url("webhook"),
        }
        queue = SqsEffectQueue(self.client("sqs"), queue_urls)
        # Most events need no configuration, so they do not import its store.
        return RelayEvent(queue, self._deadlines, lambda: self._deployments, self.clock)

    @cached_property
    def resume_flow(self) -> ResumeFlow:
        from flow_hitl.delivery.resume_flow import ResumeFlow
        from flow_hitl.platform.http_poster import SafeHttpPoster

        return ResumeFlow(
            requests=self._requests,
            audit=self._audit,
            deployments=self._deployments,
            effects=self._effects,
            read=self._together,
            poster=SafeHttpPoster(self.destinations, total_seconds=20.0),
            change_request=self._change_request,
            shown=self.shown,
            keys=self._keys,
            clock=self.clock,
        )

    @cached_property
    def ask_flow(self) -> AskFlow:
        from flow_hitl.delivery.ask_flow import AskFlow
        from flow_hitl.platform.http_poster import SafeHttpPoster

        return AskFlow(
            requests=self._requests,
            audit=self._audit,
            deployments=self._deployments,
            effects=self._effects,
            read=self._together,
            poster=SafeHttpPoster(self.destinations, total_seconds=20.0),
            change_request=self._change_request,
            shown=self.shown,
            keys=self._keys,
            clock=self.clock,
        )
