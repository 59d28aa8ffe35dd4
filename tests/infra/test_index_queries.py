"""The local stack's queries of an index: the answers of ministack, without reading all of a partition for each page."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from infra.local.environment import EMULATOR_VENV, ROOT

# In the emulator's own environment: each query by ministack alone, then narrowed, with how many entries it compared.
ASK = """
import json, sys
from ministack.services import dynamodb
sys.path.insert(0, sys.argv[1])
from index_queries import NarrowQueries

def call(function, **asked):
    status, _, body = function(asked)
    assert status == 200, body
    return json.loads(body)

keys = {"pk": "HASH", "sk": "RANGE"}, {"weekday": "HASH", "moment": "RANGE"}
schemas = [[{"AttributeName": name, "KeyType": kind} for name, kind in one.items()] for one in keys]
call(dynamodb._create_table, TableName="log", BillingMode="PAY_PER_REQUEST", KeySchema=schemas[0],
     AttributeDefinitions=[{"AttributeName": name, "AttributeType": "N" if name == "sk" else "S"}
                           for one in keys for name in one],
     GlobalSecondaryIndexes=[{"IndexName": "by_day", "KeySchema": schemas[1], "Projection": {"ProjectionType": "ALL"}}])
for number in range(200):
    # Three of each moment, written in no order, on two days; every seventh is in no index.
    place = number * 77 % 200
    item = {"pk": {"S": f"chain-{place % 5}"}, "sk": {"N": str(place)}, "moment": {"S": f"{place // 3:03d}"}}
    if place % 7:
        item["weekday"] = {"S": "monday" if place % 2 else "tuesday"}
    call(dynamodb._put_item, TableName="log", Item=item)

def pages(asked):
    found, compared = [], 0
    while True:
        answer = call(dynamodb._query, **asked)
        found.append([answer["Count"], answer["ScannedCount"], answer.get("Items"), answer.get("LastEvaluatedKey")])
        if "LastEvaluatedKey" not in answer:
            return found
        asked = {**asked, "ExclusiveStartKey": answer["LastEvaluatedKey"]}

counted = []
evaluate = dynamodb._evaluate_condition
dynamodb._evaluate_condition = lambda *given, **named: counted.append(1) or evaluate(*given, **named)
asked = json.load(sys.stdin)
answers = {"alone": [pages(one) for one in asked], "compared alone": len(counted)}
counted.clear()
NarrowQueries(dynamodb)
answers |= {"narrow": [pages(one) for one in asked], "compared": len(counted)}
json.dump(answers, sys.stdout)
"""


def query(condition: str = "", *, forward: bool = True, **more: Any) -> dict[str, Any]:
    """Return a query of monday's entries."""
    values = {":day": {"S": "monday"}, **more.pop("values", {})}
    return {
        "TableName": "log",
        "IndexName": "by_day",
        "KeyConditionExpression": f"weekday = :day{condition}",
        "ExpressionAttributeValues": values,
        "ScanIndexForward": forward,
        **more,
    }


def ask(queries: list[dict[str, Any]]) -> dict[str, Any]:
    ran = subprocess.run(
        [EMULATOR_VENV / "bin/python", "-c", ASK, str(Path(ROOT) / "infra/local")],
        input=json.dumps(queries),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    answers: dict[str, Any] = json.loads(ran.stdout)
    return answers


@pytest.mark.parametrize("forward", [True, False], ids=["oldest first", "newest first"])
def test_a_query_of_an_index_answers_as_it_would_with_the_whole_partition(forward: bool) -> None:
    between = " AND moment BETWEEN :low AND :high"
    bounds = {":low": {"S": "013"}, ":high": {"S": "040"}}
    odd = {":five": {"S": "chain-3"}}
    queries = [
        query(forward=forward),
        query(forward=forward, Limit=7),
        query(between, forward=forward, values=bounds),
        *(query(between, forward=forward, values=bounds, Limit=limit) for limit in (1, 2, 5, 1000)),
        query(between, forward=forward, values=bounds | odd, Limit=9, FilterExpression="pk = :five"),
        query(between, forward=forward, values=bounds, Select="COUNT", Limit=50),
        query(between, forward=forward, values={":low": {"S": "9"}, ":high": {"S": "99"}}),
        query(" AND begins_with(moment, :low)", forward=forward, values={":low": {"S": "04"}}, Limit=4),
        # Not of an index: ministack's own answer.
        {
            "TableName": "log",
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": "chain-2"}},
            "Limit": 11,
            "ScanIndexForward": forward,
        },
    ]
    answers = ask(queries)
    assert answers["narrow"] == answers["alone"]
    assert sum(page[0] for page in answers["alone"][0]) > 60


def test_a_page_costs_what_is_on_it() -> None:
    pages = ask(
        [query(" AND moment BETWEEN :low AND :high", values={":low": {"S": "0"}, ":high": {"S": "9"}}, Limit=5)]
    )
    # Ministack alone compares all of the partition for each page.
    assert pages["compared alone"] > 1_000
    # The page's five, those of the same moment, and the cursor.
    assert pages["compared"] <= len(pages["narrow"][0]) * 10
