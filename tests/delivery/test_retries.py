"""The contract's "growing pauses (the first within 10 s) for 24 hours"."""

from flow_hitl.delivery.retries import RESUME_ATTEMPTS, RESUME_PAUSES, pause_after

LONGEST_SQS_VISIBILITY = 12 * 3600


def test_the_first_pause_is_at_most_ten_seconds() -> None:
    assert 0 < RESUME_PAUSES[0] <= 10


def test_pauses_never_shrink() -> None:
    assert list(RESUME_PAUSES) == sorted(RESUME_PAUSES)


def test_they_cover_a_day_and_not_much_more() -> None:
    assert 24 * 3600 <= sum(RESUME_PAUSES) < 26 * 3600


def test_sqs_can_hide_a_message_for_each_pause() -> None:
    assert max(RESUME_PAUSES) <= LONGEST_SQS_VISIBILITY


def test_after_the_last_attempt_there_is_no_pause() -> None:
    assert [pause_after(attempt) for attempt in range(1, RESUME_ATTEMPTS)] == list(RESUME_PAUSES)
    assert pause_after(RESUME_ATTEMPTS) is None
    assert pause_after(RESUME_ATTEMPTS + 1) is None
