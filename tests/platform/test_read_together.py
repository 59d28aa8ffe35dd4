"""Several stores' items in one call: a copy that lags will do for what never changes, and for what may lag."""

from collections.abc import Mapping, Sequence
from typing import Any

from flow_hitl.platform.dynamodb import item, values
from flow_hitl.platform.ports import Reading
from flow_hitl.platform.read_together import DynamoReader

Record = Mapping[str, Any]


class Copies:
    """DynamoDB with a copy that may lack items; `asked` are its calls: whether each table is read consistently."""

    def __init__(self, there: Mapping[str, Sequence[Record]], lacking: Mapping[str, Sequence[Record]]) -> None:
        self.there, self.lacking = there, lacking
        self.asked: list[dict[str, bool]] = []

    def batch_get_item(self, RequestItems: Mapping[str, Any]) -> Any:  # noqa: N803 - boto3's name
        self.asked.append({table: wanted.get("ConsistentRead", False) for table, wanted in RequestItems.items()})
        return {"Responses": {table: list(self._found(table, wanted)) for table, wanted in RequestItems.items()}}

    def _found(self, table: str, wanted: Mapping[str, Any]) -> Any:
        for key in map(values, wanted["Keys"]):
            for record in self.there[table]:
                is_lacking = record in self.lacking.get(table, ()) and not wanted.get("ConsistentRead")
                if key.items() <= record.items() and not is_lacking:
                    yield item(record)


REQUEST, FIRST, SECOND = {"pk": "1", "doc": "x"}, {"subject": "1", "seq": "1"}, {"subject": "1", "seq": "2"}
STORED = {"requests": [REQUEST], "audit": [FIRST, SECOND]}


def read(client: Copies) -> Any:
    request = Reading("requests", [{"pk": "1"}], list)
    events = Reading("audit", [{"subject": "1", "seq": "1"}, {"subject": "1", "seq": "2"}], list, never_change=True)
    return DynamoReader(client, lambda _: None)(request, events)


def test_events_are_read_from_any_copy_and_requests_from_the_newest() -> None:
    client = Copies(STORED, {})
    assert read(client) == ([REQUEST], [FIRST, SECOND])
    assert client.asked == [{"requests": True, "audit": False}]


def test_an_event_that_a_copy_does_not_have_yet_is_read_all_the_same() -> None:
    client = Copies(STORED, {"audit": [SECOND]})
    assert read(client) == ([REQUEST], [FIRST, SECOND])
    assert client.asked == [{"requests": True, "audit": False}, {"audit": True}]


def test_a_table_of_which_something_may_change_is_read_consistently() -> None:
    client = Copies(STORED, {"audit": [FIRST, SECOND]})
    event = Reading("audit", [{"subject": "1", "seq": "1"}], list, never_change=True)
    other = Reading("audit", [{"subject": "1", "seq": "2"}], list)
    assert DynamoReader(client, lambda _: None)(event, other) == ([FIRST], [SECOND])
    assert client.asked == [{"audit": True}]


def test_what_may_lag_is_read_from_any_copy_and_taken_as_it_is_there() -> None:
    client = Copies(STORED, {"audit": [SECOND]})
    first = Reading("audit", [{"subject": "1", "seq": "1"}], list, never_change=True)
    second = Reading("audit", [{"subject": "1", "seq": "2"}], list, may_lag=True)
    assert DynamoReader(client, lambda _: None)(first, second) == ([FIRST], [])
    assert client.asked == [{"audit": False}]
