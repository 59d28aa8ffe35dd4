"""Mails that decide: ordinary ones as clients write them, and odd ones whose sender and answer are certain still."""

import pytest

from infra.local.hitl_fixture import Hitl
from tests.mail.receipts import Watch, asked, cases

DECISIVE = {
    name: case for folder in ("clients", "hostile") for name, case in cases(folder).items() if case.ends == "decided"
}


@pytest.mark.parametrize("name", DECISIVE)
def test_a_certain_answer_decides(hitl: Hitl, name: str) -> None:
    case = DECISIVE[name]
    ending = Watch(hitl, asked(hitl)).receive(case, hitl.inbox[0])
    assert ending.words == case.ends, case.entry["why"]
    wanted = {name: case.entry[name] for name in ("outcome", "feedback", "comment") if name in case.entry}
    assert {name: ending.response[name] for name in wanted} == wanted, case.entry["why"]
    assert (ending.response["responder"], ending.response["responder_verified"]) == ("jane@example.org", True)
