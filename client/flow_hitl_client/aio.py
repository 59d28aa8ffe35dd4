"""The plain client for programs with an event loop."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import Any, TypeVar

from flow_hitl_client.client import LONGEST_WAIT_SECONDS, Client
from flow_hitl_client.errors import StillPending
from flow_hitl_client.types import CreatedRequest, Decisions, Request, RequestPage, ResumeStatus

T = TypeVar("T")


class AsyncClient:
    """A Client whose calls are awaited: same names, arguments, answers and errors.

    Each call runs in a thread of the client's own, so that long polls hold up neither the loop nor other code that uses
    its threads. For hundreds of waiting flows follow `decisions` by one call in place of one `wait_for` each.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        timeout: float = 30.0,
        retries: int = 4,
        concurrency: int = 32,
    ) -> None:
        """Connect as Client does; at most `concurrency` calls are under way at once, the others wait their turn."""
        self._client = Client(url, api_key, timeout=timeout, retries=retries)
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="flow-hitl-client")

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the threads back; calls that are under way come to their end, whose answers nobody gets."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def create_request(self, **question: Any) -> CreatedRequest:
        """Ask a person: see Client.create_request."""
        return await self._in_thread(partial(self._client.create_request, **question))

    async def get_request(self, request_id: str, *, wait: int = 0) -> Request:
        """Return the request: see Client.get_request."""
        return await self._in_thread(partial(self._client.get_request, request_id, wait=wait))

    async def wait_for(self, request_id: str, *, timeout: float | None = None) -> Request:
        """Return the request once it is no longer pending: see Client.wait_for."""
        loop = asyncio.get_running_loop()
        deadline = None if timeout is None else loop.time() + timeout
        while True:
            left = LONGEST_WAIT_SECONDS if deadline is None else max(0, round(deadline - loop.time() + 0.5))
            request = await self.get_request(request_id, wait=min(LONGEST_WAIT_SECONDS, left))
            if request["status"] != "pending":
                return request
            if deadline is not None and loop.time() >= deadline:
                raise StillPending(request)

    async def cancel(self, request_id: str) -> Request:
        """Close the request without an answer: see Client.cancel."""
        return await self._in_thread(partial(self._client.cancel, request_id))

    async def reassign(self, request_id: str, assigned_to_email: str) -> Request:
        """Pass the request on: see Client.reassign."""
        return await self._in_thread(partial(self._client.reassign, request_id, assigned_to_email))

    async def list_requests(self, **filters: Any) -> RequestPage:
        """Return one page of requests: see Client.list_requests."""
        return await self._in_thread(partial(self._client.list_requests, **filters))

    async def iterate_requests(self, **filters: Any) -> AsyncIterator[Request]:
        """Return every request that `list_requests` finds, page after page."""
        cursor = filters.pop("cursor", None)
        while True:
            page = await self.list_requests(cursor=cursor, **filters)
            for request in page["requests"]:
                yield request
            cursor = page["next_cursor"]
            if cursor is None:
                return

    async def decisions(self, cursor: str | None = None, *, limit: int | None = None, wait: int = 0) -> Decisions:
        """Return what was decided after `cursor`: see Client.decisions."""
        return await self._in_thread(partial(self._client.decisions, cursor, limit=limit, wait=wait))

    async def report_resume_status(
        self, request_id: str, status: ResumeStatus, *, detail: str | None = None
    ) -> Request:
        """Tell the timeline how the flow went on: see Client.report_resume_status."""
        return await self._in_thread(partial(self._client.report_resume_status, request_id, status, detail=detail))

    async def claim_resumption(self, request_id: str, claim: str | None = None) -> Request:
        """Claim that you alone go on with the flow: see Client.claim_resumption."""
        return await self._in_thread(partial(self._client.claim_resumption, request_id, claim))

    async def _in_thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)
