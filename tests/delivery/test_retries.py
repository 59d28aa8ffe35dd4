"""The pauses: the contract's "growing pauses (the first within 10 s) for 24 hours", and days for all other work."""

import pytest

from flow_hitl.delivery.retries import DAYS, RESUME, Patience

LONGEST_SQS_VISIBILITY = 12 * 3600
BOTH = pytest.mark.parametrize("patience", [RESUME, DAYS])


@BOTH
def test_the_first_pause_is_at_most_ten_seconds(patience: Patience) -> None:
    assert 0 < patience.pauses[0] <= 10


@BOTH
def test_pauses_never_shrink(patience: Patience) -> None:
    assert list(patience.pauses) == sorted(patience.pauses)


@pytest.mark.parametrize(("patience", "hours"), [(RESUME, 24), (DAYS, 4 * 24)])
def test_they_last_for_their_time_and_not_much_longer(patience: Patience, hours: int) -> None:
    assert hours * 3600 <= sum(patience.pauses) < (hours + 2) * 3600


@BOTH
def test_sqs_can_hide_a_message_for_each_pause(patience: Patience) -> None:
    assert max(patience.pauses) <= LONGEST_SQS_VISIBILITY


@BOTH
def test_after_the_last_attempt_there_is_no_pause(patience: Patience) -> None:
    assert [patience.pause_after(attempt) for attempt in range(1, patience.attempts)] == list(patience.pauses)
    assert patience.pause_after(patience.attempts) is None
    assert patience.pause_after(patience.attempts + 1) is None


def test_what_fails_for_a_quarter_of_an_hour_is_worth_an_alarm() -> None:
    first_late = next(attempt for attempt in range(1, DAYS.attempts) if DAYS.is_late(attempt))
    assert 10 * 60 <= sum(DAYS.pauses[: first_late - 1]) <= 15 * 60
