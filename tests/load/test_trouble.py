"""The load finds the workers that it kills, and no other process."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from flow_hitl.audit.audit_log import event_from_item, event_image
from flow_hitl.audit.chain import AuditEvent, EventKind
from infra.local import fork_server
from tests.load.trouble import as_streamed, process, processes

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


def test_a_long_event_is_delivered_again_as_the_stream_hands_it_over() -> None:
    """Long data are bytes in the table, and base64 in the stream."""
    data = {"message": "".join(map(str, range(2_000)))}
    at = datetime(2026, 3, 1, tzinfo=UTC)
    event = AuditEvent("request#1", 1, "one", EventKind.REQUEST_CREATED, at, "creator@example.com", data, "", "hash")
    image = event_image(event)
    assert isinstance(image["data"]["B"], bytes)
    assert event_from_item(json.loads(as_streamed(image))) == event
