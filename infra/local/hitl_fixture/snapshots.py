"""Snapshots of moto, to return to."""

import copy
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from infra.local.hitl_fixture.between import BetweenFunctions
from infra.local.hitl_fixture.clock import CountedIds
from infra.local.hitl_fixture.copies import copied
from infra.local.hitl_fixture.seen import Mail


@dataclass(frozen=True)
class Snapshot:
    """All that moto holds at one moment; can be restored any number of times."""

    places: Sequence[tuple[Any, str, str]]
    backends: Sequence[Any]

    @classmethod
    def take(cls) -> Self:
        from moto.core.base_backend import BackendDict

        in_use: Any = BackendDict
        found = [(service, *place) for service in in_use._instances for place in service.iter_backends()]
        places = [(service, account, region) for service, account, region, _ in found]
        return cls(places, _copied([backend for *_, backend in found]))

    def restore(self) -> None:
        from moto.core.base_backend import BackendDict

        in_use: Any = BackendDict
        for service in in_use._instances:
            for of_account in service.values():
                of_account.clear()
        for (service, account, region), backend in zip(self.places, _copied(self.backends), strict=True):
            service[account][region] = backend


def _copied(backends: Sequence[Any]) -> Sequence[Any]:
    from moto.sqs.models import SQSBackend

    queues = [queue for one in backends if isinstance(one, SQSBackend) for queue in one.queues.values()]
    # Locks cannot be copied; with one thread, the copies can share them.
    made: Sequence[Any] = copied(backends, {id(queue._messages_lock): queue._messages_lock for queue in queues})
    return made


@dataclass(frozen=True)
class Moment:
    """A deployment at one moment, from which any `Hitl` can continue."""

    snapshot: Snapshot
    now: datetime
    ids_given: int
    relayed: Set[tuple[str, int]]
    mail_ids: Iterator[int]
    mails: Sequence[Mail]
    swept_at: datetime

    @classmethod
    def of(cls, hitl: BetweenFunctions) -> Self:
        return cls(
            Snapshot.take(),
            hitl.clock.now(),
            ids_given(),
            set(hitl._relayed),
            copy.copy(hitl._mail_ids),
            list(hitl._mails),
            hitl._swept_at,
        )

    @classmethod
    def kept(cls, hitl: BetweenFunctions) -> Self:
        """Return a moment that can be restored after the test has ended, too."""
        from moto.s3.models import FakeKey

        # At the end, moto closes every S3 object that it knows, and complains about others: not about these.
        keys: Any = FakeKey
        known = list(keys.instances_tracked)
        moment = cls.of(hitl)
        for key in keys.instances_tracked[len(known) :]:
            key.disposed = True
        keys.instances_tracked = known
        return moment

    def restore(self, hitl: BetweenFunctions) -> None:
        from flow_hitl.bootstrap import Application, current, use

        self.snapshot.restore()
        hitl.clock.turn_back_to(self.now)
        hitl._relayed, hitl._swept_at = set(self.relayed), self.swept_at
        hitl._mail_ids, hitl._mails = copy.copy(self.mail_ids), list(self.mails)
        before = current()
        use(Application(before.settings, hitl.clock, CountedIds(self.ids_given), before.jitter))


def ids_given() -> int:
    from flow_hitl.bootstrap import current

    ids = current().ids
    assert isinstance(ids, CountedIds)
    return ids.given
