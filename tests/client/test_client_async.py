"""Lists, answers by callback URL and the asynchronous client, against a real HTTP server."""

import asyncio
import inspect
import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from flow_hitl_client import (
    AlreadyResponded,
    AlreadyResumed,
    AsyncClient,
    Client,
    NotFound,
    RateLimited,
    ServerUnreachable,
    StillPending,
    webhooks,
)
from tests.support.client_server import API_KEY, HitlServer, serving


@pytest.fixture
def server() -> Iterator[HitlServer]:
    with serving() as hitl:
        yield hitl


@pytest.fixture
def client(server: HitlServer) -> Client:
    return Client(server.url, API_KEY)


def ask(client: Client) -> str:
    created = client.create_request(flow_id="f", method_name="m", message="?", emit_options=["approved", "rejected"])
    return created["request"]["id"]


def test_a_list_comes_in_pages_newest_first(client: Client, server: HitlServer) -> None:
    ids = [ask(client) for _ in range(5)]
    client.cancel(ids[4])
    page = client.list_requests(status="pending", limit=2)
    assert [request["id"] for request in page["requests"]] == [ids[3], ids[2]]
    rest = client.list_requests(status="pending", limit=2, cursor=page["next_cursor"])
    assert [request["id"] for request in rest["requests"]] == [ids[1], ids[0]]
    assert rest["next_cursor"] is None
    assert [request["id"] for request in client.iterate_requests(limit=2)] == ids[::-1]


def test_a_time_says_its_zone(client: Client) -> None:
    client.list_requests(created_from=datetime(2026, 1, 14, tzinfo=UTC))
    with pytest.raises(ValueError, match="time zone"):
        client.list_requests(created_from=datetime(2026, 1, 14))  # noqa: DTZ001 - that is the mistake


def test_pass_on(client: Client) -> None:
    assert client.reassign(ask(client), "bob@example.com")["assigned_to_email"] == "bob@example.com"


def test_answer_by_the_callback_url(client: Client, server: HitlServer) -> None:
    created = client.create_request(flow_id="f", method_name="m", message="?")
    server.trouble = [(503, "text/html", b"<h1>down</h1>")]
    decided = webhooks.answer(created["callback_url"], "Approved. Great!", source="my_app", responder="a@example.com")
    assert decided["response"] is not None
    body = server.calls[-1][2]
    assert body == {"feedback": "Approved. Great!", "source": "my_app", "responder": "a@example.com"}
    with pytest.raises(AlreadyResponded):
        webhooks.answer(created["callback_url"], "Rejected")


def test_a_callback_url_stands_in_no_error() -> None:
    with pytest.raises(ServerUnreachable) as raised:
        webhooks.answer("http://127.0.0.1:9/v1/callbacks/secret-token", "yes", retries=0)
    assert "the callback URL" in str(raised.value)


def test_many_waits_at_once(server: HitlServer) -> None:
    async def flows() -> list[str | None]:
        async with AsyncClient(server.url, API_KEY) as client:
            created = await asyncio.gather(
                *(
                    client.create_request(flow_id="f", method_name="m", message="?", emit_options=["approved"])
                    for _ in range(10)
                )
            )
            ids = [one["request"]["id"] for one in created]
            for number, request_id in enumerate(ids):
                threading.Timer(0.02 * number, server.answer, (request_id, "approved", "approved")).start()
            decided = await asyncio.gather(*(client.wait_for(request_id) for request_id in ids))
            return [one["response"]["outcome"] if one["response"] else None for one in decided]

    assert asyncio.run(flows()) == ["approved"] * 10


def test_awaited_calls_do_what_the_others_do(server: HitlServer) -> None:
    async def flow() -> None:
        async with AsyncClient(server.url, API_KEY) as client:
            created = await client.create_request(flow_id="f", method_name="m", message="?", emit_options=["approved"])
            request_id = created["request"]["id"]
            with pytest.raises(StillPending):
                await client.wait_for(request_id, timeout=0)
            assert (await client.reassign(request_id, "bob@example.com"))["assigned_to_email"] == "bob@example.com"
            assert (await client.list_requests())["requests"][0]["id"] == request_id
            assert [one["id"] async for one in client.iterate_requests(limit=1)] == [request_id]
            server.answer(request_id, "approved", "approved")
            assert (await client.decisions())["decisions"][0]["id"] == request_id
            assert (await client.claim_resumption(request_id, "mine"))["id"] == request_id
            with pytest.raises(AlreadyResumed):
                await client.claim_resumption(request_id)
            await client.report_resume_status(request_id, "resumed")
            with pytest.raises(AlreadyResponded):
                await client.cancel(request_id)
            with pytest.raises(NotFound):
                await client.get_request("0192f0c1-7e11-7abc-8def-0123456789ab")

    asyncio.run(flow())
    assert server.reports[0]["status"] == "resumed"


def test_a_flow_that_waits_outlasts_a_throttle_as_the_plain_client_does(server: HitlServer) -> None:
    problem = {"type": "urn:flow-hitl:problem:rate-limited", "title": "Too many requests", "status": 429,
               "detail": "All calls are used up.", "retry_after": 1}  # fmt: skip
    throttled = (429, "application/problem+json", json.dumps(problem).encode())

    async def flow() -> None:
        async with AsyncClient(server.url, API_KEY, retries=0, concurrency=1) as client:
            created = await client.create_request(flow_id="f", method_name="m", message="?", emit_options=["approved"])
            request_id = created["request"]["id"]
            server.answer(request_id, "approved", "approved")
            server.trouble = [throttled]
            started = time.monotonic()
            waiting = asyncio.create_task(client.wait_for(request_id))
            while server.trouble:
                await asyncio.sleep(0.01)
            # The pause keeps no thread busy.
            await client.list_requests()
            assert time.monotonic() - started < 1
            assert (await waiting)["status"] == "responded"
            assert time.monotonic() - started >= 1
            server.trouble = [throttled]
            with pytest.raises(RateLimited):
                await client.wait_for(request_id, timeout=0.5)

    asyncio.run(flow())


def test_each_call_of_the_plain_client_can_be_awaited_with_the_same_arguments() -> None:
    calls = {name: call for name, call in vars(Client).items() if callable(call) and not name.startswith("_")}
    for name, call in calls.items():
        awaited = getattr(AsyncClient, name)
        assert [*inspect.signature(awaited).parameters.values()] == [*inspect.signature(call).parameters.values()]
        assert inspect.iscoroutinefunction(awaited) or inspect.isasyncgenfunction(awaited), name
