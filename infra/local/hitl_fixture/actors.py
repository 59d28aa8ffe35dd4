"""The flow's request, and a person's browser."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from infra.local.hitl_fixture.between import BetweenFunctions
from infra.local.hitl_fixture.seen import Answer


@dataclass(frozen=True)
class AskedRequest:
    """A request that the flow opened, read anew at each access."""

    id: str
    callback_url: str
    _hitl: BetweenFunctions

    def now(self) -> dict[str, Any]:
        """Return the API's current request object."""
        request: dict[str, Any] = self._hitl.api("GET", f"/v1/requests/{self.id}").json["request"]
        return request

    @property
    def status(self) -> str:
        return str(self.now()["status"])

    @property
    def outcome(self) -> str | None:
        response = self.now()["response"]
        return response["outcome"] if response else None

    @property
    def response(self) -> dict[str, Any]:
        response: dict[str, Any] = self.now()["response"]
        return response

    @property
    def timeline(self) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = self._hitl.api("GET", f"/v1/requests/{self.id}/timeline").json["events"]
        return events

    @property
    def kinds(self) -> list[str]:
        """The kinds of the timeline's events, in order."""
        return [event["kind"] for event in self.timeline]


class Browser:
    """A browser that keeps cookies and fills in hidden form fields.

    It follows no redirects: `location` is the target of the last one.
    """

    def __init__(self, hitl: BetweenFunctions, source_ip: str) -> None:
        self._hitl, self._source_ip = hitl, source_ip
        self.cookies: dict[str, str] = {}
        self.location = ""
        self._form_token = ""

    @property
    def session(self) -> str | None:
        """The session cookie, or None if nobody is signed in."""
        return self.cookies.get("__Host-hitl-session")

    def get(self, path: str, method: str = "GET", **headers: str) -> Answer:
        """Open a page; `path` may be a full URL."""
        return self._visit(method, path, None, headers)

    def post(self, path: str, form: Mapping[str, Any] | None = None, **headers: str) -> Answer:
        """Send a form, whose values may be lists, as the last page would."""
        fields = {"csrf": self._form_token} if self._form_token else {}
        own = {"origin": "https://hitl.test", "sec-fetch-site": "same-origin"}
        return self._visit("POST", path, urlencode({**fields, **(form or {})}, doseq=True), {**own, **headers})

    def _visit(self, method: str, path: str, body: str | None, headers: Mapping[str, str]) -> Answer:
        sent = {"content-type": "application/x-www-form-urlencoded"} if body is not None else {}
        parts = urlsplit(path)
        answer = self._hitl._http(
            method,
            f"{parts.path}?{parts.query}" if parts.query else parts.path,
            body,
            {**sent, **headers},
            cookies=[f"{name}={value}" for name, value in self.cookies.items()],
            source_ip=self._source_ip,
        )
        for one in answer.cookies:
            name, _, value = one.partition(";")[0].partition("=")
            if "; Max-Age=0" in one:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        found = re.search(r'name="csrf" value="([^"]+)"', answer.text)
        self._form_token = found[1] if found else self._form_token
        self.location = answer.headers.get("Location", "")
        return answer
