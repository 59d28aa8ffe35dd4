"""Who is calling and who is looking."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from flow_hitl.deployments.wiring import DeploymentsParts

if TYPE_CHECKING:
    from flow_hitl.people.authenticate import Authenticate
    from flow_hitl.people.sign_in import SignIn
    from flow_hitl.people.sign_in_store import DynamoSessionStore, DynamoSignInTries
    from flow_hitl.people.signed_in import Visits


class PeopleParts(DeploymentsParts):
    @cached_property
    def _sign_in_tries(self) -> DynamoSignInTries:
        from flow_hitl.people.sign_in_store import DynamoSignInTries

        return DynamoSignInTries(self.client("dynamodb"), self.settings.requests_table)

    @cached_property
    def _sessions(self) -> DynamoSessionStore:
        from flow_hitl.people.sign_in_store import DynamoSessionStore

        return DynamoSessionStore(self.client("dynamodb"), self.settings.requests_table)

    @cached_property
    def authenticate(self) -> Authenticate:
        from flow_hitl.people.authenticate import Authenticate

        return Authenticate(self._deployments, self._key_uses, self.clock)

    @cached_property
    def sign_in(self) -> SignIn:
        from flow_hitl.people.sign_in import SignIn
        from flow_hitl.people.sign_in_queue import SqsSignInQueue
        from flow_hitl.people.sign_in_store import DynamoRateCounters

        return SignIn(
            tries=self._sign_in_tries,
            sessions=self._sessions,
            queue=SqsSignInQueue(self.client("sqs"), self.settings.queue_url("email")),
            counters=DynamoRateCounters(self.client("dynamodb"), self.settings.requests_table),
            keys=self._keys,
            clock=self.clock,
            ids=self.ids,
            pause=self.pause,
        )

    @cached_property
    def visits(self) -> Visits:
        from flow_hitl.people.signed_in import Visits

        return Visits(
            read=self._together,
            sessions=self._sessions,
            deployments=self._deployments,
            change_configuration=self.change_configuration,
            keys=self._keys,
            clock=self.clock,
            pause=self.pause,
        )
