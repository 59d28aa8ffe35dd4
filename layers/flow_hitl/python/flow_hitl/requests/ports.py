"""Storage for requests and their lists, and what fires at a deadline."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from flow_hitl.deployments.ports import TransactionPart
from flow_hitl.platform.ports import Reading
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.repeated_calls import Call, CallRecord
from flow_hitl.requests.bound import StoredRequest
from flow_hitl.requests.reading.list_rows import ByColumn, Count, Counts, Order, RequestRow
from flow_hitl.requests.reading.polling import LastPolls
from flow_hitl.requests.reading.search_text import SearchEntry
from flow_hitl.requests.request import Attachment, Change, Content, Head, Request, Response

if TYPE_CHECKING:
    from flow_hitl.requests.attachments import File


@dataclass(frozen=True)
class RequestFilter:
    """The contract's list filters; None or empty does not filter, and of several values one must match.

    `assigned_to` are names of assignees: email addresses and `group:<name>`.
    """

    statuses: tuple[str, ...] = ()
    assigned_to: tuple[str, ...] = ()
    flow_name: str | None = None
    method_name: str | None = None
    outcome: str | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    decided_from: datetime | None = None
    decided_to: datetime | None = None


@dataclass(frozen=True)
class Page:
    """A page of requests, and the cursor of the next."""

    requests: Sequence[Request]
    next_cursor: str | None


@dataclass(frozen=True)
class RowPage:
    """A page of rows, and the cursors of the next and of the one before, if there may be one.

    `partly_sorted`: there are more than the rows that were sorted.
    """

    rows: Sequence[RequestRow]
    next_cursor: str | None
    previous_cursor: str | None = None
    partly_sorted: bool = False


Taken = CallRecord | TransactionPart | str
"""What only one step can take: a call's key, another store's first write, or a name."""


@dataclass(frozen=True)
class RoundPlace:
    """Where an earlier round is to be found: a request, and the place of its decision in its chain."""

    request_id: str
    seq: int


class RequestStore(Protocol):
    def create(self, change: Change, content: Content, call: Call | None) -> Request | None:
        """Write a new request with its first event; return the request that already has the id or call, if any."""

    def find(self, request_id: str | None, call: Call | None) -> Request | None:
        """Return the request that has the id or was made by the call, if any."""

    def head(self, request_id: str) -> Head:
        """Read a head consistently; raises NotFound."""

    def load(self, request_id: str) -> Request:
        """Read a whole request consistently; raises NotFound."""

    def reading(self, request_id: str, *, aside: bool = False) -> Reading[Request]:
        """Return the reading of a whole request, which raises NotFound; `aside`: what is done is about another one."""

    def commit(self, change: Change, takes: Taken | None = None) -> None:
        """Write a step and its event together with what it takes, or nothing.

        Raises Conflict if the head has changed, TakenAlready if a name is taken, and CalledBefore if a call's key is.
        """

    def earlier_rounds(self, head: Head, most: int) -> Sequence[RoundPlace]:
        """Return where the last rounds of the same flow and method before this request should be, newest first.

        Rounds are requests whose answer let the flow ask anew. Nothing proves what stands there.
        """

    def content_object(self, request_id: str) -> str | None:
        """Return the name of the object in the content bucket that holds a request's content, None if none does."""

    def list_requests(self, deployment_id: int, wanted: RequestFilter, limit: int, cursor: str | None) -> Page: ...

    def recent_heads(self, deployment_id: int, limit: int) -> Sequence[Head]:
        """Return the heads of a deployment's newest requests, newest first."""

    def heads(self, request_ids: Sequence[str]) -> Mapping[str, Head]:
        """Read heads consistently, by request id; missing ones are left out."""

    def heads_with_contents(self, request_ids: Sequence[str]) -> Mapping[str, tuple[Head, Content | None]]:
        """Read heads and contents, by request id; contents that are kept elsewhere for their size are None."""

    def responses(self, request_ids: Sequence[str]) -> Mapping[str, Response]:
        """Read the answers to requests, by request id; those without one are left out."""

    def stored(self, request_ids: Sequence[str], *, whole: bool = True) -> Mapping[str, StoredRequest]:
        """Read requests' records as they stand there, whatever they hold, or their heads alone; each id has one."""

    def opened_between(
        self, deployment_id: int, since: datetime, until: datetime, limit: int, cursor: str | None
    ) -> tuple[Sequence[str], str | None]:
        """Return the ids of requests opened in a period, and the cursor of the next page."""

    def decided_between(
        self, deployment_id: int, since: datetime, until: datetime, limit: int, cursor: str | None
    ) -> tuple[Sequence[str], str | None]:
        """Return ids of requests that were answered in a time, and the cursor at which to go on, if there is more."""

    def decisions(
        self, deployment_id: int, limit: int, cursor: str | None, now: datetime, *, questions: bool = False
    ) -> Page:
        """Return decided requests, oldest first, each at least once; the cursor is never None.

        With `questions`, pending requests with an open question are among them.
        """


class AttachmentStore(Protocol):
    def keep(self, request_id: str, files: "Sequence[File]") -> None:
        """Store the bytes of attachments, before the request that has them; the same again changes nothing."""

    def read(self, request_id: str, attachment: Attachment) -> bytes:
        """Return the bytes of an attachment; raises ValueError if they are not what was written."""

    def is_kept(self, request_id: str, attachment: Attachment) -> bool:
        """Tell whether the bytes of an attachment are there and what was written, as a rule without reading them."""


class RequestRows(Protocol):
    """Lists of requests from the indexes alone, which lag by up to a second."""

    def page(
        self,
        deployment_id: int,
        wanted: RequestFilter,
        *,
        order: Order | ByColumn,
        limit: int,
        cursor: str | None,
        backward: bool = False,
    ) -> RowPage:
        """Return rows that match the filters; few or none may match although more do further on.

        `backward`: the page that ends at the cursor, or the first one if there are fewer rows before it. Raises
        ValidationFailed for a foreign cursor or one with another order.
        """

    def pending(self, deployment_id: int, assigned_to: tuple[str, ...]) -> Count:
        """Count the pending requests of assignees, up to a limit."""

    def counts(self, deployment_id: int, assigned_to: tuple[str, ...]) -> Counts:
        """Count a deployment's requests, or those of the assignees, up to a limit."""


class SearchLog(Protocol):
    """The texts that requests are searched by, in blocks in the order of creation, behind the requests.

    A key is a request's place in that order.
    """

    def latest(self, deployment_id: int) -> str | None:
        """Return the key up to which the log has everything, None for an empty log."""

    def waiting(self, deployment_id: int, after: str | None, until: datetime, most: int) -> Sequence[str]:
        """Return the keys of requests that the log lacks, oldest first."""

    def newest(self, deployment_id: int, after: str | None, most: int) -> Sequence[str]:
        """Return the keys of the newest requests that the log lacks, newest first."""

    def entries(self, keys: Sequence[str]) -> Sequence[SearchEntry]:
        """Return the entries of requests, made from themselves, in this order."""

    def append(self, deployment_id: int, entries: Sequence[SearchEntry], latest: str) -> None:
        """Write the next block: entries, oldest first, which are all up to the key `latest`."""

    def rewrite(self, deployment_id: int, heads: Sequence[Head]) -> None:
        """Find requests by what their heads have, and by nothing else any more."""

    def blocks(self, deployment_id: int, below: str | None) -> Iterator[Sequence[SearchEntry]]:
        """Yield the entries of blocks that begin before a key, newest first, as much as one call reads at a time."""

    def has_before(self, deployment_id: int, key: str) -> bool:
        """Tell whether a block begins before a key."""


class TakenAlready(Exception):
    """A name that can be taken once has been taken before."""


class Polls(Protocol):
    """When someone last fetched answers, which tells a waiting flow from one whose worker is gone."""

    def decisions_fed(self, deployment_id: int, key_id: str, at: datetime) -> None:
        """Record that the decisions feed was polled with an API key."""

    def waited(self, request_id: str, at: datetime) -> None:
        """Record that someone waits on a request."""

    def last(self, deployment_id: int, request_id: str) -> LastPolls: ...


class Deadlines(Protocol):
    def schedule(self, request_id: str, due_at: datetime, now: datetime, *, reminder: bool = False) -> None:
        """Have the `deadline` function hear of the auto-response or reminder when due, at least once."""

    def postpone(self, request_id: str, due_at: datetime, now: datetime, *, reminder: bool = False) -> None:
        """Send an early message again, to arrive when due or earlier."""

    def forget(self, request_id: str, reminder_at: datetime | None = None) -> bool:
        """Delete the schedule of an auto-response, or of that reminder, if there is one; False if Scheduler is away."""


class Backlog(Protocol):
    """Counts of pending requests from an index, up to a limit and without tests."""

    def waiting_since(self, deployment_id: int, moment: datetime) -> Count:
        """Count those opened before a moment."""

    def overdue(self, deployment_id: int, now: datetime) -> Count:
        """Count those past their SLA."""
