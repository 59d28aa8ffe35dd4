"""The access policy as a table: each actor, each action; what the table does not allow is denied."""

from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from flow_hitl.deployments.deployment import KEYS_MAY, Permission
from flow_hitl.deployments.deployment import Member as Person
from flow_hitl.people.access import (
    KEY_NEEDS,
    Action,
    Actor,
    AutoResponder,
    CallbackHolder,
    Operator,
    ProvenAddress,
    SignedInMember,
    actor_name,
    authorize,
)
from flow_hitl.platform.errors import Forbidden, NotFound, SelfApproval, UnprovenResponder
from tests.support import examples
from tests.support.examples import NOON

HEAD = examples.head(auto_response=(60, "approved"))
DUE = NOON + timedelta(minutes=60)

ACTORS: dict[str, Actor] = {
    "key: create_requests": examples.key_holder(Permission.CREATE_REQUESTS),
    "key: manage": examples.key_holder(Permission.MANAGE),
    "key: respond": examples.key_holder(Permission.RESPOND),
    "key: all": examples.key_holder(*Permission),
    "key: none": examples.key_holder(),
    "assignee": ProvenAddress(examples.ASSIGNEE),
    "assignee in capitals": ProvenAddress(examples.ASSIGNEE.upper()),
    "another person": ProvenAddress("b@example.com"),
    "member who manages": examples.signed_in("m@example.com", Permission.MANAGE),
    "member who manages and is asked": examples.signed_in(examples.ASSIGNEE, Permission.MANAGE),
    "member who is asked": examples.signed_in(examples.ASSIGNEE, Permission.RESPOND),
    "alias of who is asked": examples.signed_in("x@example.com", Permission.RESPOND, known_as=(examples.ASSIGNEE,)),
    "operator": Operator(examples.deployment()),
    "callback": CallbackHolder(examples.REQUEST_ID),
    "callback of another request": CallbackHolder("0192f0c1-7e11-7abc-8def-0123456789ac"),
    "clock when due": AutoResponder(DUE),
    "clock after": AutoResponder(DUE + timedelta(days=30)),
    "clock a second early": AutoResponder(DUE - timedelta(seconds=1)),
}

MANAGING = (Action.CONFIGURE, Action.VIEW, Action.CANCEL, Action.REASSIGN, Action.RETRY_RESUME)
ALLOWED = {
    ("key: create_requests", Action.CREATE),
    ("key: create_requests", Action.VIEW),
    ("key: create_requests", Action.CANCEL),
    ("key: create_requests", Action.REPORT_RESUME),
    ("key: create_requests", Action.ANSWER_QUESTION),
    ("key: manage", Action.CONFIGURE),
    ("key: manage", Action.VIEW),
    ("key: manage", Action.CANCEL),
    ("key: manage", Action.REASSIGN),
    ("key: all", Action.CONFIGURE),
    ("key: all", Action.CREATE),
    ("key: all", Action.VIEW),
    ("key: all", Action.CANCEL),
    ("key: all", Action.REASSIGN),
    ("key: all", Action.REPORT_RESUME),
    ("key: all", Action.ANSWER_QUESTION),
    ("assignee", Action.VIEW),
    ("assignee", Action.RESPOND),
    ("assignee", Action.DELEGATE),
    ("assignee in capitals", Action.VIEW),
    ("assignee in capitals", Action.RESPOND),
    ("assignee in capitals", Action.DELEGATE),
    *(("member who manages", one) for one in MANAGING),
    *(("member who manages and is asked", one) for one in (*MANAGING, Action.RESPOND, Action.DELEGATE)),
    *(("member who is asked", one) for one in (Action.VIEW, Action.RESPOND, Action.DELEGATE)),
    *(("alias of who is asked", one) for one in (Action.VIEW, Action.RESPOND, Action.DELEGATE)),
    ("operator", Action.VIEW),
    ("operator", Action.CANCEL),
    ("callback", Action.RESPOND),
    ("clock when due", Action.RESPOND),
    ("clock after", Action.RESPOND),
}


@pytest.mark.parametrize(("actor", "action"), list(product(ACTORS, Action)))
def test_the_policy(actor: str, action: Action) -> None:
    if (actor, action) in ALLOWED:
        authorize(ACTORS[actor], action, HEAD)
    else:
        with pytest.raises(Forbidden):
            authorize(ACTORS[actor], action, HEAD)


@pytest.mark.parametrize("action", list(Action))
def test_a_request_of_another_deployment_does_not_exist(action: Action) -> None:
    strangers: list[Actor] = [
        examples.key_holder(*Permission, deployment_id=457),
        examples.signed_in(examples.ASSIGNEE, *Permission, deployment_id=457),
    ]
    for stranger in strangers:
        with pytest.raises(NotFound):
            authorize(stranger, action, HEAD)


@pytest.mark.parametrize("action", list(Action))
def test_for_a_member_there_are_only_the_requests_they_are_asked(action: Action) -> None:
    with pytest.raises(NotFound):
        authorize(examples.signed_in("b@example.com", Permission.RESPOND), action, HEAD)


def test_a_member_without_permission_may_do_nothing() -> None:
    nobody = examples.signed_in(examples.ASSIGNEE)
    for action in Action:
        with pytest.raises(Forbidden):
            authorize(nobody, action, HEAD)


def test_who_signs_in_is_whom_the_deployment_knows() -> None:
    people = (
        Person("m@example.com", frozenset({Permission.MANAGE}), ("m@private.example.com",)),
        Person("r@example.com", frozenset({Permission.RESPOND}), ("creator@private.example.com",)),
        Person("creator@example.com", frozenset(), ("creator@private.example.com",)),
        Person("nothing@example.com"),
    )
    made = examples.deployment(members=people)
    both = frozenset({Permission.MANAGE, Permission.RESPOND})
    for address, permissions in (
        ("M@Example.com", frozenset({Permission.MANAGE})),
        ("m@private.example.com", frozenset({Permission.MANAGE})),
        ("r@example.com", frozenset({Permission.RESPOND})),
        ("creator@example.com", both),
        ("creator@private.example.com", both),
    ):
        assert SignedInMember.of(made, address).permissions == permissions, address
    for address in ("nothing@example.com", "stranger@example.com", "\u0430@example.com", ""):
        with pytest.raises(NotFound):
            SignedInMember.of(made, address)


def test_an_alias_is_asked_what_its_member_is_asked() -> None:
    made = examples.deployment(members=(Person(examples.ASSIGNEE, frozenset({Permission.RESPOND}), ("x@a.example",)),))
    assert SignedInMember.of(made, "x@a.example").responder_of(HEAD) == examples.ASSIGNEE
    # But not the other way round: the member's own mailbox proves nothing about the other.
    elsewhere = replace(HEAD, assigned_to_email="x@a.example")
    assert SignedInMember.of(made, examples.ASSIGNEE).responder_of(elsewhere) is None


def test_the_audit_log_names_programs_and_people() -> None:
    assert actor_name(examples.key_holder()) == "api_key/k1"
    assert actor_name(examples.signed_in("m@example.com")) == "member/m@example.com"


@pytest.mark.parametrize("action", [Action.VIEW, Action.RESPOND])
@pytest.mark.parametrize("actor", ["assignee", "callback", "clock after"])
def test_nobody_but_a_key_does_anything_without_a_request(actor: str, action: Action) -> None:
    with pytest.raises(Forbidden):
        authorize(ACTORS[actor], action, None)


def test_a_request_without_auto_response_is_never_due() -> None:
    with pytest.raises(Forbidden):
        authorize(AutoResponder(NOON + timedelta(days=365)), Action.RESPOND, examples.head())


def test_an_address_that_only_looks_the_same_is_another() -> None:
    with pytest.raises(Forbidden):
        authorize(ProvenAddress("\u0430@example.com"), Action.RESPOND, HEAD)


def test_another_deployment_does_not_exist() -> None:
    manager = examples.key_holder(Permission.MANAGE)
    authorize(manager, Action.CONFIGURE, deployment_id=456)
    with pytest.raises(NotFound):
        authorize(manager, Action.CONFIGURE, deployment_id=457)


ASKED = "This request is assigned to another address."
NOT_DUE = "The auto-response is not due."
NO_KEY = 'The API key "tests" may not do this; it needs '


@pytest.mark.parametrize(
    ("actor", "action", "told"),
    [
        ("key: create_requests", Action.REASSIGN, NO_KEY + "manage_human_feedback."),
        ("key: none", Action.VIEW, NO_KEY + "create_requests or manage_human_feedback."),
        ("key: all", Action.RESPOND, NO_KEY + "no API key."),
        ("member who is asked", Action.CANCEL, "Only people with the permission manage_human_feedback may do this."),
        ("another person", Action.RESPOND, ASKED),
        ("assignee", Action.CANCEL, ASKED),
        ("callback of another request", Action.RESPOND, "This callback URL belongs to another request."),
        ("callback", Action.VIEW, "This callback URL belongs to another request."),
        ("clock a second early", Action.RESPOND, NOT_DUE),
        ("clock when due", Action.CANCEL, NOT_DUE),
    ],
)
def test_whoever_is_refused_is_told_why(actor: str, action: Action, told: str) -> None:
    with pytest.raises(Forbidden) as refused:
        authorize(ACTORS[actor], action, HEAD)
    assert refused.value.detail == told


def test_nobody_learns_of_what_is_not_theirs() -> None:
    key, member = examples.key_holder(*Permission), examples.signed_in("b@example.com", Permission.RESPOND)
    elsewhere = examples.key_holder(*Permission, deployment_id=457)
    for actor, head, place, told in (
        (key, None, 457, "There is no such deployment."),
        (member, None, 457, "There is no such deployment."),
        (elsewhere, HEAD, None, "There is no such request in this deployment."),
        (elsewhere, HEAD, 457, "There is no such request in this deployment."),
        (member, HEAD, None, "No such request is assigned to you."),
    ):
        with pytest.raises(NotFound) as refused:
            authorize(actor, Action.VIEW, head, deployment_id=place)
        assert refused.value.detail == told
    with pytest.raises(NotFound) as refused:
        SignedInMember.of(examples.deployment(), "stranger@example.com")
    assert refused.value.detail == "There is no such deployment."


def test_a_person_is_known_as_their_own_address_and_as_those_they_are_an_alias_of() -> None:
    made = examples.deployment(
        members=(Person("m@example.com", frozenset({Permission.RESPOND}), ("m@private.example.com",)),)
    )
    person = ProvenAddress.of(made, "M@private.example.com")
    assert person == ProvenAddress(
        "M@private.example.com", ("m@example.com",), ("M@private.example.com", "m@example.com", "m@private.example.com")
    )
    assert [person.is_known_as(one) for one in ("m@private.example.com", "M@example.com", "x@example.com")] == [
        True,
        True,
        False,
    ]
    member = SignedInMember.of(made, "m@private.example.com")
    assert (member.deployment, member.known_as, member.manages) == (made, ("m@example.com",), False)
    assert member.proven == ProvenAddress("m@private.example.com", ("m@example.com",))


def test_of_a_group_everybody_answers_in_their_own_name() -> None:
    group = replace(HEAD, group_members=("a@example.com", "b@example.com"))
    for address in ("A@example.com", "b@example.com"):
        authorize(ProvenAddress(address), Action.RESPOND, group)
        assert examples.signed_in(address, Permission.RESPOND).responder_of(group) == address.lower()
    assert examples.signed_in("c@example.com", Permission.RESPOND).responder_of(group) is None


def test_a_manager_who_may_be_who_asked_sees_and_cancels_and_does_not_answer() -> None:
    people = (Person("m@example.com", frozenset({Permission.MANAGE}), ("m@private.example.com",)),)
    made = examples.deployment(members=people)
    head = replace(HEAD, assigned_to_email="m@example.com", not_to_be_answered_by=("m@private.example.com",))
    manager = SignedInMember.of(made, "m@example.com")
    for action in (Action.VIEW, Action.CANCEL, Action.REASSIGN):
        authorize(manager, action, head)
    for action in (Action.RESPOND, Action.DELEGATE):
        with pytest.raises(SelfApproval):
            authorize(manager, action, head)


def test_a_member_without_a_request_sees_a_list_and_does_nothing_else() -> None:
    for member in (ACTORS["member who is asked"], ACTORS["member who manages"]):
        authorize(member, Action.VIEW, deployment_id=456)
        for action in (Action.RESPOND, Action.DELEGATE):
            with pytest.raises(Forbidden):
                authorize(member, action, deployment_id=456)


@pytest.mark.parametrize("action", list(Action))
def test_whoever_is_nobody_that_the_policy_knows_may_do_nothing(action: Action) -> None:
    nobody: Any = None
    with pytest.raises(AssertionError):
        authorize(nobody, action, HEAD)


ASKED_BY = ("asker@example.com", "asker@private.example.com")


@pytest.mark.parametrize(
    "actor",
    [
        ProvenAddress("asker@example.com"),
        ProvenAddress("ASKER@private.example.com"),
        ProvenAddress("other@example.com", known_as=("asker@example.com",)),
        examples.signed_in("asker@example.com", Permission.MANAGE, Permission.RESPOND),
        examples.signed_in("other@example.com", Permission.RESPOND, known_as=("asker@example.com",)),
    ],
)
def test_nobody_answers_what_they_asked_for_where_that_is_forbidden(actor: ProvenAddress | SignedInMember) -> None:
    head = replace(HEAD, assigned_to_email=actor.known_as[0] if actor.known_as else actor.email)
    authorize(actor, Action.RESPOND, head)
    forbidding = replace(head, not_to_be_answered_by=ASKED_BY)
    authorize(actor, Action.VIEW, forbidding)
    with pytest.raises(SelfApproval):
        authorize(actor, Action.RESPOND, forbidding)


def test_an_application_that_cannot_prove_who_answers_does_not_answer_where_the_asker_may_not() -> None:
    authorize(CallbackHolder(examples.REQUEST_ID), Action.RESPOND, HEAD)
    with pytest.raises(UnprovenResponder):
        authorize(CallbackHolder(examples.REQUEST_ID), Action.RESPOND, replace(HEAD, not_to_be_answered_by=ASKED_BY))


def test_whoever_asked_does_not_choose_who_decides() -> None:
    forbidding = replace(HEAD, not_to_be_answered_by=(examples.ASSIGNEE,))
    with pytest.raises(SelfApproval):
        authorize(ProvenAddress(examples.ASSIGNEE), Action.DELEGATE, forbidding)
    # A manager may: they could also switch the setting off.
    authorize(examples.signed_in(examples.ASSIGNEE, Permission.MANAGE), Action.REASSIGN, forbidding)


def test_the_clock_is_nobody_who_asked() -> None:
    authorize(AutoResponder(DUE), Action.RESPOND, replace(HEAD, not_to_be_answered_by=ASKED_BY))


def test_who_may_be_the_asker_is_denied_by_every_address_that_may_be_theirs() -> None:
    people = (
        Person("robert@example.com", frozenset({Permission.RESPOND}), ("bob@private.example.com",)),
        Person("bobby@example.com", frozenset({Permission.RESPOND}), ("bob@private.example.com",)),
    )
    made = examples.deployment(members=people)
    asked_by = made.may_be_addresses_of("Bob+phone@private.example.com")
    assert asked_by[0] == "Bob+phone@private.example.com"
    for address in ("robert@example.com", "bobby@example.com", "robert+2@example.com", "bob@private.example.com"):
        head = replace(HEAD, assigned_to_email=address)
        authorize(ProvenAddress.of(made, address), Action.RESPOND, head)
        for asked in (asked_by, ("bob@private.example.com",)):
            with pytest.raises(SelfApproval):
                authorize(ProvenAddress.of(made, address), Action.RESPOND, replace(head, not_to_be_answered_by=asked))
    # What counts against somebody never counts for them.
    with pytest.raises(Forbidden):
        authorize(ProvenAddress.of(made, "robert@example.com"), Action.RESPOND, head)


def test_a_key_can_be_given_exactly_what_some_action_needs() -> None:
    assert set(KEYS_MAY) == frozenset[Permission]().union(*KEY_NEEDS.values())


def test_a_list_is_for_keys_that_may_view_and_for_members() -> None:
    authorize(examples.key_holder(Permission.MANAGE), Action.VIEW)
    strangers = ProvenAddress("home@example.com"), CallbackHolder(examples.REQUEST_ID), AutoResponder(DUE)
    for other in (examples.key_holder(Permission.RESPOND), *strangers):
        with pytest.raises(Forbidden):
            authorize(other, Action.VIEW)
