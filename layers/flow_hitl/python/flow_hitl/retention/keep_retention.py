"""One run of the schedule: what deployments no longer want to keep is erased, as far as the run gets.

Each day of the log is walked through once, when it is as old as its deployment wants. A request's decision is among its
events, so each is met on its day, and nothing is looked for by a scan.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from flow_hitl.audit.chain import EventKind, data_of, request_subject
from flow_hitl.audit.index import IndexedEvent, midnight
from flow_hitl.audit.ports import AuditArchive
from flow_hitl.deployments.change_configuration import ChangeConfiguration, Configured
from flow_hitl.deployments.deployment import Deployment
from flow_hitl.deployments.ports import DeploymentStore
from flow_hitl.platform.errors import NotFound
from flow_hitl.platform.ports import Clock, Ids
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.rounds import in_rounds
from flow_hitl.platform.times import rfc3339
from flow_hitl.requests.attachments import object_of
from flow_hitl.requests.changing.erasure import NotErasable, erase_content
from flow_hitl.requests.ports import RequestStore, SearchLog
from flow_hitl.requests.request import SERVICE, Head, Request, Stamp, Status
from flow_hitl.retention.marks import Marks, Walk, first_marks
from flow_hitl.retention.ports import RetentionMarks, StoredObjects

_AT_ONCE = 100
_WORK_FOR = timedelta(seconds=200)
# A batch of emails is one event in the deployment's log.
_EMAIL_BATCHES = 20


@dataclass(frozen=True)
class Erased:
    """What a batch came to."""

    deployment_id: int
    contents: int = 0
    emails: int = 0


@dataclass(frozen=True)
class Held:
    """A content that is due and must not be erased; `why` goes on after the request's name."""

    deployment_id: int
    request_id: str
    why: str


@dataclass(frozen=True)
class Behind:
    """A deployment whose turn ended by an error, which holds up no other."""

    deployment_id: int
    error: Exception


@dataclass(frozen=True)
class EraseContent:
    """Erase the content of one decided request: the records first, with their event, then the objects."""

    audit: AuditArchive
    requests: RequestStore
    objects: StoredObjects
    clock: Clock
    ids: Ids
    pause: Callable[[int], None]

    def __call__(self, request_id: str, reason: Mapping[str, Any]) -> Head:
        """Return the head after it. A second call only removes what the first left of the objects.

        Raises NotErasable, for a pending request too, and NotFound.
        """

        def attempt() -> Head:
            request = self.requests.load(request_id)
            chain = self.audit.chain(request_subject(request_id))
            stamp = Stamp(self.ids.event_id(), self.clock.now(), SERVICE)
            change = erase_content(request, chain, reason, self._objects_of(request), stamp=stamp)
            if change is None:
                self.objects.remove_contents(_objects_in(chain))
                return request.head
            self.requests.commit(change)
            self.objects.remove_contents(change.event.data["objects"])
            return change.after

        return in_rounds(attempt, self.pause)

    def _objects_of(self, request: Request) -> Sequence[str]:
        request_id = request.head.request_id
        held = self.requests.content_object(request_id)
        # One that is not named by its request may be shared with an equal content of another: see decision 34.
        own = [held] if held is not None and f"/{request_id}/" in held else []
        return [*own, *(object_of(request_id, one) for one in request.content.attachments)]


@dataclass(frozen=True)
class KeepRetention:
    deployments: DeploymentStore
    audit: AuditArchive
    requests: RequestStore
    search: SearchLog
    erase: EraseContent
    objects: StoredObjects
    marks: RetentionMarks
    change_configuration: ChangeConfiguration
    clock: Clock

    def __call__(self) -> Iterator[Erased | Held | Behind]:
        """Yield what came of each batch. Two runs at once do no harm: what is erased is erased."""
        stop_at = self.clock.now() + _WORK_FOR
        for deployment_id in self.deployments.list_ids():
            try:
                yield from self._deployment(self.deployments.load(deployment_id), stop_at)
            except Exception as error:
                yield Behind(deployment_id, error)
            if self.clock.now() >= stop_at:
                return

    def _deployment(self, deployment: Deployment, stop_at: datetime) -> Iterator[Erased | Held]:
        settings, deployment_id = deployment.settings, deployment.deployment_id
        if settings.keep_content_days is None and settings.keep_emails_days is None:
            return
        now = self.clock.now().replace(microsecond=0)
        marks = self.marks.load(deployment_id) or self._first_marks(deployment_id, now)
        if settings.keep_content_days is not None:
            days = settings.keep_content_days
            due = now - timedelta(days=days)
            for batch, walk in self._batches(deployment_id, marks.contents, due):
                if batch:
                    yield from self._erase_contents(deployment_id, batch, days, due, marks.saved_at)
                marks = self._saved(deployment_id, replace(marks, contents=walk))
                if self.clock.now() >= stop_at:
                    return
        if settings.keep_emails_days is not None:
            # Whole days, so that a day's emails are one event.
            due = midnight(now - timedelta(days=settings.keep_emails_days))
            batches = self._batches(deployment_id, marks.emails, due)
            while some := list(islice(batches, _EMAIL_BATCHES)):
                yield self._erase_emails(deployment, [event for batch, _ in some for event in batch], due)
                marks = self._saved(deployment_id, replace(marks, emails=some[-1][1]))
                if self.clock.now() >= stop_at:
                    return

    def _first_marks(self, deployment_id: int, now: datetime) -> Marks:
        first = self.audit.first_events([deployment_id]).get(deployment_id)
        return first_marks(first.at if first is not None else now, now)

    def _batches(self, deployment_id: int, walk: Walk, due: datetime) -> Iterator[tuple[Sequence[IndexedEvent], Walk]]:
        """Yield events before `due`, up to a hundred at a time, each with how the walk stands after them.

        After each day there is an empty batch.
        """
        while (period := walk.next_period(due)) is not None:
            rows = self.audit.indexed(period, deployment_id, walk.after, ahead=_AT_ONCE)
            while batch := list(islice(rows, _AT_ONCE)):
                walk = walk.passed(period, batch)
                yield batch, walk
            walk = walk.finished(period)
            yield (), walk

    def _saved(self, deployment_id: int, marks: Marks) -> Marks:
        saved = replace(marks, saved_at=self.clock.now(), version=marks.version + 1)
        self.marks.save(deployment_id, saved)
        return saved

    def _erase_contents(
        self, deployment_id: int, batch: Sequence[IndexedEvent], days: int, due: datetime, saved_at: datetime
    ) -> Iterator[Erased | Held]:
        ids = list(dict.fromkeys(one.subject.removeprefix("request#") for one in batch if "request#" in one.subject))
        done: list[Head] = []
        for request_id, head in self.requests.heads(ids).items() if ids else ():
            # What was erased since the marks were saved may have been left half done.
            if not _is_due(head, due) or (head.content_erased_at is not None and head.content_erased_at < saved_at):
                continue
            try:
                done.append(self.erase(request_id, {"reason": "retention", "days": days}))
            except (NotErasable, NotFound) as held:
                yield Held(deployment_id, request_id, str(held))
        if done:
            self.search.rewrite(deployment_id, done)
            yield Erased(deployment_id, contents=len(done))

    def _erase_emails(self, deployment: Deployment, events: Sequence[IndexedEvent], due: datetime) -> Erased:
        ids: dict[str, None] = {}
        for start in range(0, len(events), _AT_ONCE):
            for record in self.audit.settled(events[start : start + _AT_ONCE]):
                ids |= dict.fromkeys(emails_in(data_of(record)))
        if ids:
            self.objects.remove_emails(list(ids))
            facts = {"emails": len(ids), "until": rfc3339(due), "days": deployment.settings.keep_emails_days}

            def noted(found: Deployment) -> Configured:
                return Configured(found, None, facts)

            self.change_configuration(deployment.deployment_id, EventKind.EMAILS_ERASED, SERVICE, noted)
        return Erased(deployment.deployment_id, emails=len(ids))


def emails_in(data: Mapping[str, Any]) -> Iterator[str]:
    """Yield SES's ids of the emails that the facts of an event name, as they were received."""
    verification = data.get("verification")
    for facts in (data, verification if isinstance(verification, Mapping) else {}):
        # Events of emails that were sent also have a `mail`: its kind.
        if "verdicts" in facts and isinstance(facts.get("mail"), str):
            yield facts["mail"]


def _is_due(head: Head, due: datetime) -> bool:
    return head.status is not Status.PENDING and head.decided_at is not None and head.decided_at < due


def _objects_in(chain: Sequence[Mapping[str, Any]]) -> Sequence[str]:
    found = (data_of(one).get("objects", ()) for one in chain if one.get("kind") == EventKind.CONTENT_ERASED.value)
    return [str(name) for names in found for name in names]
