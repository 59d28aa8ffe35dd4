"""Routes of a function behind API Gateway (HTTP API, payload format 2.0): what was asked, and how it is answered."""

import base64
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import field
from functools import cached_property
from importlib import import_module
from typing import Any, TypeVar

from flow_hitl.platform.records import dataclass

# What stands in a path by RFC 3986, and what API Gateway has decoded.
_PART = re.compile(r"[-._~()'!*:@,;=+&$%<> \[\]{}|^\w]+")


@dataclass(frozen=True)
class Asked:
    """One call of a route, as API Gateway tells it; the names of headers are in lower case."""

    event: Mapping[str, Any]

    @property
    def method(self) -> str:
        return str(self.event["requestContext"]["http"]["method"])

    @property
    def path(self) -> str:
        return str(self.event["rawPath"])

    @property
    def source_ip(self) -> str:
        return str(self.event["requestContext"]["http"]["sourceIp"])

    @cached_property
    def headers(self) -> Mapping[str, str]:
        return {name.lower(): value for name, value in (self.event.get("headers") or {}).items()}

    @property
    def query(self) -> Mapping[str, str]:
        return self.event.get("queryStringParameters") or {}

    @property
    def raw_query(self) -> str:
        return self.event.get("rawQueryString") or ""

    @property
    def cookies(self) -> Sequence[str]:
        """Each `name=value`; API Gateway splits the header, emulators do not."""
        return self.event.get("cookies") or (self.headers.get("cookie") or "").split(";")

    @property
    def body(self) -> str:
        return self.event.get("body") or ""

    @property
    def is_base64(self) -> bool:
        return bool(self.event.get("isBase64Encoded"))


@dataclass(frozen=True)
class Cookie:
    """A cookie for the whole site, over TLS only, and out of reach of scripts; one of zero seconds is deleted."""

    name: str
    value: str
    seconds: int

    def __str__(self) -> str:
        return f"{self.name}={self.value}; Path=/; Max-Age={self.seconds}; HttpOnly; Secure; SameSite=Lax"


@dataclass
class Response:
    """An answer; with `is_base64`, the body is bytes in base64."""

    status: int
    content_type: str | None = None
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    cookies: Sequence[Cookie] = ()
    is_base64: bool = False

    def to_event(self, *, is_compressed: bool) -> dict[str, Any]:
        """Return what API Gateway expects."""
        headers = {"Content-Type": self.content_type, **self.headers} if self.content_type else dict(self.headers)
        body = self.body
        if is_compressed:
            headers["Content-Encoding"] = "gzip"
            packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
            body = base64.b64encode(packer.compress(body.encode()) + packer.flush()).decode()
        return {
            "statusCode": int(self.status),
            "headers": headers,
            "cookies": [str(cookie) for cookie in self.cookies],
            "body": body,
            "isBase64Encoded": is_compressed or self.is_base64,
        }


Answer = Callable[..., Response]
_Answer = TypeVar("_Answer", bound=Answer)


@dataclass(frozen=True)
class Route:
    """A method, a path whose parts `<name>` are given to `answer`, and whether its answer may be compressed."""

    method: str
    path: str
    answer: Answer
    compress: bool


class Routes:
    """Routes that are declared together: all of a function, or some of them, in a module of their own."""

    def __init__(self) -> None:
        self._declared: list[Route] = []
        self._later: list[str] = []
        self._fixed: dict[tuple[str, str], Route] = {}
        self._patterns: list[tuple[str, Sequence[str], Route]] = []
        self._refusals: dict[type[Exception], Callable[[Any], Response]] = {}

    @property
    def asked(self) -> Asked:
        """What is being answered."""
        return _asked.get()

    def get(self, path: str, *, compress: bool = False) -> Callable[[_Answer], _Answer]:
        return self._route("GET", path, compress=compress)

    def head(self, path: str) -> Callable[[_Answer], _Answer]:
        return self._route("HEAD", path)

    def post(self, path: str) -> Callable[[_Answer], _Answer]:
        return self._route("POST", path)

    def put(self, path: str) -> Callable[[_Answer], _Answer]:
        return self._route("PUT", path)

    def patch(self, path: str) -> Callable[[_Answer], _Answer]:
        return self._route("PATCH", path)

    def delete(self, path: str) -> Callable[[_Answer], _Answer]:
        return self._route("DELETE", path)

    def include(self, others: "Routes") -> None:
        """Answer the routes of another module too."""
        for route in others.declared:
            self._add(route)

    def include_later(self, *modules: str) -> None:
        """Answer the routes of modules too, each with a `router`; they are imported when no route before matches."""
        self._later += modules

    @property
    def declared(self) -> Sequence[Route]:
        """All routes, also those of modules that nobody has needed yet."""
        while self._later:
            self._include_next()
        return self._declared

    def _include_next(self) -> None:
        name = self._later[0]
        self.include(import_module(name).router)
        self._later.remove(name)

    def on(self, error: type[Exception], answer: Callable[[Any], Response]) -> None:
        """Answer errors of a class, and of those derived from it that have no answer of their own."""
        self._refusals[error] = answer

    def resolve(self, event: Mapping[str, Any], _context: object) -> dict[str, Any]:
        """Return the answer to a call; what no route matches is a LookupError to `on`."""
        asked = Asked(event)
        token = _asked.set(asked)
        try:
            try:
                route, parts = self._found(asked.method, asked.path)
                answer = route.answer(**parts)
                # Bytes are images and files, which are compressed already.
                may_compress = route.compress and not answer.is_base64
                is_compressed = may_compress and "gzip" in asked.headers.get("accept-encoding", "")
                return answer.to_event(is_compressed=is_compressed)
            except Exception as error:
                kind = next((kind for kind in type(error).__mro__ if kind in self._refusals), None)
                if kind is None:
                    raise
                return self._refusals[kind](error).to_event(is_compressed=False)
        finally:
            _asked.reset(token)

    def _route(self, method: str, path: str, *, compress: bool = False) -> Callable[[_Answer], _Answer]:
        def declare(answer: _Answer) -> _Answer:
            self._add(Route(method, path, answer, compress))
            return answer

        return declare

    def _add(self, route: Route) -> None:
        self._declared.append(route)
        if "<" in route.path:
            self._patterns.append((route.method, route.path.split("/"), route))
        else:
            self._fixed[route.method, route.path] = route

    def _found(self, method: str, path: str) -> tuple[Route, Mapping[str, str]]:
        found = self._known(method, path)
        while found is None:
            if not self._later:
                raise NoRoute
            self._include_next()
            found = self._known(method, path)
        return found

    def _known(self, method: str, path: str) -> tuple[Route, Mapping[str, str]] | None:
        fixed = self._fixed.get((method, path))
        if fixed is not None:
            return fixed, {}
        parts = path.split("/")
        for its_method, pattern, route in self._patterns:
            if its_method == method and len(pattern) == len(parts):
                pairs = list(zip(pattern, parts, strict=True))
                if all(_PART.fullmatch(part) if mark.startswith("<") else mark == part for mark, part in pairs):
                    return route, {mark[1:-1]: part for mark, part in pairs if mark.startswith("<")}
        return None


class NoRoute(LookupError):
    """Nothing is at the path that was asked for."""


_asked: ContextVar[Asked] = ContextVar("asked")
