"""What an hour costs in which a flow waits for its answer: docs/flows/waiting.md says it to people."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta

import pytest

from flow_hitl.requests.reading.polling import LONGEST_PAUSE, LONGEST_WAIT, look_again_after
from flow_hitl_client.waiting import next_look
from infra.local.hitl_fixture import Hitl
from tests.support.waiting import an_hour_of


@pytest.mark.parametrize(("way", "dollars"), [("client.wait_for", 0.002), ("the feed", 0.002), ("?wait=20", 0.0135)])
def test_an_hour_of_waiting_costs_no_more_than_it_may(
    hitl: Hitl, way: str, dollars: float, record_property: Callable[[str, object], None]
) -> None:
    spent = an_hour_of(way, hitl)
    record_property("dollars", spent.dollars)
    assert spent.dollars <= dollars, spent


def test_an_answer_is_seen_at_once_at_first_and_half_a_minute_later_at_most() -> None:
    assert {next_look(waited).pause for waited in range(120)} == {0.0}
    assert [next_look(60.0 * minutes).pause for minutes in (2, 10, 30, 60, 60 * 24)] == [5.0, 10.0, 30.0, 30.0, 30.0]
    assert max(next_look(waited).pause for waited in range(0, 7200, 10)) == LONGEST_PAUSE.total_seconds()
    assert max(next_look(waited).wait for waited in range(0, 7200, 10)) == LONGEST_WAIT.total_seconds()


def test_a_call_that_waits_reads_less_often_for_an_older_request() -> None:
    ages = [timedelta(seconds=seconds) for seconds in (0, 30, 60, 120, 300, 24 * 3600)]
    assert [look_again_after(age) for age in ages] == [0.5, 0.5, 1.0, 2.0, 5.0, 5.0]


def test_the_function_that_waits_does_not_import_what_opens_or_shows_requests() -> None:
    look = "import sys; import functions.wait; print(*sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run([sys.executable, "-c", look], env=environment, capture_output=True, text=True, check=True)
    imported = set(run.stdout.split())
    assert "flow_hitl.requests.request" in imported
    unwanted = {"boto3", "botocore.session", "jinja2", "flow_hitl.requests.opening.open_request"}
    assert not imported & unwanted
