"""How far the sweep has come: one item of the deployments table."""

from typing import Any

from pydantic import TypeAdapter

from flow_hitl.platform.dynamodb import item, put_if, values
from flow_hitl.platform.errors import Conflict
from flow_hitl.sweep.watermark import Watermark

_marks = TypeAdapter(Watermark)
_KEY = {"pk": "sweep", "sk": "watermark"}


class DynamoWatermarks:
    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def load(self) -> Watermark | None:
        found = self._client.get_item(TableName=self._table, Key=item(_KEY), ConsistentRead=True).get("Item")
        return _marks.validate_json(values(found)["doc"]) if found else None

    def save(self, mark: Watermark) -> None:
        record = {**_KEY, "doc": _marks.dump_json(mark).decode(), "version": mark.version}
        before = mark.version - 1
        condition = "version = :version" if before else "attribute_not_exists(pk)"
        if not put_if(self._client, self._table, record, condition, {":version": before} if before else {}):
            raise Conflict("another sweep has moved the watermark")
