"""UUIDs are those of the standard library."""

import uuid
from datetime import UTC, datetime

import pytest

from flow_hitl.platform.system_clock import RandomIds
from flow_hitl.platform.uuids import uuid_bytes, uuid_text


def test_text_and_bytes_are_those_of_the_standard_library() -> None:
    made = uuid.UUID("0192f0c1-7e11-7abc-8def-0123456789ab")
    assert uuid_text(made.bytes) == str(made)
    assert uuid_bytes(str(made).upper()) == made.bytes


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0192f0c17e117abc8def0123456789ab",
        "0192f0c1-7e11-7abc-8def-0123456789a",
        "0192f0c1-7e11-7abc-8def-01234567 9ab",
    ],
)
def test_another_text_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"UUID|hex"):
        uuid_bytes(text)


def test_ids_have_their_version_and_their_time() -> None:
    at = datetime(2026, 1, 14, 12, tzinfo=UTC)
    first, second = (uuid.UUID(RandomIds().request_id(at)) for _ in range(2))
    assert first.version == second.version == 7
    assert first.variant == uuid.RFC_4122
    assert first.int >> 80 == int(at.timestamp() * 1000)
    assert first != second
    event = uuid.UUID(RandomIds().event_id())
    assert (event.version, event.variant) == (4, uuid.RFC_4122)
