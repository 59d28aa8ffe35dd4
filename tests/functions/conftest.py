"""Every answer that a test of the functions gets must be one that the API's description promises."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from infra.local.hitl_fixture import Answer, Hitl
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
