"""Measure what each page and call reads with many requests: `python -m tests.growth 1000 100000`."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta

from infra.local.hitl_fixture import Browser, Hitl, hitl_on_moto
from tests.support.aws_calls import unsettled
from tests.support.grown import Grown, Read, grown, utc

FEW, MANY = 1_000, 20_000
_AGE = timedelta(days=361)


class Desk:
    """A deployment of so many requests, and how to call it as a program and as its manager."""

    def __init__(self, hitl: Hitl, browser: Browser, made: Grown) -> None:
        self.hitl, self.browser, self.made = hitl, browser, made

    def call(self, path: str) -> None:
        answer = self.hitl.api("GET", path)
        assert answer.status == 200, f"{path}: {answer.text[:500]}"

    def page(self, path: str) -> None:
        answer = self.browser.get(path)
        assert answer.status == 200, f"{path}: {answer.status}"

    @property
    def waiting(self) -> str:
        """The id of a request in the middle that waits."""
        return self.made.id(self.made.number // 20 * 10)

    @property
    def answered(self) -> str:
        return self.made.id(self.made.number // 20 * 10 + 5)

    @property
    def day(self) -> str:
        return utc(self.made.now)[:10]


CALLS: Mapping[str, str] = {
    "GET request": "/v1/requests/{answered}",
    "GET timeline": "/v1/requests/{answered}/timeline",
    "GET diagnosis": "/v1/requests/{waiting}/diagnosis",
    "GET requests": "/v1/requests?limit=20",
    "GET requests?status=pending": "/v1/requests?status=pending&limit=20",
    "GET requests?assigned_to=": "/v1/requests?assigned_to=creator@example.com&limit=20",
    "GET requests?flow_name=": "/v1/requests?flow_name=Articles&limit=20",
    "GET requests?flow_name= (none)": "/v1/requests?flow_name=None&limit=20",
    "GET requests?from=&to=": "/v1/requests?from={day}T00:00:00Z&to={day}T01:00:00Z&limit=20",
    "GET decisions": "/v1/decisions?limit=20",
    "GET settings": "/v1/deployments/1/settings",
    "GET members": "/v1/deployments/1/members",
    "GET api-keys": "/v1/deployments/1/api-keys",
    "GET webhooks": "/v1/deployments/1/webhooks",
    "GET analytics": "/v1/deployments/1/analytics",
    "GET audit": "/v1/deployments/1/audit?limit=20",
    "GET audit (a day)": "/v1/deployments/1/audit?from={day}T00:00:00Z&limit=20",
    "GET audit/verify": "/v1/deployments/1/audit/verify",
}
PAGES: Mapping[str, str] = {
    "page: pending": "/d/1/requests",
    "page: pending, newest": "/d/1/requests?order=newest",
    "page: pending, by due time": "/d/1/requests?order=due",
    "page: pending, of one person": "/d/1/requests?assignee=creator@example.com",
    "page: one person by due time": "/d/1/requests?assignee=creator@example.com&order=due",
    "page: pending, words": "/d/1/requests?q=review",
    "page: pending, words (none)": "/d/1/requests?q=zebra",
    "page: history": "/d/1/requests?tab=history",
    "page: history, outcome": "/d/1/requests?tab=history&outcome=rejected",
    "page: request": "/d/1/requests/{waiting}",
    "page: request, news": "/d/1/requests/{waiting}/news",
    "page: request, diagnosis": "/d/1/requests/{waiting}/diagnosis",
    "page: analytics": "/d/1/analytics",
    "page: audit": "/d/1/audit",
    "page: settings": "/d/1/settings/email",
    "page: members": "/d/1/settings/members",
    "page: API keys": "/d/1/settings/api-keys",
    "page: rules": "/d/1/settings/rules",
    "page: webhooks": "/d/1/settings/webhooks",
    "page: checks": "/d/1/settings/checks",
}


@contextmanager
def desk_of(number: int) -> Iterator[tuple[Desk, Callable[[], Read]]]:
    with hitl_on_moto() as hitl:
        # A year is past, and the figures are up to date.
        hitl.clock.sleep(_AGE.total_seconds())
        for _ in range(10):
            hitl.measure()
        browser = hitl.signed_in("creator@example.com")
        with grown(hitl, number) as (made, count), unsettled(hitl):
            yield Desk(hitl, browser, made), count


def measured(number: int) -> Mapping[str, Read]:
    """Return what each page and call reads, on a warm process."""
    found: dict[str, Read] = {}
    with desk_of(number) as (desk, count):
        for acts, act in ((CALLS, desk.call), (PAGES, desk.page)):
            for name, path in acts.items():
                act(path.format(answered=desk.answered, waiting=desk.waiting, day=desk.day))
                found[name] = count()
                act(path.format(answered=desk.answered, waiting=desk.waiting, day=desk.day))
                count()
    return found


def table(numbers: Sequence[int]) -> Iterator[str]:
    """Yield the lines of a table in Markdown: calls, items, and read units of each page and call."""
    all_of = {number: measured(number) for number in numbers}
    yield "| page or call | " + " | ".join(f"{number:,}: calls, items, units" for number in numbers) + " |"
    yield "|---" * (len(numbers) + 1) + "|"
    for name in all_of[numbers[0]]:
        cells = [all_of[number][name] for number in numbers]
        shown = [f"{sum(one.calls.values())}, {one.items:,}, {one.units:g}" for one in cells]
        yield f"| {name} | " + " | ".join(shown) + " |"


if __name__ == "__main__":
    for line in table([int(one) for one in sys.argv[1:]] or [FEW, MANY]):
        sys.stdout.write(line + "\n")
