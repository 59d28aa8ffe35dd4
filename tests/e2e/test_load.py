"""A small load in trouble: what goes in comes out. `make load` does the same with thousands."""

import pytest

from infra.local import fork_server
from infra.local.running import RunningStack
from tests.e2e.local_client import LocalClient
from tests.load.books import tally
from tests.load.flow import waiting_flows
from tests.load.load import Load
from tests.load.trouble import Plan, Trouble, emulator_of
from tests.support.slices import WHOLE

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.exhaustive,
    pytest.mark.skipif(not WHOLE, reason="takes a minute; `make reliability` runs it"),
    pytest.mark.skipif(not fork_server.AVAILABLE, reason="only on Linux is it known which process is a worker"),
]

# Whoever dies while working off a queue's message holds it up for minutes: those are for `make load`.
BRIEF = Plan(("intake", "respond", "dashboard"), kill_every_seconds=1.0, throttled=0.2, away_seconds=3.0, again=0.2)


def test_what_goes_in_comes_out_whatever_goes_wrong_meanwhile(stack: RunningStack, local: LocalClient) -> None:
    own = local.on_a_deployment_of_its_own()
    with waiting_flows() as flows:
        trouble = Trouble(own, flows, BRIEF, emulator_of(stack.process.pid))
        load = Load(flows, trouble, 30, 300.0, 300.0, say=lambda _: None)
        load()
        counted = tally(load)
    assert counted.holds, counted.written()
    assert trouble.kills.total() > 0
    assert flows.refused > 0
