"""How the local stack ends when a part of it does; after all other tests, as it is the stack that they use."""

import os
import signal

import pytest

from infra.local.patience import HANG_SECONDS
from infra.local.running import RunningStack
from infra.local.state import credentials_path
from tests.e2e.local_client import eventually
from tests.e2e.test_local_stack import group_lives
from tests.support.local_processes import emulator_of

pytestmark = pytest.mark.e2e


def test_nothing_is_left_behind_when_the_emulator_dies(stack: RunningStack) -> None:
    emulator = emulator_of(stack.process)
    os.kill(emulator, signal.SIGKILL)
    assert stack.process.wait(HANG_SECONDS) == 1
    assert "The emulator has stopped" in (stack.home / "errors").read_text()
    assert not credentials_path(stack.home).exists()
    # The emulator leads the group of all that it started.
    eventually(lambda: not group_lives(emulator), "the end of all that the emulator started")
