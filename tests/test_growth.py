"""What each page and call reads stays the same, or below a bound, however many requests there are.

The limits of lists, counts, searches, and verification are small here, so that both sizes are far beyond them. What is
read with those of a deployment is in docs/growth.md.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import NamedTuple, Self
from unittest.mock import patch
from urllib.parse import urlsplit

from flow_hitl.audit import read_audit
from flow_hitl.proof import verify_log
from flow_hitl.requests.reading import search_requests
from flow_hitl.requests.store import request_index, request_rows
from infra.routes import Route, all_routes
from tests.growth import CALLS, PAGES, desk
from tests.support.grown import Read

FEW, MANY = 2_000, 20_000
# A count goes up to a thousand in each shard (decision 18), and a list with a filter reads as many; here it is twenty.
SMALL = {
    (request_index, "MOST_COUNTED"): 20,
    (request_rows, "MOST_COUNTED"): 20,
    (request_index, "_READ_AHEAD"): 20,
    (search_requests, "_MOST_HEADS"): 50,
    (search_requests, "_MOST_READS"): 2,
    (read_audit, "_MOST_DAYS"): 10,
    (verify_log, "_CHAINS"): 10,
    (verify_log, "_DAYS"): 5,
}


class Bound(NamedTuple):
    """AWS calls, items, and read units."""

    calls: int
    items: int
    units: float

    @classmethod
    def of(cls, read: Read) -> Self:
        return cls(read.calls.total(), read.items, read.units)

    def holds(self, read: Read) -> bool:
        return all(one <= most for one, most in zip(self.of(read), self, strict=True))


# All others read exactly the same of few requests as of many.
AT_MOST: Mapping[str, Bound] = {
    # How many were opened in that hour, up to a page of each shard.
    "GET requests?from=&to=": Bound(6, 150, 65),
    # How many days it takes to fill a page, up to a page of each shard and so many days.
    "GET audit": Bound(4 * 10 + 15, 125, 60),
    "GET audit (a day)": Bound(7, 125, 30),
    "page: audit": Bound(4 * 10 + 10, 225, 65),
    # How many events a day has, up to so many chains, or days.
    "GET audit/verify": Bound(50, 160, 90),
    # How much of a megabyte the log has, up to two megabytes, and the newest hundred, which it lacks.
    "page: pending, words": Bound(16, 410, 370),
    "page: pending, words (none)": Bound(16, 410, 370),
}
# GET routes that are not measured, and why not.
LEFT_OUT = {
    "GET /d/{deployment_id}/audit/verify": "goes on for as long as a page may take, by parts as measured",
    "GET /d/{deployment_id}/settings": "leads to the first page of the settings",
    "GET /": "leads to the deployments or the sign-in",
    "GET /sign-in": "reads nothing of a deployment",
    "GET /sign-in/code": "reads nothing of a deployment",
    "GET /sign-in/link/{token}": "reads nothing of a deployment",
    "GET /help": "a text",
    "GET /assets/{file_name}": "a file",
    "GET /docs": "a text",
    "GET /docs/{name}": "a file",
    "GET /docs/guide": "a text",
    "GET /docs/guide/{name}": "a text",
    "GET /v1/openapi.json": "a text",
    "GET /v1/keys": "the public keys, and no deployment",
}


@contextmanager
def small_limits() -> Iterator[None]:
    with ExitStack() as stack:
        for (module, name), limit in SMALL.items():
            stack.enter_context(patch.object(module, name, limit))
        yield


def test_no_page_and_no_call_reads_more_where_there_are_ten_times_as_many_requests() -> None:
    with small_limits(), desk() as at:
        few, many = at.measured(FEW), at.measured(MANY)
    grown = {name: (Bound.of(few[name]), Bound.of(many[name])) for name in {*CALLS, *PAGES} - {*AT_MOST}}
    assert {name: pair for name, pair in grown.items() if pair[0] != pair[1]} == {}
    beyond = {
        name: [Bound.of(read[name]) for read in (few, many) if not most.holds(read[name])]
        for name, most in AT_MOST.items()
    }
    assert {name: reads for name, reads in beyond.items() if reads} == {}


def test_each_get_route_is_measured_or_left_out_for_a_reason() -> None:
    measured = {_route_of(path) for path in (*CALLS.values(), *PAGES.values())}
    assert sorted({*measured, *LEFT_OUT}) == sorted(str(route) for route in _GET)
    assert not measured & {*LEFT_OUT}


_GET = [route for route in all_routes() if route.method == "GET"]


def _route_of(path: str) -> str:
    """Return the route that a path leads to: of several, the one with the fewest names."""
    fitting = [route for route in _GET if _pattern(route).fullmatch(urlsplit(path).path)]
    return str(min(fitting, key=lambda route: route.path.count("{")))


def _pattern(route: Route) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(route.path)))
