"""What others were in between of is done anew, and a batch is complete however little DynamoDB takes at once."""

from typing import Any

import pytest

from flow_hitl.platform.dynamodb import batch_get
from flow_hitl.platform.errors import Conflict
from flow_hitl.platform.rounds import in_rounds


class Lagging:
    """A DynamoDB that answers the first `most` keys of each call, and has every item asked for."""

    def __init__(self, most: int) -> None:
        self.most, self.asked = most, list[int]()

    def batch_get_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803 - as boto3 names it
        ((table, wanted),) = RequestItems.items()
        keys = wanted["Keys"]
        self.asked.append(len(keys))
        left = {table: {**wanted, "Keys": keys[self.most :]}} if keys[self.most :] else {}
        return {"Responses": {table: keys[: self.most]}, "UnprocessedKeys": left}


def test_a_conflict_is_answered_by_another_round_after_a_pause() -> None:
    pauses: list[int] = []

    def attempt() -> str:
        if len(pauses) < 2:
            raise Conflict("somebody was in between")
        return "written"

    assert in_rounds(attempt, pauses.append) == "written"
    assert pauses == [0, 1]


def test_the_last_rounds_conflict_is_raised() -> None:
    rounds: list[int] = []

    def attempt() -> None:
        rounds.append(1)
        raise Conflict(f"round {len(rounds)}")

    with pytest.raises(Conflict, match="round 3"):
        in_rounds(attempt, lambda _: None, 3)
    assert len(rounds) == 3


def test_a_batch_asks_again_for_what_was_left_and_for_nothing_twice() -> None:
    client, pauses = Lagging(60), list[int]()
    keys = [{"pk": str(number % 130)} for number in range(260)]
    found = list(batch_get(client, "table", keys, pauses.append))
    assert [record["pk"] for record in found] == [str(number) for number in range(130)]
    assert (client.asked, pauses) == ([100, 40, 30], [0])


def test_a_batch_that_never_ends_is_given_up() -> None:
    with pytest.raises(Conflict):
        list(batch_get(Lagging(0), "table", [{"pk": "1"}], lambda _: None))
