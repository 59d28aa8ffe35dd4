"""The figures on the local stack: read under the template's own roles, stored by runs that race, and rebuilt."""

import json
import secrets
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from flow_hitl.metrics.metric_store import DynamoMetricStore
from flow_hitl.metrics.metrics import Dimension, Generations, Position, Progress, Seen, Span, cuts, measure, merged
from flow_hitl.platform.errors import Conflict
from flow_hitl.requests.request import Stamp, decide
from tests.e2e.local_client import LocalClient, eventually
from tests.support import examples

pytestmark = pytest.mark.e2e


def figures_of(local: LocalClient, method: str) -> dict[str, Any]:
    path = f"/v1/deployments/{local.credentials.deployment_id}/analytics?group_by=method"
    answer = local.call("GET", path)
    assert answer.status_code == 200, answer.text
    return next((group for group in answer.json()["groups"] if group["method"] == method), {})


def rebuild(local: LocalClient, *words: str) -> subprocess.CompletedProcess[str]:
    return local.command("analytics", "rebuild", str(local.credentials.deployment_id), "--json", *words)


def answered(local: LocalClient, method: str) -> None:
    created = local.ask(method_name=method)
    response = local.call("POST", urlsplit(created["callback_url"]).path, {"feedback": "approved"})
    assert response.status_code == 200, response.text


def test_requests_are_counted_and_a_rebuild_meanwhile_agrees(local: LocalClient) -> None:
    method = f"review_{secrets.token_hex(5)}"
    answered(local, method)
    eventually(lambda: figures_of(local, method).get("responded") == 1, "the first request's figures")
    with ThreadPoolExecutor(4) as executor:
        rebuilding = executor.submit(rebuild, local)
        list(executor.map(lambda _: answered(local, method), range(12)))
        assert rebuilding.result().returncode == 0, rebuilding.result().stderr
    found = eventually(lambda: _all_answered(local, method, 13), "the figures of all requests")
    assert found["outcomes"] == [{"outcome": "approved", "count": 13, "share": 1.0}]
    check = rebuild(local, "--check")
    assert check.returncode == 0, check.stdout + check.stderr
    assert json.loads(check.stdout)["agree"] is True


def test_runs_that_race_count_each_event_once(local: LocalClient) -> None:
    """Many runs add the same events at the same time; each must come from where the set is."""
    table = local.operator.outputs["DeploymentsTable"]
    deployment_id = secrets.randbelow(10**9) + 10**9
    events = list(some_measurements(120))
    store = DynamoMetricStore(local.aws("dynamodb"), table, lambda _: None)
    store.begin(deployment_id, Generations().begun(Progress(Position(examples.NOON - timedelta(days=1)))))
    own = threading.local()

    def work(_: int) -> None:
        client = own.__dict__.setdefault("client", local.aws("dynamodb"))
        mine = DynamoMetricStore(client, table, lambda _: None)
        while (progress := mine.generations(deployment_id).progress_of(1)) is not None:
            cut = next(cuts(one for one in events if one.position.at > progress.position.at), None)
            if cut is None:
                return
            with suppress(Conflict):
                mine.fold(deployment_id, 1, progress, cut)

    with ThreadPoolExecutor(8) as executor:
        list(executor.map(work, range(8)))
    stored = {
        **store.contents(deployment_id, 1, Span("2026-01", "2026-01")),
        **store.contents(deployment_id, 1, Span("2026-01-01", "2026-01-31")),
    }
    expected = merged(each.tallies or {} for each in events)
    assert list(store.all_time(deployment_id, 1).tallies.values()) == [{"created": 60, "responded": 60}]
    assert stored == {bucket: tally for bucket, tally in expected.items() if bucket.period != "all"}
    assert {bucket.dimension for bucket in stored} == set(Dimension)


def some_measurements(count: int) -> list[Seen]:
    """Return what the events of requests and their answers add, of some reviewers, flows and methods, in order."""
    found = []
    for number in range(count // 2):
        person, at = f"{number % 3}@example.com", examples.NOON + timedelta(hours=number)
        opened = examples.opening(
            at=at, method_name=f"m{number % 4}", flow_name=f"f{number % 2}", assignment=examples.assigned_to(person)
        )
        given = decide(
            opened.after,
            examples.answer(responder=person),
            examples.CONTENT,
            stamp=Stamp("e", at + timedelta(minutes=1), person),
        )
        for event in (opened.event, given.event):
            measured = measure(event)
            assert measured is not None
            found.append(Seen(Position(event.at), measured.tallies))
    return found


def _all_answered(local: LocalClient, method: str, count: int) -> dict[str, Any] | None:
    found = figures_of(local, method)
    return found if found.get("responded") == count else None
