"""Erasing one person's data, on an operator's command: first only looked for, then erased, as often as it is called.

What the audit log says stays, and so do the records that it binds: who was asked, and who decided.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from flow_hitl.audit.chain import AuditEvent, EventKind, data_of, request_subject
from flow_hitl.audit.effects import MAILS, Effect, effects_of
from flow_hitl.audit.ports import AuditArchive, AuditRecord, EffectRecords
from flow_hitl.deployments.change_configuration import ChangeConfiguration, Configured
from flow_hitl.deployments.deployment import OPERATOR, Deployment, Group, Member, RoutingRule
from flow_hitl.deployments.ports import DeploymentStore
from flow_hitl.mails.ports import SuppressionList
from flow_hitl.people.ports import SessionStore
from flow_hitl.platform.address import same_address
from flow_hitl.platform.ports import Clock
from flow_hitl.platform.records import dataclass
from flow_hitl.replies.ports import DiscardLog
from flow_hitl.replies.rejections import DISCARDS_KEPT
from flow_hitl.requests.bound import StoredRequest
from flow_hitl.requests.changing.erasure import NotErasable
from flow_hitl.requests.ports import RequestStore, SearchLog
from flow_hitl.requests.request import Head, Status
from flow_hitl.retention.keep_retention import EraseContent, emails_in
from flow_hitl.retention.ports import StoredObjects

_AT_ONCE = 100


@dataclass(frozen=True)
class Configuration:
    """Where a deployment's configuration names a person.

    `by_hand` are sentences about what an operator must change: whatever goes to the person now.
    """

    deployment_id: int
    members: int
    aliases: int
    groups: tuple[str, ...]
    by_hand: tuple[str, ...]

    @property
    def is_named(self) -> bool:
        return bool(self.members or self.aliases or self.groups or self.by_hand)


@dataclass(frozen=True)
class Named:
    """A request that names a person.

    `has_content`: its content is still there. `emails`: how many of the received emails that its log names are kept.
    `records`: how many records of sent emails there are, beside the log. `why_kept` says why nothing of it is erased:
    it is pending, or was changed.
    """

    deployment_id: int
    request_id: str
    has_content: bool
    emails: int
    records: int = 0
    why_kept: str | None = None

    @property
    def is_left(self) -> bool:
        """Tell whether there is anything of it that is erased, or would be."""
        return self.why_kept is None and bool(self.has_content or self.emails or self.records)


@dataclass(frozen=True)
class Walked:
    """A sign of life: so many requests of a deployment were looked through."""

    deployment_id: int
    requests: int


@dataclass(frozen=True)
class Apart:
    """What is kept of a person beside deployments; `discarded`: received emails that decided nothing."""

    is_suppressed: bool
    discarded: int = 0


@dataclass(frozen=True)
class ErasePerson:
    deployments: DeploymentStore
    audit: AuditArchive
    requests: RequestStore
    search: SearchLog
    effects: EffectRecords
    discards: DiscardLog
    erase_content: EraseContent
    objects: StoredObjects
    suppressed: SuppressionList
    sessions: SessionStore
    change_configuration: ChangeConfiguration
    clock: Clock

    def __call__(self, address: str, *, really: bool) -> Iterator[Configuration | Named | Walked | Apart]:
        """Yield what there is of a person, and with `really` erase it as it goes.

        It may end at any time, and be called again: it finds what is left.
        """
        theirs = set[str]()
        for deployment_id in sorted(self.deployments.list_ids()):
            named = configuration_of(self.deployments.load(deployment_id), address)
            if named.is_named:
                yield named
            if really and (named.members or named.aliases or named.groups):
                self._unname(deployment_id, address)
            yield from self._requests(deployment_id, address, theirs, really=really)
        discarded = self._discarded(address, theirs, really=really)
        is_suppressed = any(same_address(str(one["address"]), address) for one in self.suppressed.entries())
        yield Apart(is_suppressed, discarded)
        if really:
            self.suppressed.remove(address)
            self.sessions.forget(address)

    def _unname(self, deployment_id: int, address: str) -> None:
        def step(found: Deployment) -> Configured | None:
            named, left = configuration_of(found, address), _without(found, address)
            if left == found:
                return None
            # Not by their address, which the log would keep.
            facts = {"members": named.members, "aliases": named.aliases, "groups": list(named.groups)}
            return Configured(left, None, facts)

        self.change_configuration(deployment_id, EventKind.PERSON_ERASED, OPERATOR, step)

    def _requests(
        self, deployment_id: int, address: str, theirs: set[str], *, really: bool
    ) -> Iterator[Named | Walked]:
        since, until = self._lifetime(deployment_id)
        cursor, walked = None, 0
        while True:
            ids, cursor = self.requests.opened_between(deployment_id, since, until, _AT_ONCE, cursor)
            done: list[Head] = []
            for request_id, stored in self.requests.stored(ids).items():
                if names(stored, address):
                    found = self._named(deployment_id, request_id, stored)
                    found = self._erase(found, done) if really and found.why_kept is None else found
                    if found.why_kept is None:
                        theirs.add(request_id)
                    yield found
            if done:
                self.search.rewrite(deployment_id, done)
            walked += len(ids)
            yield Walked(deployment_id, walked)
            if cursor is None:
                return

    def _lifetime(self, deployment_id: int) -> tuple[datetime, datetime]:
        now = self.clock.now()
        first = self.audit.first_events([deployment_id]).get(deployment_id)
        return (first.at if first is not None else now), now + timedelta(days=1)

    def _named(self, deployment_id: int, request_id: str, stored: StoredRequest) -> Named:
        head = stored.head
        if head is None or head.status is Status.PENDING:
            why_kept = "is pending" if head is not None else "cannot be read"
            return Named(deployment_id, request_id, True, 0, why_kept=why_kept)
        chain = self.audit.chain(request_subject(request_id))
        emails = sum(map(self.objects.has_email, _emails(chain)))
        records = len(self.effects.recorded(_sent_emails(chain)))
        return Named(deployment_id, request_id, head.content_erased_at is None, emails, records)

    def _erase(self, found: Named, done: list[Head]) -> Named:
        try:
            done.append(self.erase_content(found.request_id, {"reason": "person"}))
        except NotErasable as kept:
            return replace(found, why_kept=str(kept))
        chain = self.audit.chain(request_subject(found.request_id))
        self.objects.remove_emails(_emails(chain))
        # Only now: none of these emails is sent any more.
        self.effects.forget(self.effects.recorded(_sent_emails(chain)))
        return found

    def _discarded(self, address: str, theirs: Collection[str], *, really: bool) -> int:
        """Return how many emails decided nothing and were about the requests `theirs`, or name the person."""
        number, day, last = 0, (self.clock.now() - DISCARDS_KEPT).date(), self.clock.now().date()
        while day <= last:
            for one in self.discards.of_day(day):
                if one.request_id in theirs or address.casefold() in f"{one.reason} {one.details!r}".casefold():
                    number += 1
                    if really:
                        self.objects.remove_emails([one.message_id])
                        self.discards.forget(one)
            day += timedelta(days=1)
        return number


def _emails(chain: Sequence[AuditRecord]) -> Sequence[str]:
    return list(dict.fromkeys(one for event in chain for one in emails_in(data_of(event))))


def _sent_emails(chain: Sequence[AuditRecord]) -> Sequence[Effect]:
    """Return the emails that followed from the events of a request: their records may name whom they were for."""
    found: list[Effect] = []
    for record in chain:
        # One that nobody of us wrote has nothing that follows from it.
        with suppress(AttributeError, KeyError, TypeError, ValueError):
            found += [one for one in effects_of(AuditEvent.from_dict(record)) if one.kind in MAILS]
    return found


def names(stored: StoredRequest, address: str) -> bool:
    """Tell whether a request was ever that person's, answered by them, or has their address in its content."""
    head, response = stored.head, stored.response
    people = [*head.responders, head.assigned_before, head.passed_on_by, *head.not_to_be_answered_by] if head else []
    people.append(response.responder if response else None)
    if any(one and same_address(one, address) for one in people):
        return True
    # Wherever in it, at whatever depth.
    return address.casefold() in f"{stored.content!r} {head.thread if head else ()!r}".casefold()


def configuration_of(deployment: Deployment, address: str) -> Configuration:
    """Return where a deployment's configuration names a person."""
    groups = [one for one in deployment.settings.groups if _is_in(one, address)]
    by_hand = [f"the routing rule {one.name} assigns to them" for one in deployment.rules if _goes_to(one, address)]
    by_hand += [f"the group {one.names[0]} has nobody else" for one in groups if len(one.members) == 1]
    if same_address(deployment.creator_email, address):
        by_hand.append("they created the deployment, and get what goes to nobody else")
    return Configuration(
        deployment.deployment_id,
        sum(same_address(one.email, address) for one in deployment.members),
        sum(same_address(alias, address) for one in deployment.members for alias in one.aliases),
        tuple(one.names[0] for one in groups if len(one.members) > 1),
        tuple(by_hand),
    )


def _without(deployment: Deployment, address: str) -> Deployment:
    """Return a deployment without a person, but where nobody else would be left."""

    def member(one: Member) -> Member:
        return replace(one, aliases=tuple(alias for alias in one.aliases if not same_address(alias, address)))

    def group(one: Group) -> Group:
        left = tuple(each for each in one.members if not same_address(each, address))
        return replace(one, members=left or one.members)

    return replace(
        deployment,
        members=tuple(member(one) for one in deployment.members if not same_address(one.email, address)),
        settings=replace(deployment.settings, groups=tuple(map(group, deployment.settings.groups))),
    )


def _is_in(group: Group, address: str) -> bool:
    return any(same_address(one, address) for one in group.members)


def _goes_to(rule: RoutingRule, address: str) -> bool:
    return rule.assign_to_email is not None and same_address(rule.assign_to_email, address)
