"""What each page and call reads stays the same, or below a bound, however many requests there are."""

import re
from urllib.parse import urlsplit

from infra.routes import Route, all_routes
from tests.growth import CALLS, PAGES
from tests.support.growth_bounds import compared

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


def test_no_page_and_no_call_reads_more_where_there_are_ten_times_as_many_requests() -> None:
    reads = compared()
    assert reads.differing == {}
    assert reads.beyond == {}
    assert reads.most_items_more == 0


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
