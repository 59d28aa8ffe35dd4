"""The plain client for programs with an event loop."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial, wraps
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, TypeVar

from flow_hitl_client.client import Client
from flow_hitl_client.types import Request
from flow_hitl_client.waiting import Pause, Waiting

P = ParamSpec("P")
T = TypeVar("T")


def _awaited(
    call: Callable[Concatenate[Client, P], T],
) -> Callable[Concatenate["AsyncClient", P], Coroutine[Any, Any, T]]:
    """Return a method that makes the plain client's call in a thread."""

    @wraps(call)
    async def awaited(self: "AsyncClient", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._in_thread(call, self._client, *args, **kwargs)

    return awaited


class AsyncClient:
    """A Client whose calls are awaited; names, arguments, answers, and errors are the same.

    Calls run in the client's own threads. For hundreds of waiting flows, follow `decisions` instead of many `wait_for`.
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
        """Connect as Client does; at most `concurrency` calls run at once."""
        self._client = Client(url, api_key, timeout=timeout, retries=retries)
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="flow-hitl-client")

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the threads; running calls finish, and their answers are dropped."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    create_request = _awaited(Client.create_request)
    get_request = _awaited(Client.get_request)
    cancel = _awaited(Client.cancel)
    answer_question = _awaited(Client.answer_question)
    reassign = _awaited(Client.reassign)
    list_requests = _awaited(Client.list_requests)
    decisions = _awaited(Client.decisions)
    report_resume_status = _awaited(Client.report_resume_status)
    claim_resumption = _awaited(Client.claim_resumption)

    async def wait_for(self, request_id: str, *, timeout: float | None = None) -> Request:
        """Return the request once it is no longer pending: see Client.wait_for."""
        waiting = Waiting(self._client.get_request, request_id, timeout)
        while isinstance(found := await self._in_thread(waiting.look), Pause):
            await asyncio.sleep(found.seconds)
        return found

    async def iterate_requests(self, **filters: Any) -> AsyncIterator[Request]:
        """Yield every request that `list_requests` finds."""
        requests = self._client.iterate_requests(**filters)
        while (request := await self._in_thread(next, requests, None)) is not None:
            yield request

    async def _in_thread(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(call, *args, **kwargs))
