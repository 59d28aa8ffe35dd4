"""Every answer that a test of the functions gets must be one that the API's description promises; and its manager."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from infra.local.hitl_fixture import Answer, Browser, Hitl, made_once
from tests.functions import described


@pytest.fixture(scope="session", autouse=True)
def _described_answers() -> Iterator[None]:
    call = Hitl._http

    def checked(
        self: Hitl,
        function: str,
        method: str,
        path: str,
        body: str | bytes | None,
        headers: Mapping[str, str],
        **options: Any,
    ) -> Answer:
        answer = call(self, function, method, path, body, headers, **options)
        described.check(method, path, body, answer)
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Hitl, "_http", checked)
        yield


@pytest.fixture
def manager(hitl: Hitl) -> Browser:
    """The browser of the deployment's creator, who has been here before."""
    return been_here_before(hitl)


@made_once
def been_here_before(hitl: Hitl) -> Browser:
    browser = hitl.signed_in()
    browser.get("/d/1/requests")
    return browser
