"""The adapters of one stack, each made when it is first asked for; `bootstrap.py` joins them with the services."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from flow_hitl.platform.environment import Settings

if TYPE_CHECKING:
    from flow_hitl.audit.audit_log import DynamoAuditLog
    from flow_hitl.audit.effect_log import DynamoEffectLog
    from flow_hitl.delivery.queues import SqsMessages
    from flow_hitl.deployments.deployment_store import DynamoDeploymentStore
    from flow_hitl.mails.mail_account import SesAccount
    from flow_hitl.mails.suppression_list import DynamoSuppressionList
    from flow_hitl.metrics.metric_store import DynamoMetricStore
    from flow_hitl.people.key_uses import DynamoKeyUses
    from flow_hitl.people.sign_in_store import DynamoSignInTries
    from flow_hitl.platform.call_log import DynamoCallLog
    from flow_hitl.platform.dead_letters import SqsDeadLetters
    from flow_hitl.platform.kms_secret_box import KmsSecretBox
    from flow_hitl.platform.ports import Clock, Ids
    from flow_hitl.platform.secret_key_ring import SecretKeyRing
    from flow_hitl.proof.export_queue import SqsExportQueue
    from flow_hitl.proof.export_store import DynamoExportStore, S3ExportFiles
    from flow_hitl.proof.seal_store import KmsSealKey, S3SealStore
    from flow_hitl.replies.discard_log import DynamoDiscardLog
    from flow_hitl.requests.store.deadlines import SchedulerDeadlines
    from flow_hitl.requests.store.poll_log import DynamoPolls
    from flow_hitl.requests.store.request_rows import DynamoRequestRows
    from flow_hitl.requests.store.request_store import DynamoRequestStore
    from flow_hitl.webhooks.delivery_queue import SqsDeliveryQueue
    from flow_hitl.webhooks.webhook_store import DynamoDeliveryLog, DynamoWebhookStore


class Edge:
    """What the services reach AWS, mail and time by."""

    def __init__(self, settings: Settings, clock: Clock, ids: Ids, jitter: Callable[[], float]) -> None:
        self.settings, self.clock, self.ids, self.jitter = settings, clock, ids, jitter

    def pause(self, round_number: int) -> None:
        """Wait a random while that grows with each round in which somebody else was in between."""
        self.clock.sleep(self.jitter() * 0.05 * 2**round_number)

    @cached_property
    def mail_account(self) -> SesAccount:
        from flow_hitl.mails.mail_account import SesAccount
        from flow_hitl.platform.address import domain_of
        from flow_hitl.platform.aws import client

        return SesAccount(client("sesv2"), domain_of(self.settings.mail_from))

    @cached_property
    def suppressed(self) -> DynamoSuppressionList:
        from flow_hitl.mails.suppression_list import DynamoSuppressionList
        from flow_hitl.platform.aws import client

        return DynamoSuppressionList(client("dynamodb"), self.settings.requests_table)

    @cached_property
    def relay_retries(self) -> SqsMessages:
        return self._messages(self.settings.relay_retry_queue_url)

    @cached_property
    def measure_retries(self) -> SqsMessages:
        return self._messages(self.settings.measure_retry_queue_url)

    @cached_property
    def seal_messages(self) -> SqsMessages:
        return self._messages(self.settings.seal_queue_url)

    @cached_property
    def export_queue(self) -> SqsExportQueue:
        from flow_hitl.platform.aws import client
        from flow_hitl.proof.export_queue import SqsExportQueue

        return SqsExportQueue(client("sqs"), self.settings.export_queue_url)

    @cached_property
    def resume_messages(self) -> SqsMessages:
        return self._messages(self.settings.resume_queue_url)

    def _messages(self, queue_url: str) -> SqsMessages:
        from flow_hitl.delivery.queues import SqsMessages
        from flow_hitl.platform.aws import client

        return SqsMessages(client("sqs"), queue_url)

    @cached_property
    def _requests(self) -> DynamoRequestStore:
        from flow_hitl.platform.aws import client
        from flow_hitl.requests.store.request_store import DynamoRequestStore

        settings = self.settings
        return DynamoRequestStore(
            client("dynamodb"),
            lambda: client("s3"),
            settings.requests_table,
            settings.audit_table,
            settings.content_bucket,
            self.pause,
        )

    @cached_property
    def _rows(self) -> DynamoRequestRows:
        from flow_hitl.platform.aws import client
        from flow_hitl.requests.store.request_rows import DynamoRequestRows

        return DynamoRequestRows(client("dynamodb"), self.settings.requests_table)

    @cached_property
    def _audit(self) -> DynamoAuditLog:
        from flow_hitl.audit.audit_log import DynamoAuditLog
        from flow_hitl.platform.aws import client

        return DynamoAuditLog(client("dynamodb"), self.settings.audit_table, self.pause)

    @cached_property
    def _seals(self) -> S3SealStore:
        from flow_hitl.platform.aws import client
        from flow_hitl.proof.seal_store import S3SealStore

        return S3SealStore(client("s3"), self.settings.seal_bucket)

    @cached_property
    def _seal_key(self) -> KmsSealKey:
        from flow_hitl.platform.aws import client
        from flow_hitl.proof.seal_store import KmsSealKey

        return KmsSealKey(lambda: client("kms"), self.settings.seal_key_id)

    @cached_property
    def _calls(self) -> DynamoCallLog:
        from flow_hitl.platform.aws import client
        from flow_hitl.platform.call_log import DynamoCallLog

        return DynamoCallLog(client("dynamodb"), self.settings.requests_table, self.pause)

    @cached_property
    def _exports(self) -> DynamoExportStore:
        from flow_hitl.platform.aws import client
        from flow_hitl.proof.export_store import DynamoExportStore

        return DynamoExportStore(client("dynamodb"), self.settings.deployments_table)

    @cached_property
    def _export_files(self) -> S3ExportFiles:
        from flow_hitl.platform.aws import client, link_client
        from flow_hitl.proof.export_store import S3ExportFiles

        return S3ExportFiles(client("s3"), link_client, self.settings.export_bucket)

    @cached_property
    def _deployments(self) -> DynamoDeploymentStore:
        from flow_hitl.deployments.deployment_store import DynamoDeploymentStore
        from flow_hitl.platform.aws import client

        settings = self.settings
        return DynamoDeploymentStore(
            client("dynamodb"), settings.deployments_table, settings.audit_table, settings.requests_table
        )

    @cached_property
    def _key_uses(self) -> DynamoKeyUses:
        from flow_hitl.people.key_uses import DynamoKeyUses
        from flow_hitl.platform.aws import client

        return DynamoKeyUses(client("dynamodb"), self.settings.requests_table)

    @cached_property
    def _polls(self) -> DynamoPolls:
        from flow_hitl.platform.aws import client
        from flow_hitl.requests.store.poll_log import DynamoPolls

        return DynamoPolls(client("dynamodb"), self.settings.requests_table)

    @cached_property
    def _dead_letters(self) -> SqsDeadLetters:
        from flow_hitl.platform.aws import client
        from flow_hitl.platform.dead_letters import SqsDeadLetters

        settings = self.settings
        urls = {
            "email": settings.email_dead_letter_queue_url,
            "resume": settings.resume_dead_letter_queue_url,
            "inbound_mail": settings.inbound_mail_dead_letter_queue_url,
            "relay_retry": settings.relay_retry_dead_letter_queue_url,
            "stream": settings.stream_dead_letter_queue_url,
        }
        return SqsDeadLetters(client("sqs"), urls)

    @cached_property
    def _metrics(self) -> DynamoMetricStore:
        from flow_hitl.metrics.metric_store import DynamoMetricStore
        from flow_hitl.platform.aws import client

        return DynamoMetricStore(client("dynamodb"), self.settings.deployments_table, self.pause)

    @cached_property
    def _webhooks(self) -> DynamoWebhookStore:
        from flow_hitl.platform.aws import client
        from flow_hitl.webhooks.webhook_store import DynamoWebhookStore

        return DynamoWebhookStore(client("dynamodb"), self.settings.deployments_table)

    @cached_property
    def _deliveries(self) -> DynamoDeliveryLog:
        from flow_hitl.platform.aws import client
        from flow_hitl.webhooks.webhook_store import DynamoDeliveryLog

        settings = self.settings
        return DynamoDeliveryLog(client("dynamodb"), settings.deployments_table, settings.requests_table, self.pause)

    @cached_property
    def _delivery_queue(self) -> SqsDeliveryQueue:
        from flow_hitl.platform.aws import client
        from flow_hitl.webhooks.delivery_queue import SqsDeliveryQueue

        return SqsDeliveryQueue(client("sqs"), self.settings.webhook_queue_url)

    @cached_property
    def _secret_box(self) -> KmsSecretBox:
        from flow_hitl.platform.aws import client
        from flow_hitl.platform.kms_secret_box import KmsSecretBox

        return KmsSecretBox(lambda: client("kms"), self.settings.webhook_key_id)

    @cached_property
    def _effects(self) -> DynamoEffectLog:
        from flow_hitl.audit.effect_log import DynamoEffectLog
        from flow_hitl.platform.aws import client

        return DynamoEffectLog(client("dynamodb"), self.settings.requests_table)

    @cached_property
    def discards(self) -> DynamoDiscardLog:
        from flow_hitl.platform.aws import client
        from flow_hitl.replies.discard_log import DynamoDiscardLog

        return DynamoDiscardLog(client("dynamodb"), self.settings.requests_table)

    @cached_property
    def _deadlines(self) -> SchedulerDeadlines:
        from flow_hitl.platform.aws import client
        from flow_hitl.requests.store.deadlines import SchedulerDeadlines

        settings = self.settings
        return SchedulerDeadlines(
            scheduler=lambda: client("scheduler"),
            sqs=client("sqs"),
            group=settings.scheduler_group,
            role_arn=settings.scheduler_role_arn,
            queue_arn=settings.deadline_queue_arn,
            queue_url=settings.deadline_queue_url,
        )

    @cached_property
    def _keys(self) -> SecretKeyRing:
        from flow_hitl.platform.aws import client
        from flow_hitl.platform.secret_key_ring import SecretKeyRing

        return SecretKeyRing(lambda: client("secretsmanager"), self.settings.signing_secret_id, self.clock)

    @cached_property
    def _sign_in_tries(self) -> DynamoSignInTries:
        from flow_hitl.people.sign_in_store import DynamoSignInTries
        from flow_hitl.platform.aws import client

        return DynamoSignInTries(client("dynamodb"), self.settings.requests_table)
