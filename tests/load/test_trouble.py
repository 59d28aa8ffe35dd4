"""The load finds the workers that it kills, and no other process."""

import os
import subprocess
import sys

import pytest

from infra.local import fork_server
from tests.load.trouble import process, processes

pytestmark = pytest.mark.skipif(not fork_server.AVAILABLE, reason="reads Linux's list of processes")


def test_a_process_is_known_by_its_name_its_group_and_whether_it_runs() -> None:
    name_itself = "open('/proc/self/comm', 'w').write('a (b) c'); print(flush=True); input()"
    child = subprocess.Popen(
        [sys.executable, "-c", name_itself], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        assert child.stdout is not None
        child.stdout.readline()
        found = process(child.pid)
        assert found is not None
        assert (found.id, found.name, found.group) == (child.pid, "a (b) c", child.pid)
        assert child.pid in {one.id for one in processes()}
        own = process(os.getpid())
        assert own is not None
        assert (own.state, own.group) == ("R", os.getpgrp())
    finally:
        child.communicate()
    assert process(child.pid) is None
