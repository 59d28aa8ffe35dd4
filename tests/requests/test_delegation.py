"""Which reply passes a request on, and to whom."""

import pytest

from flow_hitl.contract.shapes import Channel
from flow_hitl.deployments.deployment import DeploymentSettings, Group
from flow_hitl.platform.errors import NotPending
from flow_hitl.requests.changing.delegation import delegated_to
from flow_hitl.requests.request import Head, Stamp, cancel, delegate
from tests.speed import cpu_seconds
from tests.support import examples
from tests.support.examples import ASSIGNEE, NOON

BOB = "bob@example.com"
FINANCE = Group(members=("ann@example.com", "cleo@example.com"), name="finance")


@pytest.mark.parametrize(
    "answer",
    [
        "delegate: bob@example.com",
        "Delegate:bob@example.com",
        "\n  DELEGATE :  bob@example.com  \nthanks",
        "delegate: bob@example.com.",
        "delegate: <bob@example.com>",
        "delegate: bob@example.com<mailto:bob@example.com>",
        "delegate: bob@example.com <mailto:bob@example.com>",
    ],
)
def test_a_first_line_that_passes_it_on(answer: str) -> None:
    assert delegated_to(answer, ["approved"]) == BOB


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "approved",
        "approved\ndelegate: bob@example.com",
        "please delegate: bob@example.com",
        "delegate: bob",
        "delegate: this to finance",
        "delegate: bob@example.com and cleo@example.com",
        "delegate bob@example.com",
        "> delegate: bob@example.com",
    ],
)
def test_an_ordinary_answer(answer: str) -> None:
    assert delegated_to(answer, ["approved"]) is None


def test_an_option_that_reads_like_it_is_chosen() -> None:
    assert delegated_to("delegate: bob@example.com", ["delegate: bob@example.com"]) is None


@pytest.mark.parametrize(
    "answer", ["delegate:" + " " * 100_000, "delegate:" + "a@" * 50_000, "delegate: " + "<" * 100_000]
)
def test_a_hostile_line_takes_no_time(answer: str) -> None:
    assert cpu_seconds(lambda: delegated_to(answer, []), 0.5) < 0.5


def passed_on(head: Head, by: str, to: str, *groups: Group) -> Head:
    settings = DeploymentSettings(groups=groups)
    return delegate(head, by, to, Channel.EMAIL, settings, stamp=Stamp("e", NOON, by), verification={}).after


def test_one_person_hands_all_of_it_over() -> None:
    after = passed_on(examples.head(), ASSIGNEE, BOB)
    assert (after.responders, after.passed_on_by) == ((BOB,), ASSIGNEE)


def test_a_member_of_a_group_hands_over_their_own_place() -> None:
    head = examples.head(
        deployment=examples.deployment(settings=DeploymentSettings(groups=(FINANCE,))),
        assignment=examples.assigned_to("group:finance"),
    )
    after = passed_on(head, "ann@example.com", BOB)
    assert after.assigned_to_email == "group:finance"
    assert after.responders == ("cleo@example.com", BOB)


def test_a_shared_mailbox_takes_it_over_as_its_people() -> None:
    shared = Group(members=("ann@example.com", BOB), address="finance@company.com")
    after = passed_on(examples.head(), ASSIGNEE, "finance@company.com", shared)
    assert after.responders == ("ann@example.com", BOB)


def test_a_closed_request_is_not_passed_on() -> None:
    closed = cancel(examples.head(), stamp=Stamp("e", NOON, "x")).after
    with pytest.raises(NotPending):
        passed_on(closed, ASSIGNEE, BOB)
