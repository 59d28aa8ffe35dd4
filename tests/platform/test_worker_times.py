"""A worker's lease is longer than its life, and over when its message comes again."""

from datetime import timedelta

import pytest

from flow_hitl.platform.worker_times import MAIL_READER, WEBHOOK_SENDER, WORKER, WorkerTime


@pytest.mark.parametrize("time", [WORKER, MAIL_READER, WEBHOOK_SENDER])
def test_only_a_dead_workers_effect_is_taken_over_and_by_the_next_delivery(time: WorkerTime) -> None:
    assert timedelta(seconds=time.seconds) < time.lease < timedelta(seconds=time.hidden_seconds)
