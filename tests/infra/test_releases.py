"""An update never loses data, and what older releases have sent out into the world still works."""

import copy
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.local.hitl_fixture import Hitl
from tests.infra.conftest import Assembly, Stack
from tests.support.asserts import EMIT
from tests.support.releases import ISSUED, READ, RELEASES, broken_by, facts_of

FROZEN = sorted(RELEASES.glob("*.json"), key=lambda path: tuple(map(int, path.stem.split("."))))
NEWEST = FROZEN[-1:]
FREEZE = os.environ.get("FLOW_HITL_FREEZE")


def frozen(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def cursors(hitl: Hitl) -> dict[str, str]:
    """Return the cursors that programs keep: of the list, and of the feed of decisions."""
    for _ in range(2):
        hitl.ask("Publish?", emit=EMIT)
        hitl.reply("approved")
    answers = {path: hitl.api("GET", f"{path}?limit=1").json for path in ("/v1/requests", "/v1/decisions")}
    return {path: answer.get("next_cursor") or answer["cursor"] for path, answer in answers.items()}


@pytest.mark.skipif(FREEZE is None, reason="no release is made")
def test_freeze(assembly: Assembly, hitl: Hitl) -> None:
    document = {
        "stacks": {"core": facts_of(assembly.core.template), "mail_edge": facts_of(assembly.mail_edge.template)},
        "issued": {name: {"text": (text := issue()), "says": READ[name](text)} for name, issue in ISSUED.items()},
        "cursors": cursors(hitl),
    }
    with (RELEASES / f"{FREEZE}.json").open("x", encoding="utf-8") as file:
        file.write(json.dumps(document, indent=2, sort_keys=True) + "\n")


def test_there_is_a_release_to_look_back_to() -> None:
    assert FROZEN


@pytest.mark.parametrize("path", NEWEST, ids=lambda path: path.stem)
@pytest.mark.parametrize("stack", ["core", "mail_edge"])
def test_the_last_release_can_be_updated(path: Path, stack: str, assembly: Assembly) -> None:
    assert broken_by(frozen(path)["stacks"][stack], facts_of(getattr(assembly, stack).template)) == []


@pytest.mark.parametrize("name", ISSUED)
@pytest.mark.parametrize("path", FROZEN, ids=lambda path: path.stem)
def test_what_a_release_has_issued_still_says_the_same(path: Path, name: str) -> None:
    issued = frozen(path)["issued"].get(name)
    if issued is None:
        pytest.skip("that release did not have it")
    assert READ[name](issued["text"]) == issued["says"]


@pytest.mark.parametrize("path", FROZEN, ids=lambda path: path.stem)
def test_a_program_goes_on_from_the_place_that_it_kept(path: Path, hitl: Hitl) -> None:
    for address, cursor in frozen(path)["cursors"].items():
        answer = hitl.api("GET", f"{address}?cursor={cursor}")
        assert answer.status == 200, answer.text


def rename_a_table(template: Any) -> None:
    (name, *_) = (key for key, one in template["Resources"].items() if one["Type"] == "AWS::DynamoDB::Table")
    template["Resources"]["Another"] = template["Resources"].pop(name)


def replace_a_bucket_by_a_queue(template: Any) -> None:
    (name, *_) = (key for key, one in template["Resources"].items() if one["Type"] == "AWS::S3::Bucket")
    template["Resources"][name]["Type"] = "AWS::SQS::Queue"


def change_two_indexes(template: Any) -> None:
    (indexes, *_) = (
        one["Properties"]["GlobalSecondaryIndexes"]
        for one in template["Resources"].values()
        if len(one.get("Properties", {}).get("GlobalSecondaryIndexes", [])) > 1
    )
    indexes[0]["IndexName"] = "by_another"


def change_a_key(template: Any) -> None:
    (table, *_) = (one for one in template["Resources"].values() if one["Type"] == "AWS::DynamoDB::Table")
    table["Properties"]["KeySchema"][0]["AttributeName"] = "another"


def drop_an_export(template: Any) -> None:
    (name, *_) = (key for key, one in template["Outputs"].items() if "Export" in one)
    del template["Outputs"][name]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (rename_a_table, "would be lost"),
        (replace_a_bucket_by_a_queue, "would be lost"),
        (change_two_indexes, "2 indexes"),
        (change_a_key, "other keys"),
        (drop_an_export, "the export"),
    ],
)
def test_a_change_that_no_stack_can_follow_is_named(change: Callable[[Any], None], why: str, core: Stack) -> None:
    changed = copy.deepcopy(core.template)
    change(changed)
    (said, *_) = broken_by(facts_of(core.template), facts_of(changed))
    assert why in said


def test_one_index_more_and_a_new_table_are_followed(core: Stack) -> None:
    changed = copy.deepcopy(core.template)
    tables = [one for one in changed["Resources"].values() if one["Type"] == "AWS::DynamoDB::Table"]
    indexed = next(one["Properties"] for one in tables if "GlobalSecondaryIndexes" in one["Properties"])
    indexed["GlobalSecondaryIndexes"].append(indexed["GlobalSecondaryIndexes"][0] | {"IndexName": "by_another"})
    changed["Resources"]["NewTable"] = tables[0]
    assert broken_by(facts_of(core.template), facts_of(changed)) == []
