"""The functions behind HTTP, the routes that their resolvers declare, and which of these are the API."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

from functions import dashboard, docs, intake, management, respond

METHODS = ("get", "head", "post", "put", "patch", "delete")

RESOLVERS: dict[str, APIGatewayHttpResolver] = {
    "intake": intake.app,
    "management": management.app,
    "respond": respond.app,
    "dashboard": dashboard.app,
    "docs": docs.app,
}
"""The resolver of each function behind HTTP, by the function's name."""

_API = re.compile(r"/v1/.+|/docs(/.*)?|/review/[^/]+")


@dataclass(frozen=True)
class Route:
    """A method and a path as API Gateway writes it, and the name of the Python function that answers there."""

    method: str
    path: str
    answered_by: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def routes_of(resolver: APIGatewayHttpResolver) -> Iterator[Route]:
    """Yield each route that a resolver declares."""
    for path, item in (resolver.get_openapi_schema().paths or {}).items():
        for method in METHODS:
            operation = getattr(item, method)
            if operation:
                # powertools names an operation after the function, its path and its method.
                suffix = re.sub(r"\W", "_", path) + f"_{method}"
                yield Route(method.upper(), path, operation.operationId.removesuffix(suffix))


def all_routes() -> list[Route]:
    """Return every route that answers by HTTP."""
    return [route for resolver in RESOLVERS.values() for route in routes_of(resolver)]


def is_api(path: str) -> bool:
    """Tell whether what answers at a path is part of the API, and so of its description.

    That is what programs call, below `/v1`; the description itself, below `/docs`; and the page behind the link in a
    mail. All else is for people: the dashboard's pages with their forms, scripts and styles, which change together.
    """
    return _API.fullmatch(path) is not None


def api_routes() -> list[Route]:
    """Return every route that is part of the API."""
    return [route for route in all_routes() if is_api(route.path)]
