"""What every part of a stack is made of; each is made when it is first asked for, and imports what it needs then."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from flow_hitl.platform.environment import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from flow_hitl.platform.call_log import DynamoCallLog
    from flow_hitl.platform.dead_letter_counts import SqsDeadLetterCounts
    from flow_hitl.platform.kms_secret_box import KmsSecretBox
    from flow_hitl.platform.messages import SqsMessages
    from flow_hitl.platform.once import Once
    from flow_hitl.platform.outgoing_url import Destinations
    from flow_hitl.platform.ports import Clock, Ids
    from flow_hitl.platform.read_together import DynamoReader
    from flow_hitl.platform.secret_key_ring import SecretKeyRing


class PlatformParts:
    """One stack's settings, clock and ids, and what stands on nothing else."""

    def __init__(self, settings: Settings, clock: Clock, ids: Ids, jitter: Callable[[], float]) -> None:
        self.settings, self.clock, self.ids, self.jitter = settings, clock, ids, jitter

    def pause(self, round_number: int) -> None:
        """Wait a random while that grows with each round in which somebody else was in between."""
        self.clock.sleep(self.jitter() * 0.05 * 2**round_number)

    def client(self, service: str) -> Any:
        """Return the process's client of an AWS service."""
        from flow_hitl.platform.aws import client

        return client(service, self.settings.aws_client)

    def messages(self, queue: str) -> SqsMessages:
        """Return a queue by its name."""
        from flow_hitl.platform.messages import SqsMessages

        return SqsMessages(self.client("sqs"), self.settings.queue_url(queue))

    @cached_property
    def _together(self) -> DynamoReader:
        from flow_hitl.platform.read_together import DynamoReader

        return DynamoReader(self.client("dynamodb"), self.pause)

    @cached_property
    def _calls(self) -> DynamoCallLog:
        from flow_hitl.platform.call_log import DynamoCallLog

        return DynamoCallLog(self.client("dynamodb"), self.settings.requests_table, self.pause)

    @cached_property
    def _dead_letters(self) -> SqsDeadLetterCounts:
        from flow_hitl.platform.dead_letter_counts import SqsDeadLetterCounts

        return SqsDeadLetterCounts(self.client("sqs"), self.settings.dead_letter_queue_url)

    @cached_property
    def _secret_box(self) -> KmsSecretBox:
        from flow_hitl.platform.kms_secret_box import KmsSecretBox

        return KmsSecretBox(lambda: self.client("kms"), self.settings.webhook_key_id)

    @cached_property
    def _keys(self) -> SecretKeyRing:
        from flow_hitl.platform.secret_key_ring import SecretKeyRing

        return SecretKeyRing(lambda: self.client("secretsmanager"), self.settings.signing_secret_id, self.clock)

    @cached_property
    def destinations(self) -> Destinations:
        """Where the operator lets webhooks and resume URLs lead."""
        from flow_hitl.platform.outgoing_url import Destinations

        return Destinations.parse(self.settings.allowed_networks, insecure=self.settings.insecure_urls_allowed)

    @cached_property
    def once(self) -> Once:
        from flow_hitl.platform.once import Once

        return Once(self._calls, lambda: self._secret_box)
