"""The invocations of whole reviews, as the real handlers make them on moto, with each AWS call and its answer."""

import base64
import copy
import io
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any
from unittest.mock import patch

from botocore.response import StreamingBody

from flow_hitl.bootstrap import current
from flow_hitl.platform.http_poster import SafeHttpPoster
from flow_hitl.platform.ports import PostResult
from infra.local.hitl_fixture import Hitl, hitl_on_moto
from tests.support.asserts import EMIT, callback
from tests.support.aws_calls import AwsCall, around_calls, new_process
from tests.support.units import counted

ASKED: Mapping[str, Any] = {
    "flow_id": "flow_abc123",
    "method_name": "review_article",
    "message": "Please review this article for publication.",
    "output": "# A headline\n\n" + "lorem ipsum dolor sit amet " * 24,
    "state": {"article_id": 12345, "author": "john@example.com", "category": "technology"},
    "metadata": {"k": "v"},
}


@dataclass
class Made:
    """An AWS call and its answer as bytes; `number` names the answer."""

    number: int
    service: str
    operation: str
    parameters: Mapping[str, Any]
    body: bytes


@dataclass
class Invocation:
    """One run of a handler at a time of the fixture's clock.

    `before_post` is how many of its calls it made before its first POST to a flow.
    """

    function: str
    event: Any
    now: datetime
    calls: list[Made] = field(default_factory=list)
    result: Any = None
    before_post: int | None = None


@dataclass
class Recording:
    """Reviews by name, each with its invocations on warm functions; the settings, and all answers by number.

    `units` are the write and read units of each review.
    """

    settings: Mapping[str, str]
    reviews: dict[str, list[Invocation]] = field(default_factory=dict)
    units: dict[str, tuple[int, float]] = field(default_factory=dict)
    made: list[Made] = field(default_factory=list)

    def any_answer(self) -> dict[str, int]:
        """Return the number of one answer to each operation, for calls that a warm function leaves out."""
        return {made.operation: made.number for made in self.made}


def record(flow_url: str) -> Recording:
    """Record a review by API, one by email, one that the clock answers, and a page; the flow is resumed at this URL."""
    with hitl_on_moto() as hitl:
        found = Recording(asdict(current().settings))

        def ask(**more: Any) -> Any:
            return hitl.ask(emit=EMIT, resume_url=flow_url, **ASKED, **more)

        def by_email() -> None:
            ask()
            hitl.reply("approved")

        def by_clock() -> None:
            ask(auto_response={"timeout_minutes": 60, "default_outcome": "approved"})
            hitl.advance(minutes=61)

        def by_page() -> None:
            ask()
            hitl.page("GET", hitl.review_url())

        _review(hitl, found, "mail", by_email)
        _review(hitl, found, "page", by_page)
        hitl.configure(settings={"email_notifications": False})
        _review(hitl, found, "api", lambda: callback(hitl, ask()))
        _review(hitl, found, "clock", by_clock)
        return found


def _review(hitl: Hitl, recording: Recording, name: str, act: Callable[[], object]) -> None:
    """Record the third of equal reviews: what a warm function makes."""
    new_process()
    for _ in range(2):
        with _watched(hitl, recording) as invocations:
            act()
    with counted() as units:
        act()
    recording.reviews[name], recording.units[name] = invocations, (units.writes, units.reads)


@contextmanager
def _watched(hitl: Hitl, recording: Recording) -> Iterator[list[Invocation]]:
    done: list[Invocation] = []
    running: list[Invocation] = []
    find = hitl._function

    def function(name: str) -> Callable[[Any, Any], Any]:
        handler = find(name)

        def run(event: Any, context: Any) -> Any:
            invocation = Invocation(name, copy.deepcopy(event), hitl.clock.now())
            done.append(invocation)
            running.append(invocation)
            try:
                invocation.result = handler(event, context)
            finally:
                running.pop()
            return invocation.result

        return run

    def seen(call: AwsCall, make: Callable[[], Any]) -> Any:
        answer = make()
        if running:
            parameters = {name: _plain(value) for name, value in call.parameters.items()}
            made = Made(len(recording.made), call.service, call.operation, parameters, _wire(answer))
            recording.made.append(made)
            running[-1].calls.append(made)
        return answer

    def posted(poster: Any, url: str, *more: Any) -> PostResult:
        if running[-1].before_post is None:
            running[-1].before_post = len(running[-1].calls)
        return post(poster, url, *more)

    post = SafeHttpPoster.post
    with patch.object(hitl, "_function", function), patch.object(SafeHttpPoster, "post", posted), around_calls(seen):
        yield done


def _plain(value: Any) -> Any:
    return value.read() if hasattr(value, "read") else copy.deepcopy(value)


def _wire(answer: dict[str, Any]) -> bytes:
    """Return an answer as its service sent it: the bytes of an object, else JSON."""
    if "Body" in answer:
        data: bytes = answer["Body"].read()
        answer["Body"] = StreamingBody(io.BytesIO(data), len(data))
        return data
    said = {name: value for name, value in answer.items() if name != "ResponseMetadata"}
    return json.dumps(said, default=_said).encode() if said else b"{}"


def _said(value: Any) -> Any:
    return value.timestamp() if isinstance(value, datetime) else base64.b64encode(value).decode()
