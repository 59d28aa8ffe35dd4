"""The functions behind the API, and the routes that their resolvers declare."""

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
"""The resolver of each function behind the API, by the function's name."""


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
    """Return every route of the API."""
    return [route for resolver in RESOLVERS.values() for route in routes_of(resolver)]
