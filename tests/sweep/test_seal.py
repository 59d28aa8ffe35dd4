"""The audit log is sealed in time, whatever became of the calls that have it done; if it is not, that is found."""

import json
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from flow_hitl.bootstrap import current
from flow_hitl.sweep.unsealed import Unsealed
from infra.local.hitl_fixture import Hitl
from tests.support.asserts import EMIT
from tests.support.aws_calls import Call, Calls, When, watched


@pytest.fixture(autouse=True)
def watched_seal(hitl: Hitl) -> None:
    """Let the sweep look for digests, which it leaves to the test else."""
    hitl._sweep_watches_seal = True


def test_a_log_that_nobody_has_sealed_is_sealed_after_two_hours(hitl: Hitl) -> None:
    hitl.ask(emit=EMIT)
    hitl.advance(minutes=179)
    assert digests() == []
    hitl.advance(minutes=2)
    assert digests()[-1] == "2026-01-14T14:00:00Z"
    assert verified(hitl)["unsealed_events"] == 0


def test_where_the_seal_runs_the_sweep_asks_for_nothing_and_lists_once_for_an_hour(hitl: Hitl) -> None:
    hitl.ask(emit=EMIT)
    hitl.advance(minutes=75)
    hitl.seal()
    with watched(hitl) as calls:
        hitl.advance(days=2)
    assert of_sweep(calls).count("s3.ListObjectVersions") == 1
    assert "sqs.SendMessage" not in of_sweep(calls)


def test_a_seal_that_keeps_failing_is_asked_once_a_day_and_found_every_hour(
    hitl: Hitl, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(call: Call, when: When) -> None:
        if call.function == "seal":
            raise EndpointConnectionError(endpoint_url="https://kms")

    hitl.ask(emit=EMIT)
    hitl.advance(minutes=30)
    with watched(hitl, fail) as calls:
        hitl.advance(minutes=9 * 60)
    pairs = list(pairwise(of_sweep(calls)))
    assert pairs.count(("s3.ListObjectVersions", "sqs.SendMessage")) == 1
    assert pairs.count(("s3.ListObjectVersions", "dynamodb.PutItem")) == 6
    assert found(capsys) == ["audit log"] * 3
    hitl.advance(minutes=180)
    assert verified(hitl)["unsealed_events"] == 0
    hitl.advance(minutes=180)
    found(capsys)
    hitl.advance(days=1)
    assert found(capsys) == []


def test_a_bucket_that_does_not_answer_stops_no_sweep(hitl: Hitl, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(call: Call, when: When) -> None:
        if call.operation.startswith("s3."):
            raise EndpointConnectionError(endpoint_url="https://s3")

    hitl.ask(emit=EMIT)
    with watched(hitl, fail):
        hitl.advance(minutes=9 * 60)
    out = capsys.readouterr().out
    assert "audit log: EndpointConnectionError" in out
    assert "SweepEnded" in out


@pytest.mark.parametrize(("digest", "left"), [(12, 13), (13, 14), (14, 15), (15, None), (16, None)])
def test_what_is_left_after_a_digest_is_what_came_after_it(digest: int, left: int | None) -> None:
    unsealed = Unsealed.with_events(None, [moment(11, 30), moment(14, 59)])
    assert (unsealed.since, unsealed.until) == (moment(12), moment(15))
    rest = unsealed.sealed(moment(digest))
    assert rest == (Unsealed(moment(left), moment(15)) if left else None)


def moment(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 1, 14, hour, minute, tzinfo=UTC)


def digests() -> list[str]:
    return list(current()._seals.ends())


def verified(hitl: Hitl) -> dict[str, Any]:
    answer: dict[str, Any] = hitl.api("GET", f"/v1/deployments/{hitl.deployment_id}/audit/verify").json
    return answer


def of_sweep(calls: Calls) -> list[str]:
    return [call.operation for call in calls.begun if call.function == "sweep"]


def found(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return what was found since this was last asked."""
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith('{"_aws"')]
    return [one["subject"] for one in printed if "SweepFound" in one]
