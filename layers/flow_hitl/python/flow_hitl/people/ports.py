"""What keeps sign-ins and sessions."""

from datetime import datetime, timedelta
from typing import Protocol

from flow_hitl.people.sign_in_rules import SentMails, Sessions, SignInTry
from flow_hitl.platform.ports import Reading


class SignInTries(Protocol):
    def begin(self, new: SignInTry) -> None:
        """Write a try; it is forgotten some time after it has expired."""

    def load(self, try_id: str) -> SignInTry | None:
        """Read a try consistently."""

    def commit(self, changed: SignInTry) -> None:
        """Write a try's next version; raises Conflict if somebody else did."""

    def sent_to(self, email: str) -> SentMails:
        """Read the emails to an address consistently; one that never got any has none."""

    def note_sent(self, changed: SentMails) -> None:
        """Write the emails' next version; raises Conflict if somebody else did."""

    def redeem(self, used: SignInTry, left: SentMails, sessions: Sessions) -> None:
        """Write the next version of each, all or none; raises Conflict if somebody else wrote one of them."""


class SessionStore(Protocol):
    def load(self, email: str) -> Sessions:
        """Read the sessions of the person behind an address consistently; who never had one has none."""

    def reading(self, email: str) -> Reading[Sessions]:
        """Return the reading of these sessions."""

    def commit(self, changed: Sessions) -> None:
        """Write the sessions' next version; raises Conflict if somebody else did."""

    def forget(self, email: str) -> None:
        """Remove the sessions of the person behind an address, and what is known of their sign-in emails."""


class SignInQueue(Protocol):
    def send(self, try_id: str) -> None:
        """See to it that the email of a try is sent, if anybody who may sign in has its address."""


class RateCounters(Protocol):
    def count(self, name: str, window: timedelta, now: datetime) -> int:
        """Count one more under a name and return how many there are by now in the running window."""
