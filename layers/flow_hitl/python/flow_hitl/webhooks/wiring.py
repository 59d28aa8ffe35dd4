"""Webhooks."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from flow_hitl.requests.wiring import RequestsParts

if TYPE_CHECKING:
    from flow_hitl.webhooks.answer_by_callback import AnswerByCallback
    from flow_hitl.webhooks.ask_by_callback import AskByCallback
    from flow_hitl.webhooks.delivery_queue import SqsDeliveryQueue
    from flow_hitl.webhooks.manage_webhooks import ManageWebhooks
    from flow_hitl.webhooks.send_webhook import FanOutWebhooks, SendWebhook
    from flow_hitl.webhooks.show_content import ShowContent
    from flow_hitl.webhooks.webhook_store import DynamoDeliveryLog, DynamoWebhookStore


class WebhooksParts(RequestsParts):
    @cached_property
    def _webhooks(self) -> DynamoWebhookStore:
        from flow_hitl.webhooks.webhook_store import DynamoWebhookStore

        return DynamoWebhookStore(self.client("dynamodb"), self.settings.deployments_table)

    @cached_property
    def _deliveries(self) -> DynamoDeliveryLog:
        from flow_hitl.webhooks.webhook_store import DynamoDeliveryLog

        settings = self.settings
        return DynamoDeliveryLog(
            self.client("dynamodb"), settings.deployments_table, settings.requests_table, self.pause
        )

    @cached_property
    def _delivery_queue(self) -> SqsDeliveryQueue:
        from flow_hitl.webhooks.delivery_queue import SqsDeliveryQueue

        return SqsDeliveryQueue(self.client("sqs"), self.settings.queue_url("webhook"))

    @cached_property
    def answer_by_callback(self) -> AnswerByCallback:
        from flow_hitl.webhooks.answer_by_callback import AnswerByCallback

        return AnswerByCallback(self.record_response, self._webhooks, self._keys, self.ids)

    @cached_property
    def ask_by_callback(self) -> AskByCallback:
        from flow_hitl.webhooks.ask_by_callback import AskByCallback

        return AskByCallback(self.ask_back, self._webhooks, self._keys)

    @cached_property
    def show_content(self) -> ShowContent:
        from flow_hitl.webhooks.show_content import ShowContent

        return ShowContent(self._requests, self._webhooks, self._keys, self.clock)

    @cached_property
    def fan_out_webhooks(self) -> FanOutWebhooks:
        from flow_hitl.webhooks.send_webhook import FanOutWebhooks

        return FanOutWebhooks(
            audit=self._audit,
            webhooks=self._webhooks,
            deliveries=self._deliveries,
            effects=self._effects,
            queue=self._delivery_queue,
            clock=self.clock,
        )

    @cached_property
    def send_webhook(self) -> SendWebhook:
        from flow_hitl.platform.http_poster import SafeHttpPoster
        from flow_hitl.webhooks.send_webhook import SendWebhook

        return SendWebhook(
            read=self._together,
            requests=self._requests,
            audit=self._audit,
            deployments=self._deployments,
            webhooks=self._webhooks,
            deliveries=self._deliveries,
            poster=SafeHttpPoster(self.destinations, total_seconds=30.0),
            addresses=self.answer_addresses,
            box=self._secret_box,
            change_request=self._change_request,
            clock=self.clock,
        )

    @cached_property
    def manage_webhooks(self) -> ManageWebhooks:
        from flow_hitl.webhooks.manage_webhooks import ManageWebhooks

        return ManageWebhooks(
            webhooks=self._webhooks,
            deliveries=self._deliveries,
            queue=self._delivery_queue,
            change_configuration=self.change_configuration,
            once=self.once,
            box=self._secret_box,
            destinations=self.destinations,
            clock=self.clock,
            ids=self.ids,
        )
