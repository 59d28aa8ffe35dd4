"""`flow-hitl restore-drill`, as it is typed: restored tables are proven, and the stack goes on with them."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from click.testing import CliRunner, Result

from flow_hitl.bootstrap import Application, current, use
from infra.cli.main import main
from infra.cli.target import CommandTarget
from infra.local.hitl_fixture import AskedRequest, Hitl
from infra.tables import TABLES
from tests.support.asserts import EMIT
from tests.support.receiver import Receiver, receiving

Run = Callable[..., Result]
NAMED = ("--requests", "requests-restored", "--audit", "audit-restored", "--deployments", "deployments-restored")
IN_AN_HOUR = {"timeout_minutes": 60, "default_outcome": "rejected"}


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(CommandTarget, "application", property(lambda _target: current()))
    return lambda *words: CliRunner().invoke(main, ["restore-drill", *words], terminal_width=120)


@pytest.fixture
def flow() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def pending(hitl: Hitl, flow: Receiver) -> list[AskedRequest]:
    """Two that wait, one of them for an hour at most, after one that was answered; all of it sealed."""
    hitl.sweep()
    hitl.ask(emit=EMIT)
    hitl.reply("approved")
    due = hitl.ask(emit=EMIT, auto_response=IN_AN_HOUR)
    waiting = [hitl.ask(emit=EMIT, resume_url=flow.url), due]
    hitl.advance(minutes=15)
    hitl.seal()
    return waiting


def restore(hitl: Hitl) -> None:
    for table in TABLES:
        hitl._clients["dynamodb"].restore_table_to_point_in_time(
            SourceTableName=table.name, TargetTableName=f"{table.name}-restored", UseLatestRestorableTime=True
        )


def delete(hitl: Hitl, table: str, **key: str) -> None:
    """Delete items of a restored table: those of the sort key, or all that begin with it."""
    client = hitl._clients["dynamodb"]
    for found in client.scan(TableName=table)["Items"]:
        if all(next(iter(found[name].values())).startswith(value) for name, value in key.items()):
            names = [one["AttributeName"] for one in client.describe_table(TableName=table)["Table"]["KeySchema"]]
            client.delete_item(TableName=table, Key={name: found[name] for name in names})


@pytest.mark.usefixtures("pending")
def test_a_copy_is_whole_and_verified_and_does_not_stay(hitl: Hitl, run: Run) -> None:
    result = run("--copy")
    assert result.exit_code == 0, result.output
    words = [line.split() for line in result.stdout.splitlines()]
    assert [line for line in words if line[:1] == ["1"]] == [
        ["1", "events", "10", "10"],
        ["1", "requests", "3", "3"],
        ["1", "pending", "2", "2"],
    ]
    assert "Nothing is missing. Pending requests that can go on: 2." in result.stdout
    assert "Copied" in result.stderr
    assert "Verifying deployment 1" in result.stderr
    assert "practice a real restore" in result.stderr
    assert sorted(hitl._clients["dynamodb"].list_tables()["TableNames"]) == ["audit", "deployments", "requests"]


def test_the_stack_goes_on_with_restored_tables(
    hitl: Hitl, run: Run, pending: list[AskedRequest], flow: Receiver
) -> None:
    restore(hitl)
    drill = json.loads(run(*NAMED, "--json").stdout)
    assert drill["verified"] is True
    assert drill["deployments"][0]["restored"] == drill["deployments"][0]["original"]
    asked, due = pending
    # The worst case: schedules are not part of a restore.
    hitl._clients["scheduler"].delete_schedule_group(Name="hitl")
    hitl._clients["scheduler"].create_schedule_group(Name="hitl")
    old = current()
    tables = {f"{table.name}_table": f"{table.name}-restored" for table in TABLES}
    use(Application(replace(old.settings, **tables), hitl.clock, old.ids, old.jitter))
    hitl.reply("approved")
    assert asked.outcome == "approved"
    assert asked.now()["resume"]["status"] == "delivered"
    assert len(flow.received) == 1
    hitl.advance(minutes=60)
    assert due.outcome == "rejected"
    assert due.kinds.count("response_submitted") == 1


@pytest.mark.usefixtures("pending")
def test_what_came_later_is_not_missed(hitl: Hitl, run: Run) -> None:
    restore(hitl)
    hitl.advance(minutes=5)
    hitl.ask(emit=EMIT)
    hitl.advance(days=2)
    hitl.seal()
    result = run(*NAMED, "--at", "2026-01-14T12:16:00Z")
    assert result.exit_code == 0, result.output
    assert "1           events    10     10" in result.stdout


@pytest.mark.parametrize(
    ("table", "key", "said"),
    [
        ("audit-restored", {"kind": "response_submitted"}, "MISSING: request#"),
        ("requests-restored", {"sk": "r#head"}, "INCOMPLETE: deployment 1 has less"),
    ],
)
@pytest.mark.usefixtures("pending")
def test_what_is_missing_is_named(hitl: Hitl, run: Run, table: str, key: dict[str, str], said: str) -> None:
    restore(hitl)
    delete(hitl, table, **key)
    result = run(*NAMED)
    assert result.exit_code == 1
    assert said in result.stdout
    assert "do not use these tables" in result.stderr


def test_a_deadline_that_nothing_would_bring_is_named(hitl: Hitl, run: Run, pending: list[AskedRequest]) -> None:
    restore(hitl)
    delete(hitl, "deployments-restored", pk="agenda#")
    result = run(*NAMED)
    assert f"NO DEADLINE: {pending[1].id} is pending" in result.stdout
    assert pending[0].id not in result.stdout
    assert "replay --since 2026-01-14T12:0" in result.stderr


def test_a_deadline_that_the_sweep_has_yet_to_see_is_none_to_worry_about(hitl: Hitl, run: Run) -> None:
    hitl.sweep()
    hitl.ask(emit=EMIT, auto_response=IN_AN_HOUR)
    result = run("--copy")
    assert result.exit_code == 2, "nothing is sealed"
    assert "can go on: 1" in result.stdout
    assert "Nothing in it is sealed yet" in result.stdout


@pytest.mark.usefixtures("pending")
def test_the_stack_s_own_tables_may_be_gone(hitl: Hitl, run: Run) -> None:
    restore(hitl)
    old = current()
    gone = {f"{table.name}_table": f"{table.name}-gone" for table in TABLES}
    use(Application(replace(old.settings, **gone), hitl.clock, old.ids, old.jitter))
    result = run(*NAMED)
    assert result.exit_code == 0, result.output
    assert "1           events    -      10" in result.stdout


@pytest.mark.parametrize("words", [(), NAMED[:4], (*NAMED, "--copy")])
def test_it_says_which_tables_it_needs(hitl: Hitl, run: Run, words: tuple[str, ...]) -> None:
    result = run(*words)
    assert result.exit_code == 2
    assert "Give all of --requests, --audit, and --deployments, or --copy." in result.stderr
