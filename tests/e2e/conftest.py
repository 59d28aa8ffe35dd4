"""One local stack for all end-to-end tests: on free ports, with its files in a temporary directory."""

from collections.abc import Iterator

import pytest

from infra.local.running import RunningStack, running_stack
from tests.e2e.local_client import LocalClient


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes a minute by the clock, the races among it: that passes beside all other tests."""
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    if item.path.parts[-2:] == ("e2e", "test_local_end.py"):
        return 6
    # It kills workers: nothing may go on beside it.
    if item.path.parts[-2:] == ("e2e", "test_load.py"):
        return 4
    # It leaves flows behind that are down: no test that waits for empty queues may follow it.
    if item.path.parts[-2:] == ("e2e", "test_schemathesis.py"):
        return 5
    if item.get_closest_marker("last"):
        return 3
    if item.get_closest_marker("first"):
        return 0
    return 1 if item.path.parts[-2:] == ("e2e", "test_races.py") else 2


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """The running stack; what it says of errors is in the file `errors` of its directory."""
    home = tmp_path_factory.mktemp("local")
    with running_stack(home, errors=home / "errors") as running:
        yield running


@pytest.fixture(scope="session")
def local(stack: RunningStack) -> LocalClient:
    """The running stack, as a client from outside sees it."""
    return LocalClient(stack.home, stack.credentials)
