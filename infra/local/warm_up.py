"""The slow first call of the functions that somebody waits for, made before anyone does.

All others start when they are first called: a fork of a warm process takes moments, and an idle stack stays small.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed

import urllib3

from infra.local.failure import StackFailed
from infra.local.patience import HANG_SECONDS

# One of intake, by which flows ask, and one of respond, by which people's answers come. Each call is refused, after the
# function has started.
PATHS = ("/v1/requests", "/v1/contents/none")


def api_url(endpoint_url: str, api_id: str) -> str:
    """Return where the emulator serves an HTTP API."""
    return f"{endpoint_url}/_aws/execute-api/{api_id}/$default"


def warm_up(url: str, note: Callable[[str], None]) -> None:
    """Call the HTTP API at `url` once for each function, all at the same time, and note how many have answered.

    Raises StackFailed.
    """
    pool = urllib3.PoolManager(retries=False, timeout=HANG_SECONDS)
    with ThreadPoolExecutor(len(PATHS)) as executor:
        calls = [executor.submit(lambda path=path: pool.request("GET", url + path).data.decode()) for path in PATHS]  # type: ignore[misc]
        for count, call in enumerate(as_completed(calls), 1):
            answer = call.result()
            # So the emulator reports a function whose import fails.
            if "Worker init failed" in answer or "Worker process exited" in answer:
                raise StackFailed(f"A function does not start. Fix it and start again: {answer}")
            note(f"{count} of {len(PATHS)} functions have started")
