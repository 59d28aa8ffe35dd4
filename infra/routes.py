"""The HTTP routes, the function that answers each, and which of them are the API."""

import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import functions as handlers
from functions.routing import Routes
from infra.topology import HTTP_FUNCTIONS

_API = re.compile(r"/v1/.+|/docs(/.*)?|/review/[^/]+")


@dataclass(frozen=True)
class Route:
    """A method, a path as API Gateway writes it, and the Python function that answers."""

    method: str
    path: str
    answered_by: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def answering(method: str, path: str) -> str:
    """Return the function that answers a call; imports no more of them than it must."""
    (rest,) = (one.name for one in HTTP_FUNCTIONS if one.the_rest)
    call, others = f"{method} {path}", (one.name for one in HTTP_FUNCTIONS if not one.the_rest)
    return next((name for name in others if _pattern(name).fullmatch(call)), rest)


@cache
def _pattern(function: str) -> re.Pattern[str]:
    """Return what matches the method and path of each route of a function."""
    routes = map(str, routes_of(function))
    return re.compile("|".join(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(route)) for route in routes))


def routes_of(function: str) -> Iterator[Route]:
    """Yield each route that a function declares."""
    app: Routes = importlib.import_module(f"{handlers.__name__}.{function}").app
    for one in app.declared:
        yield Route(one.method, one.path.replace("<", "{").replace(">", "}"), one.answer.__name__)


def all_routes() -> list[Route]:
    """Return every route that answers by HTTP."""
    return [route for one in HTTP_FUNCTIONS for route in routes_of(one.name)]


def is_api(path: str) -> bool:
    """Tell whether a path is part of the API and its description: `/v1`, `/docs`, and the page behind an email's link.

    The rest is the dashboard, which may change at any time.
    """
    return _API.fullmatch(path) is not None


def api_routes() -> list[Route]:
    """Return every route that is part of the API."""
    return [route for route in all_routes() if is_api(route.path)]
