"""Mails that decide: ordinary ones as clients write them, and odd ones whose sender and answer are certain still."""

from collections.abc import Mapping
from typing import Any

import pytest

from infra.local.hitl_fixture import Hitl
from tests.support.in_memory import MailDesk
from tests.support.oracle import one_trace
from tests.support.receipts import JANE, Case, Watch, asked, cases

CLIENTS = {name: case for name, case in cases("clients").items() if case.ends == "decided"}
ODD = {name: case for name, case in cases("hostile").items() if case.ends == "decided"}


def assert_answered(case: Case, recorded: Mapping[str, Any]) -> None:
    wanted = {name: case.entry[name] for name in ("outcome", "feedback", "comment") if name in case.entry}
    assert {name: recorded[name] for name in wanted} == wanted, case.entry["why"]
    assert (recorded["responder"], recorded["responder_verified"]) == (JANE, True)


@pytest.mark.parametrize("name", CLIENTS)
def test_a_clients_reply_is_understood(hitl: Hitl, name: str) -> None:
    case = CLIENTS[name]
    ending = Watch(hitl, asked(hitl)).receive(case, hitl.inbox[0])
    assert ending.words == "decided", case.entry["why"]
    assert_answered(case, ending.response)


# Without moto, because each costs a hundred times as much with it; what is stored and sent is no other than above.
@pytest.mark.parametrize("name", ODD)
def test_an_odd_mail_is_understood_where_it_is_certain(name: str) -> None:
    case, desk = ODD[name], MailDesk()
    reply_to = desk.reply_to(desk.ask())
    desk.receive(case.raw(reply_to), case.recipients(reply_to), mail_from=case.entry.get("mail_from", JANE))
    assert one_trace(desk) == "decided", case.entry["why"]
    assert_answered(case, desk.decisions()[0].event.data)
