"""Groups, reminders and passing on, on the local stack: with the template's own queues, schedules and rights."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.e2e.local_client import LocalClient, eventually, fresh_address

pytestmark = pytest.mark.e2e

ANN, BOB, CLEO, DAN = map(fresh_address, ("ann", "bob", "cleo", "dan"))
SLA_MINUTES = 2
# Seconds after the request: what is due within a minute goes to the queue, what is due later to the scheduler.
SOON, LATER = 20, 75
SHARES = [seconds / (SLA_MINUTES * 60) for seconds in (SOON, LATER)]


@pytest.fixture(scope="session")
def people(local: LocalClient) -> LocalClient:
    """A deployment with a group, where requests may be passed on and people are reminded of those that have an SLA."""
    return local.on_a_deployment_of_its_own(
        groups=[{"name": "finance", "members": [ANN, BOB, CLEO]}],
        allow_delegation=True,
        reminders=[{"share_of_sla": share} for share in SHARES],
    )


@dataclass(frozen=True)
class Reminded:
    """A request that nobody answers, and when it was opened, in Unix seconds."""

    id: str
    assignee: str
    opened: float


@pytest.fixture(scope="session")
def reminded(people: LocalClient) -> Reminded:
    assignee = fresh_address("slow")
    request = people.ask(assigned_to_email=assignee, sla_target_minutes=SLA_MINUTES)["request"]
    return Reminded(request["id"], assignee, datetime.fromisoformat(request["created_at"]).timestamp())


def answer(people: LocalClient, person: str, mail: dict[str, Any], text: str) -> None:
    people.send(person, mail["reply_to"], f"{text}\n")


def diagnosis(people: LocalClient, request_id: str) -> str:
    return people.call("GET", f"/v1/requests/{request_id}/diagnosis").text


@pytest.mark.first
def test_a_reminder_of_later_is_scheduled(people: LocalClient, reminded: Reminded) -> None:
    scheduler, group = people.aws("scheduler"), people.operator.outputs["SchedulerGroup"]

    def named() -> list[str]:
        listed = scheduler.list_schedules(GroupName=group)["Schedules"]
        return [one["Name"] for one in listed if reminded.id in one["Name"]]

    (name,) = eventually(named, "the schedule")
    expression = scheduler.get_schedule(GroupName=group, Name=name)["ScheduleExpression"]
    due = datetime.strptime(expression, "at(%Y-%m-%dT%H:%M:%S)").replace(tzinfo=UTC).timestamp()
    assert reminded.opened + LATER - 2 <= due <= reminded.opened + LATER + 5


def test_everybody_of_a_group_is_asked_and_the_first_answer_wins(people: LocalClient) -> None:
    request = people.ask(assigned_to_email="group:finance")["request"]
    asked = {person: people.wait_for_mail(person) for person in (ANN, BOB, CLEO)}
    assert len({mail["reply_to"] for mail in asked.values()}) == 3
    assert "you and 2 more" in people.text_of(asked[ANN])
    found = people.call("GET", f"/v1/requests?status=pending&assigned_to={BOB}").json()["requests"]
    assert [one["id"] for one in found] == [request["id"]]

    answer(people, BOB, asked[BOB], "approved")

    response = people.response(request["id"])
    assert (response["outcome"], response["responder"]) == ("approved", BOB)
    assert people.wait_for_mail(BOB, after=1)["subject"].startswith("Recorded: Approved")
    for other in (ANN, CLEO):
        told = people.wait_for_mail(other, after=1)
        assert told["subject"].startswith(f"Answered by {BOB}")
        assert "nothing more to do" in people.text_of(told)
    answer(people, CLEO, asked[CLEO], "rejected")
    assert "already" in people.wait_for_mail(CLEO, after=2)["subject"].lower()
    assert people.request(request["id"])["response"] == response
    people.wait_for_event(request["id"], "handled_mail_sent", count=2)
    assert [len(people.mails(person)) for person in (ANN, BOB, CLEO)] == [2, 2, 3]


def test_a_reply_passes_the_request_on(people: LocalClient) -> None:
    eve = fresh_address("eve")
    request = people.ask(assigned_to_email=eve)["request"]
    hers = people.wait_for_mail(eve)

    answer(people, eve, hers, f"delegate: {DAN}\nyou know this better")

    dans = people.wait_for_mail(DAN)
    assert f"{eve} passed the request on to you" in people.text_of(dans)
    assert people.wait_for_mail(eve, after=1)["subject"].startswith("Passed on:")
    passed_on = people.request(request["id"])
    assert (passed_on["assigned_to_email"], passed_on["assigned_by"]) == (DAN, "reassignment")

    answer(people, eve, hers, "rejected")
    assert "was reassigned" in people.text_of(people.wait_for_mail(eve, after=2))
    answer(people, DAN, dans, "approved")
    response = people.response(request["id"])
    assert (response["outcome"], response["responder"]) == ("approved", DAN)


def test_a_reminder_comes_in_the_thread_of_the_request(people: LocalClient, reminded: Reminded) -> None:
    asked, reminder = (people.mail(people.wait_for_mail(reminded.assignee, after=number)) for number in (0, 1))
    assert reminder["In-Reply-To"] == asked["Message-ID"]
    assert time.time() - reminded.opened >= SOON - 1
    people.wait_for_event(reminded.id, "reminder_sent")
    assert people.kinds(reminded.id)[:4] == ["request_created", "notification_sent", "reminder_due", "reminder_sent"]


@pytest.mark.last
def test_what_was_scheduled_comes_when_it_is_due(people: LocalClient, reminded: Reminded) -> None:
    kinds = ["request_created", "notification_sent", *["reminder_due", "reminder_sent"] * 2]
    eventually(lambda: people.kinds(reminded.id) == kinds, "the second reminder")
    assert len(people.mails(reminded.assignee)) == 3
    (due,) = [event["at"] for event in people.timeline(reminded.id) if event["kind"] == "reminder_due"][1:]
    assert datetime.fromisoformat(due).timestamp() >= reminded.opened + LATER - 2, "none comes early"
