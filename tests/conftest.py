"""The `hitl` fixture, every answer of which must be one that the API's description promises; and its manager."""

import gc
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import botocore.session
import pytest
from hypothesis import settings

from infra.local.hitl_fixture import Answer, Browser, Hitl, made_once
from tests.support import slices

pytest_plugins = ["infra.local.hitl_fixture"]

# The same examples in each run, and no deadline: what is green stays green on a busy machine.
settings.load_profile("ci")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = slices.left_out(items)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        gone = set(left_out)
        items[:] = [item for item in items if item not in gone]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much the tests have tried that count it by `record_property("tried: …", number)`, and what of it broke.

    The latter is counted by a "broken: …" of the same name.
    """
    sums: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") == "call":
                for name, number in report.user_properties:
                    sums[name] += number if name.startswith(("tried: ", "broken: ")) else 0
    for name in sorted(one.removeprefix("tried: ") for one in sums if one.startswith("tried: ")):
        broken = f", broken: {sums[f'broken: {name}']:,}" if f"broken: {name}" in sums else ""
        terminalreporter.write_line(f"{name} tried: {sums[f'tried: {name}']:,}{broken}")


def pytest_sessionstart() -> None:
    """Let botocore read its descriptions of services once per process, and not in each of the sessions that tests make.

    Nobody changes them: the clients of one session share them, too.
    """
    sessions: Any = botocore.session
    sessions.create_loader = cache(sessions.create_loader)


def pytest_collection_finish() -> None:
    """Look for garbage among what tests make, and seldom: a fifth of the time went into looking for it everywhere."""
    gc.freeze()
    gc.set_threshold(20_000)


@pytest.fixture(scope="session")
def _described_answers() -> Iterator[None]:
    from tests.support import described

    call = Hitl._http

    def checked(
        self: Hitl,
        method: str,
        path: str,
        body: str | bytes | None,
        headers: Mapping[str, str],
        **options: Any,
    ) -> Answer:
        answer = call(self, method, path, body, headers, **options)
        described.check(method, path, body, answer)
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Hitl, "_http", checked)
        yield


@pytest.fixture
def hitl(hitl: Hitl, _described_answers: None) -> Hitl:
    return hitl


@pytest.fixture
def manager(hitl: Hitl) -> Browser:
    """The browser of the deployment's creator, who has been here before."""
    return been_here_before(hitl)


@made_once
def been_here_before(hitl: Hitl) -> Browser:
    browser = hitl.signed_in()
    browser.get("/d/1/requests")
    return browser
