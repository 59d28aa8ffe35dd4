"""Mails that were made to be misread, or say nothing: each ends as its receipt's table says, and decides nothing."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from infra.local.hitl_fixture import AskedRequest, Hitl, hitl_on_moto
from tests.support.receipts import Watch, asked, cases

HARMLESS = {
    name: case for folder in ("hostile", "clients") for name, case in cases(folder).items() if case.ends != "decided"
}
# Ten error mails a day are sent about one request.
MOST_MAILS = 9


class Desk:
    """A request that none of these mails changes, and a new one when its error mails are nearly used up."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._opened: tuple[Hitl, AskedRequest] | None = None

    def opened(self) -> tuple[Hitl, AskedRequest]:
        if self._opened is None or len(self._opened[0].inbox) > MOST_MAILS:
            self._stack.close()
            hitl = self._stack.enter_context(hitl_on_moto())
            self._opened = hitl, asked(hitl)
        return self._opened


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    with ExitStack() as stack:
        yield Desk(stack)


@pytest.mark.parametrize("name", HARMLESS)
def test_a_hostile_mail_decides_nothing(desk: Desk, name: str) -> None:
    case = HARMLESS[name]
    hitl, request = desk.opened()
    notification = hitl.inbox[0]
    if "free_text" in case.entry:
        request = asked(hitl, free_text=case.entry["free_text"])
        notification = hitl.inbox[-1]
    assert Watch(hitl, request).receive(case, notification).words == case.ends, case.entry["why"]
    assert request.status == "pending"
