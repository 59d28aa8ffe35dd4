"""The whole life of requests as a small model tells it: in whatever order things are done, and however often they are
delivered, the stack says and does what the model says.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from infra.local.hitl_fixture import AskedRequest, Browser, Hitl, Mail, hitl_on_moto
from tests.support.asserts import EMIT, callback
from tests.support.aws_calls import new_process
from tests.support.faults import wrongs
from tests.support.receiver import Receiver, receiving
from tests.support.slices import WHOLE

CREATOR = "creator@example.com"
PEOPLE = ("ann@example.com", "bob@example.com", "cat@example.com")
STEPS = 50
LIVES, CHUNKS = (25, 20) if WHOLE else (3, 1)


@dataclass
class Life:
    """What the model knows of one request: where it stands, and what has been sent because of it."""

    request: AskedRequest
    assignee: str
    due: datetime | None
    status: str = "pending"
    outcome: str | None = None
    via: str | None = None
    resume: str | None = None
    retried: int = 0
    asked: Counter[str] = field(default_factory=Counter)
    confirmed: int = 0
    undelivered: int = 0
    posts: int = 0
    reassigned: int = 0
    mails: list[tuple[Mail, int]] = field(default_factory=list)
    """The emails that ask, each with how often it had been reassigned by then: those of before are void."""

    @property
    def pending(self) -> bool:
        return self.status == "pending"

    def can_be_answered_by(self, mail: Mail) -> bool:
        """Tell whether a reply counts: where the same person was asked again in the same second, by either email."""
        newest, reassigned = self.mails[-1]
        return reassigned == self.reassigned and (mail.to, mail.reply_to) == (newest.to, newest.reply_to)


@dataclass(frozen=True)
class World:
    """A stack with a flow's server, and its manager's browser; each run begins with it as it was."""

    hitl: Hitl
    flow: Receiver
    manager: Browser
    as_it_was: Callable[[], None]


class Lives(RuleBasedStateMachine):
    """Several requests, people who pass them on or cannot be reached, and a clock."""

    world: ClassVar[World]

    def __init__(self) -> None:
        super().__init__()
        self.hitl, self.flow = self.world.hitl, self.world.flow
        self.world.as_it_was()
        self.flow.received, self.flow.status = [], 200
        self.lives: list[Life] = []
        self.gone: set[str] = set()
        self.delegation = False

    # --- the model's own steps

    def ask(self, life: Life, person: str) -> None:
        """Have a request wait for someone, or for the creator if that one is known not to be reached."""
        life.assignee = person
        if person in self.gone:
            life.undelivered += 1
            life.reassigned += 1
            life.assignee = CREATOR
        life.asked[life.assignee] += 1
        newest = [mail for mail in self.hitl.inbox if mail.reply_to and mail.to == life.assignee]
        life.mails.append((newest[-1], life.reassigned))

    def end(self, life: Life, outcome: str, via: str) -> None:
        life.status, life.outcome, life.via = "responded", outcome, via
        life.posts, life.resume = 1, "delivered"

    def some(self, number: int) -> Life:
        return self.lives[number % len(self.lives)]

    # --- what is done

    @precondition(lambda self: len(self.lives) < 4)
    @rule(person=st.sampled_from(PEOPLE), minutes=st.sampled_from([None, 30, 180]))
    def create(self, person: str, minutes: int | None) -> None:
        auto = minutes and {"timeout_minutes": minutes, "default_outcome": "rejected"}
        request = self.hitl.ask(emit=EMIT, assigned_to_email=person, resume_url=self.flow.url, auto_response=auto)
        due = self.hitl.clock.now() + timedelta(minutes=minutes) if minutes else None
        self.lives.append(Life(request, person, due))
        self.ask(self.lives[-1], person)

    @precondition(lambda self: self.lives)
    @rule(number=st.integers(0, 3), outcome=st.sampled_from(EMIT))
    def answer_by_callback(self, number: int, outcome: str) -> None:
        life = self.some(number)
        answer = callback(self.hitl, life.request, outcome)
        # Saying what was decided already is no error.
        expected = {200} if life.pending else {200, 409} if life.outcome == outcome else {409}
        assert answer.status in expected, answer.text
        if life.pending:
            self.end(life, outcome, "api")

    @precondition(lambda self: self.lives)
    @rule(number=st.integers(0, 3), outcome=st.sampled_from(EMIT), mail=st.integers(0, 9))
    def answer_on_the_page(self, number: int, outcome: str, mail: int) -> None:
        life = self.some(number)
        asking, _ = life.mails[mail % len(life.mails)]
        self.hitl.page("POST", self.hitl.review_url(asking), {"outcome": outcome})
        if life.pending and life.can_be_answered_by(asking):
            self.end(life, outcome, "dashboard")

    @precondition(lambda self: self.lives)
    @rule(number=st.integers(0, 3), outcome=st.sampled_from(EMIT), mail=st.integers(0, 9))
    def answer_by_mail(self, number: int, outcome: str, mail: int) -> None:
        life = self.some(number)
        asking, _ = life.mails[mail % len(life.mails)]
        self.hitl.reply(outcome, to=asking)
        if life.pending and life.can_be_answered_by(asking):
            self.end(life, outcome, "email")
            life.confirmed += asking.to not in self.gone

    @precondition(lambda self: self.lives)
    @rule(number=st.integers(0, 3), to=st.sampled_from(PEOPLE), mail=st.integers(0, 9))
    def delegate_by_mail(self, number: int, to: str, mail: int) -> None:
        life = self.some(number)
        asking, _ = life.mails[mail % len(life.mails)]
        self.hitl.reply(f"delegate: {to}", to=asking)
        if self.delegation and life.pending and life.can_be_answered_by(asking) and to != life.assignee:
            life.reassigned += 1
            life.confirmed += asking.to not in self.gone
            self.ask(life, to)

    @precondition(lambda self: self.lives)
    @rule(number=st.integers(0, 3))
    def cancel(self, number: int) -> None:
        life = self.some(number)
        answer = self.hitl.api("DELETE", f"/v1/requests/{life.request.id}")
        assert answer.status == (409 if life.status == "responded" else 200)
        life.status = "cancelled" if life.pending else life.status

    @precondition(lambda self: self.lives)
    @rule(number=st.integers(0, 3), to=st.sampled_from(PEOPLE))
    def reassign(self, number: int, to: str) -> None:
        life = self.some(number)
        if to == life.assignee:
            return
        answer = self.hitl.api("POST", f"/v1/requests/{life.request.id}/reassign", {"assigned_to_email": to})
        assert (answer.status == 200) is life.pending, answer.text
        if life.pending:
            life.reassigned += 1
            self.ask(life, to)

    @precondition(lambda self: self.lives)
    @rule(number=st.integers(0, 3))
    def bounce(self, number: int) -> None:
        life = self.some(number)
        person = life.assignee
        if person == CREATOR:
            return
        self.gone.add(person)
        self.hitl.bounce(life.request, person)
        life.undelivered += 1
        if life.pending:
            life.reassigned += 1
            self.ask(life, CREATOR)

    @precondition(lambda self: self.lives)
    @rule(number=st.integers(0, 3))
    def answer_while_the_flow_is_away_and_resume_again(self, number: int) -> None:
        life, manager = self.some(number), self.world.manager
        if not life.pending:
            return
        self.flow.status = 400
        callback(self.hitl, life.request)
        self.flow.status = 200
        answer = manager.post(f"/d/{self.hitl.deployment_id}/requests/{life.request.id}/manage", {"do": "retry"})
        assert answer.status == 303, answer.text
        self.end(life, "approved", "api")
        life.posts, life.retried = 2, 1

    @rule(minutes=st.sampled_from([1, 31, 181]))
    def advance(self, minutes: int) -> None:
        self.hitl.advance(minutes=minutes)
        for life in self.lives:
            if life.pending and life.due and life.due <= self.hitl.clock.now():
                self.end(life, "rejected", "auto_response")

    @rule(on=st.booleans())
    def change_settings(self, on: bool) -> None:
        self.hitl.configure(settings={"allow_delegation": on})
        self.delegation = on

    @rule()
    def deliver_everything_again(self) -> None:
        """The stream gives the relay all its events again, and a process that knows nothing works them off."""
        new_process()
        self.hitl._relayed = set()
        self.hitl._settle()

    # --- what must be so

    def check(self, life: Life) -> None:
        now, kinds = life.request.now(), Counter(life.request.kinds)
        response, resume = now["response"] or {}, now["resume"] or {}
        said = now["status"], now["assigned_to_email"], response.get("outcome"), response.get("responded_via")
        assert said == (life.status, life.assignee, life.outcome, life.via), life.request.kinds
        assert resume.get("status") == life.resume, (resume, life.request.kinds)
        posts = [post for post in self.flow.received if json.loads(post.body)["request"]["id"] == life.request.id]
        assert len(posts) == life.posts, life.request.kinds
        expected = {
            "request_created": 1,
            "notification_sent": life.asked.total(),
            "notification_undelivered": life.undelivered,
            "request_reassigned": life.reassigned,
            "response_submitted": int(life.status == "responded"),
            "request_cancelled": int(life.status == "cancelled"),
            "confirmation_sent": life.confirmed,
            "resume_attempted": life.posts,
            "resume_retried": life.retried,
        }
        assert {kind: kinds[kind] for kind in expected} == expected

    def teardown(self) -> None:
        # What a flow refused comes again after seconds, and finds that it was sent again meanwhile.
        self.advance(minutes=1)
        for life in self.lives:
            self.check(life)
        assert not wrongs(self.hitl)


@contextmanager
def world() -> Iterator[World]:
    with hitl_on_moto() as hitl, receiving() as flow:
        manager = hitl.signed_in()
        manager.get(f"/d/{hitl.deployment_id}/requests")
        yield World(hitl, flow, manager, hitl.checkpoint())


@pytest.mark.exhaustive
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_requests_live_as_the_model_says(chunk: int, record_property: Callable[[str, object], None]) -> None:
    runs = 0

    @seed(chunk)
    class Counted(Lives):
        def __init__(self) -> None:
            nonlocal runs
            runs += 1
            super().__init__()

    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    options = settings(
        max_examples=LIVES, stateful_step_count=STEPS, deadline=None, suppress_health_check=checks, database=None
    )
    with world() as Lives.world:
        run_state_machine_as_test(Counted, settings=options)
    record_property(f"tried: lives of requests, each of up to {STEPS} steps", runs)
