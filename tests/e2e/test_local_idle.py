"""What a local stack takes while nobody uses it."""

from collections.abc import Iterator

import pytest

from infra.local import fork_server
from infra.local.running import RunningStack, running_stack
from tests.e2e import web
from tests.e2e.local_client import LocalClient, eventually, fresh_address
from tests.support.local_processes import emulator_of, idle_mebibytes, processes_of

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not fork_server.AVAILABLE, reason="workers are forked, and memory is counted, on Linux only"),
]

# What the others are forked from has no name of a function. The relay is there if an event was for it.
AHEAD, STARTED = ["intake", "python", "respond"], "relay"
IDLE_MEBIBYTES = 350


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack that nobody has used yet."""
    home = tmp_path_factory.mktemp("fresh")
    with running_stack(home, errors=home / "errors") as running:
        yield running


def test_an_idle_stack_runs_only_the_functions_that_somebody_waits_for_and_is_small(fresh: RunningStack) -> None:
    emulator = emulator_of(fresh.process)
    children = processes_of(emulator)
    assert sorted(set(children.values()) - {STARTED}) == AHEAD
    assert len(children) <= len(AHEAD) + 1
    assert idle_mebibytes(fresh.process) <= IDLE_MEBIBYTES


def test_a_function_that_few_use_starts_when_it_is_called(fresh: RunningStack) -> None:
    emulator, local = emulator_of(fresh.process), LocalClient(fresh.home, fresh.credentials)
    assert web.get(fresh.credentials.base_url + "/docs").status_code == 200
    assert "docs" in processes_of(emulator).values()
    address = fresh_address("idle")
    local.ask(assigned_to_email=address)
    local.wait_for_mail(address)
    eventually(lambda: "send_email" in processes_of(emulator).values(), "the function that sends email")
