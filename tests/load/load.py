"""Many requests at once on a local stack in trouble: created, answered by email, API, and page, and resumed.

Each call of ours is repeated until it is answered, as good clients do. Nobody does anything about the trouble.
"""

import secrets
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from functools import partial
from smtplib import SMTPException
from typing import Any

import requests

from infra.topology import QUEUES
from tests.e2e import web
from tests.load.flow import Flows
from tests.load.trouble import Trouble

CHANNELS = ("email", "api", "dashboard")
OUTCOMES = ("approved", "rejected")
# Their messages come from the clock, for ever, and one whose worker was killed comes again after half an hour.
SCHEDULED = ("measure", "sweep")
_CREATORS, _ANSWERERS = 6, 8
# So many requests are on their way at most: what is killed takes minutes until it is tried again.
_ON_THEIR_WAY = 500
# When so many flows, or a third of them, were resumed, they are away for a while.
_AWAY_AFTER = 200
_TOLD_EVERY_SECONDS = 15.0
_GIVE_UP_SECONDS = 300.0
_LOOK_SECONDS, _QUIET_LOOKS = 0.5, 6


@dataclass(frozen=True)
class Asked:
    """A request that was created, with what its assignee will do."""

    number: int
    id: str
    callback_url: str

    @property
    def channel(self) -> str:
        return CHANNELS[self.number % len(CHANNELS)]

    @property
    def outcome(self) -> str:
        return OUTCOMES[self.number // len(CHANNELS) % len(OUTCOMES)]


@dataclass
class Load:
    """One run: `number` requests, or as many as are created within `create_seconds`; then `settle_seconds` at most."""

    flows: Flows
    trouble: Trouble
    number: int
    create_seconds: float
    settle_seconds: float
    say: Callable[[str], object]
    method: str = field(default_factory=lambda: f"load_{secrets.token_hex(4)}")
    asked: dict[str, Asked] = field(default_factory=dict)
    """By the assignee's address."""
    answered: Counter[str] = field(default_factory=Counter)
    """By the channel."""
    mails: list[dict[str, Any]] = field(default_factory=list)
    """Those to our assignees."""
    replies_sent_twice: int = 0
    failures: list[str] = field(default_factory=list)
    """Calls that were given up."""
    seconds: float = 0.0
    _on_their_way: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(_ON_THEIR_WAY))

    def __call__(self) -> None:
        """Run it; what did not happen in time is missing in the end."""
        began = time.monotonic()
        self.flows.on_told = self._has_resumed
        with self._told(), ThreadPoolExecutor(_ANSWERERS) as answerers, self._mails_read(answerers):
            with self.trouble.made():
                self._create()
                # The last few would be hit again and again.
                self._wait(lambda: self.answered.total() >= 0.95 * len(self.asked), self.settle_seconds)
            self.say("The trouble is over; waiting until nothing is on its way any more")
            self._wait(self._has_come, self.settle_seconds)
            # What was just sent is not yet on record.
            self._wait(self._is_quiet, self.settle_seconds)
            self.seconds = time.monotonic() - began

    # --- what the flows do

    def _create(self) -> None:
        until = time.monotonic() + self.create_seconds

        def create(number: int) -> None:
            if self._on_their_way.acquire(timeout=max(0.0, until - time.monotonic())):
                self._ask(number)

        with ThreadPoolExecutor(_CREATORS) as creators:
            list(creators.map(create, range(self.number)))

    def _has_resumed(self) -> None:
        self._on_their_way.release()
        if len(self.flows.told) == min(self.number // 3, _AWAY_AFTER):
            self.trouble.leave()

    def _ask(self, number: int) -> None:
        address = f"{self.method}.{number}@example.com"
        body = {
            "flow_id": f"flow_{number}",
            "flow_name": "LoadFlow",
            "method_name": self.method,
            "message": "Please review this:",
            "output": f"# Article {number}\n\nSome text.",
            "emit_options": list(OUTCOMES),
            "assigned_to_email": address,
            "resume_url": self.flows.url,
        }
        key = {"Idempotency-Key": str(uuid.uuid4())}
        local = self.trouble.local
        answer = self._persist(lambda: local.call("POST", "/v1/requests", body, headers=key), {200, 201})
        if answer is not None:
            created = answer.json()
            self.asked[address] = Asked(number, created["request"]["id"], created["callback_url"])

    # --- what the people do

    @contextmanager
    def _mails_read(self, answerers: ThreadPoolExecutor) -> Iterator[None]:
        """Read the mailbox while the block runs, and have the first mail to each assignee answered."""
        over = threading.Event()

        def read() -> None:
            seen: set[str] = set()
            count = 0
            while not over.wait(_LOOK_SECONDS):
                url = f"{self._base_url}/_local/mail?after={count}"
                answer = self._persist(partial(web.get, url), {200})
                listed = answer.json()["mails"] if answer is not None else []
                count += len(listed)
                own = [mail for mail in listed if mail["to"][0].startswith(f"{self.method}.")]
                self.mails += own
                for mail in own:
                    if mail["to"][0] not in seen:
                        seen.add(mail["to"][0])
                        answerers.submit(self._answer, mail)

        reader = threading.Thread(target=read, name="mail reader")
        reader.start()
        try:
            yield
        finally:
            over.set()
            reader.join()

    def _answer(self, mail: dict[str, Any]) -> None:
        # The email may be there before the answer to our call.
        self._wait(lambda: mail["to"][0] in self.asked, _GIVE_UP_SECONDS)
        asked = self.asked[mail["to"][0]]
        {"email": self._reply, "api": self._call_back, "dashboard": self._press}[asked.channel](asked, mail)
        with self.flows.lock:
            self.answered[asked.channel] += 1
        if self.trouble.happens(self.trouble.plan.again):
            self.trouble.answered.put(asked.id)

    def _reply(self, asked: Asked, mail: dict[str, Any]) -> None:
        reply = EmailMessage()
        reply["From"], reply["To"], reply["Subject"] = mail["to"][0], mail["reply_to"], f"Re: {mail['subject']}"
        reply["Message-ID"] = f"<{secrets.token_hex(8)}@example.com>"
        reply.set_content(f"{asked.outcome}\n\nSaid by request {asked.number}.\n")
        twice = self.trouble.happens(self.trouble.plan.again)
        for _ in range(2 if twice else 1):
            self._persist(lambda: self.trouble.local.send_mail(reply))
        with self.flows.lock:
            self.replies_sent_twice += twice

    def _call_back(self, asked: Asked, _mail: dict[str, Any]) -> None:
        self._persist(lambda: web.post(asked.callback_url, json={"feedback": asked.outcome}), {200})

    def _press(self, asked: Asked, mail: dict[str, Any]) -> None:
        link = self.trouble.local.review_link(mail)
        self._persist(lambda: web.post(link, {"outcome": asked.outcome}), {200})

    # --- while it runs

    @property
    def _base_url(self) -> str:
        return self.trouble.local.credentials.base_url

    def _persist(self, call: Callable[[], Any], statuses: Collection[int] = ()) -> Any:
        """Return what the call returns, once it has one of these statuses; None if it was given up."""
        until, pause, said = time.monotonic() + _GIVE_UP_SECONDS, 0.2, ""
        while time.monotonic() < until:
            try:
                answer = call()
            except (requests.RequestException, SMTPException, OSError) as error:
                said = repr(error)
            else:
                if not statuses or answer.status_code in statuses:
                    return answer
                said = f"{answer.status_code} {answer.text[:300]}"
                if answer.status_code < 429:
                    break
            time.sleep(pause)
            pause = min(2 * pause, 5.0)
        self.failures.append(said)
        return None

    def _has_come(self) -> bool:
        """Tell whether every flow was told, and as many emails came as should."""
        by_email = sum(one.channel == "email" for one in self.asked.values())
        return len(self.flows.told) >= len(self.asked) and len(self.mails) >= len(self.asked) + by_email

    def _is_quiet(self) -> bool:
        """Tell whether there is no message in any queue, for a few looks."""
        for _ in range(_QUIET_LOOKS):
            if any(self.trouble.waiting(queue.name) for queue in QUEUES if queue.name not in SCHEDULED):
                return False
            time.sleep(_LOOK_SECONDS)
        return True

    def _wait(self, done: Callable[[], bool], seconds: float) -> None:
        until = time.monotonic() + seconds
        while not done() and time.monotonic() < until:
            time.sleep(_LOOK_SECONDS)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Say how far it is while the block runs."""
        over = threading.Event()

        def tell() -> None:
            while not over.wait(_TOLD_EVERY_SECONDS):
                self.say(
                    f"{len(self.asked):,} created, {len(self.mails):,} emails, {self.answered.total():,} answered, "
                    f"{len(self.flows.told):,} resumed; {self.trouble.kills.total():,} workers killed, "
                    f"{self.flows.refused:,} resumptions refused"
                )

        teller = threading.Thread(target=tell, name="progress", daemon=True)
        teller.start()
        try:
            yield
        finally:
            over.set()
            teller.join()
