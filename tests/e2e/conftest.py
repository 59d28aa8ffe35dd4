"""One local stack for all end-to-end tests: on free ports, with its files in a temporary directory."""

from collections.abc import Iterator

import pytest

from infra.local.running import running_stack
from tests.e2e.local_client import LocalClient


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalClient]:
    """The running stack, as a client from outside sees it."""
    home = tmp_path_factory.mktemp("local")
    with running_stack(home) as credentials:
        yield LocalClient(home, credentials)
