"""The access policy as a table: each actor, each action; what the table does not allow is denied."""

from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest

from flow_hitl.domain.access import Action, Actor, CallbackHolder, Clock, ProvenAddress, authorize
from flow_hitl.domain.deployment import Permission
from flow_hitl.domain.errors import Forbidden, NotFound, SelfApproval
from tests.unit import examples
from tests.unit.examples import NOON

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
    "callback": CallbackHolder(examples.REQUEST_ID),
    "callback of another request": CallbackHolder("0192f0c1-7e11-7abc-8def-0123456789ac"),
    "clock when due": Clock(DUE),
    "clock after": Clock(DUE + timedelta(days=30)),
    "clock a second early": Clock(DUE - timedelta(seconds=1)),
}

ALLOWED = {
    ("key: create_requests", Action.CREATE),
    ("key: create_requests", Action.VIEW),
    ("key: create_requests", Action.CANCEL),
    ("key: create_requests", Action.REPORT_RESUME),
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
    ("assignee", Action.VIEW),
    ("assignee", Action.RESPOND),
    ("assignee", Action.DELEGATE),
    ("assignee in capitals", Action.VIEW),
    ("assignee in capitals", Action.RESPOND),
    ("assignee in capitals", Action.DELEGATE),
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
    with pytest.raises(NotFound):
        authorize(examples.key_holder(*Permission, deployment_id=457), action, HEAD)


@pytest.mark.parametrize("action", [Action.VIEW, Action.RESPOND])
@pytest.mark.parametrize("actor", ["assignee", "callback", "clock after"])
def test_nobody_but_a_key_does_anything_without_a_request(actor: str, action: Action) -> None:
    with pytest.raises(Forbidden):
        authorize(ACTORS[actor], action, None)


def test_a_request_without_auto_response_is_never_due() -> None:
    with pytest.raises(Forbidden):
        authorize(Clock(NOON + timedelta(days=365)), Action.RESPOND, examples.head())


def test_an_address_that_only_looks_the_same_is_another() -> None:
    with pytest.raises(Forbidden):
        authorize(ProvenAddress("\u0430@example.com"), Action.RESPOND, HEAD)


def test_another_deployment_does_not_exist() -> None:
    manager = examples.key_holder(Permission.MANAGE)
    authorize(manager, Action.CONFIGURE, deployment_id=456)
    with pytest.raises(NotFound):
        authorize(manager, Action.CONFIGURE, deployment_id=457)


ASKED_BY = ("asker@example.com", "asker@private.example.com")


@pytest.mark.parametrize(
    "actor",
    [
        ProvenAddress("asker@example.com"),
        ProvenAddress("ASKER@private.example.com"),
        ProvenAddress("other@example.com", known_as=("asker@example.com",)),
    ],
)
def test_nobody_answers_what_they_asked_for_where_that_is_forbidden(actor: ProvenAddress) -> None:
    head = replace(HEAD, assigned_to_email=actor.known_as[0] if actor.known_as else actor.email)
    authorize(actor, Action.RESPOND, head)
    forbidding = replace(head, not_to_be_answered_by=ASKED_BY)
    authorize(actor, Action.VIEW, forbidding)
    with pytest.raises(SelfApproval):
        authorize(actor, Action.RESPOND, forbidding)


def test_an_application_is_held_to_what_it_says_of_its_responder() -> None:
    forbidding = replace(HEAD, not_to_be_answered_by=ASKED_BY)
    authorize(CallbackHolder(examples.REQUEST_ID), Action.RESPOND, forbidding)
    authorize(CallbackHolder(examples.REQUEST_ID, "Bob"), Action.RESPOND, forbidding)
    with pytest.raises(SelfApproval):
        authorize(CallbackHolder(examples.REQUEST_ID, " Asker@example.com "), Action.RESPOND, forbidding)


def test_a_person_lists_their_own_desk_and_a_key_any() -> None:
    person = ProvenAddress("Home@example.com", known_as=("work@example.com",))
    authorize(person, Action.VIEW, desk=["WORK@example.com", "home@example.com"])
    for desk in ([], ["work@example.com", "b@example.com"], ["group:finance"]):
        with pytest.raises(Forbidden):
            authorize(person, Action.VIEW, desk=desk)
    for action in set(Action) - {Action.VIEW}:
        with pytest.raises(Forbidden):
            authorize(person, action, desk=["home@example.com"])
    authorize(examples.key_holder(Permission.MANAGE), Action.VIEW, desk=["anybody@example.com"])
    for other in (examples.key_holder(Permission.RESPOND), CallbackHolder(examples.REQUEST_ID), Clock(DUE)):
        with pytest.raises(Forbidden):
            authorize(other, Action.VIEW, desk=["anybody@example.com"])
