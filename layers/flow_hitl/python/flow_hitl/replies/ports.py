"""What fetches and reads incoming email."""

from collections.abc import Collection, Iterator, Sequence
from datetime import date
from typing import Protocol

from flow_hitl.replies.inbound_mail import InboundMail
from flow_hitl.replies.rejections import Discard


class MailBucket(Protocol):
    def read(self, key: str, limit: int) -> bytes:
        """Return a raw email; raises TooLarge above `limit` bytes without reading it."""


class DiscardLog(Protocol):
    def record(self, discard: Discard) -> None: ...

    def of_day(self, day: date) -> Iterator[Discard]:
        """Yield all emails that were discarded on a day (UTC), oldest first."""

    def of_request(self, request_id: str) -> Sequence[Discard]:
        """Return the newest discarded emails sent to a request's reply addresses, newest first."""

    def forget(self, discard: Discard) -> None:
        """Delete the records of a discarded email."""


class MailParser(Protocol):
    def parse_mail(self, raw: bytes) -> InboundMail:
        """Return the contents of a raw email; raises UnreadableMail."""

    def answer_text(self, mail: InboundMail, options: Collection[str] = (), ours: Sequence[str] = ()) -> str:
        """Return the reply's own text, or "" if there is none.

        `options` are the request's emit options, `ours` the names and addresses our email comes from.
        """

    def answer_is_cut(self, mail: InboundMail, answer: str) -> bool:
        """Tell whether the reply is longer than the text that was read."""
