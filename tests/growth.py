"""Measure what each page and call reads with many requests: `python -m tests.growth 1000 100000`."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from urllib.parse import urlsplit

from flow_hitl.bootstrap import current
from flow_hitl.requests.deciding.web_tokens import WebhookName
from infra.local.hitl_fixture import Browser, Hitl, hitl_on_moto
from tests.support.aws_calls import unsettled
from tests.support.grown import Kind, Read, grown, kinds_of, utc
from tests.support.quiet import quiet

FEW, MANY = 1_000, 20_000
_AGE = timedelta(days=361)
_NOBODY_LISTENS = "http://127.0.0.1:9/"
_DOT = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"

DEPLOYMENT = "/v1/deployments/1"
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
    "GET content": "/v1/contents/{content}",
    "GET attachment": "/v1/attachments/{attachment}",
    "GET settings": f"{DEPLOYMENT}/settings",
    "GET routing-rules": f"{DEPLOYMENT}/routing-rules",
    "GET members": f"{DEPLOYMENT}/members",
    "GET member": f"{DEPLOYMENT}/members/{{member}}",
    "GET api-keys": f"{DEPLOYMENT}/api-keys",
    "GET api-key": f"{DEPLOYMENT}/api-keys/{{key}}",
    "GET webhooks": f"{DEPLOYMENT}/webhooks",
    "GET deliveries": f"{DEPLOYMENT}/webhooks/{{webhook}}/deliveries",
    "GET analytics": f"{DEPLOYMENT}/analytics",
    "GET audit": f"{DEPLOYMENT}/audit?limit=20",
    "GET audit (a day)": f"{DEPLOYMENT}/audit?from={{day}}T00:00:00Z&limit=20",
    "GET audit/verify": f"{DEPLOYMENT}/audit/verify",
    "GET audit/export": f"{DEPLOYMENT}/audit/export/{{export}}",
}
PAGES: Mapping[str, str] = {
    "page: deployments": "/d",
    "page: pending": "/d/1/requests",
    "page: pending, newest": "/d/1/requests?order=newest",
    "page: pending, by due time": "/d/1/requests?order=due",
    "page: pending, by flow": "/d/1/requests?order=flow",
    "page: pending, of one person": "/d/1/requests?assignee=creator@example.com",
    "page: one person by due time": "/d/1/requests?assignee=creator@example.com&order=due",
    "page: pending, words": "/d/1/requests?q=review",
    "page: pending, words (none)": "/d/1/requests?q=zebra",
    "page: history": "/d/1/requests?tab=history",
    "page: history, outcome": "/d/1/requests?tab=history&outcome=rejected",
    "page: lists, news": "/d/1/news",
    "page: answers": "/d/1/answers",
    "page: request": "/d/1/requests/{waiting}",
    "page: request, news": "/d/1/requests/{waiting}/news",
    "page: request, pass on": "/d/1/requests/{waiting}/pass-on",
    "page: request, manage": "/d/1/requests/{waiting}/manage",
    "page: request, diagnosis": "/d/1/requests/{waiting}/diagnosis",
    "page: email's link": "/review/{review}",
    "page: email's link, news": "/review/{review}/news",
    "page: analytics": "/d/1/analytics",
    "page: audit": "/d/1/audit",
    "page: audit, export": "/d/1/audit/export",
    "page: settings": "/d/1/settings/email",
    "page: settings, SLA": "/d/1/settings/sla",
    "page: settings, clock": "/d/1/settings/auto-response",
    "page: settings, answers": "/d/1/settings/answers",
    "page: settings, retention": "/d/1/settings/retention",
    "page: settings, advanced": "/d/1/settings/advanced",
    "page: groups": "/d/1/settings/groups",
    "page: group": "/d/1/settings/groups/new",
    "page: rules": "/d/1/settings/rules",
    "page: rule": "/d/1/settings/rules/new",
    "page: members": "/d/1/settings/members",
    "page: API keys": "/d/1/settings/api-keys",
    "page: webhooks": "/d/1/settings/webhooks",
    "page: webhook": "/d/1/settings/webhooks/{webhook}",
    "page: checks": "/d/1/settings/checks",
}


class Desk:
    """A deployment, and how to call it as a program and as its manager."""

    def __init__(self, hitl: Hitl) -> None:
        """Make one that is a year old, with up-to-date figures, and one of each thing that paths name."""
        self.hitl = hitl
        hitl.clock.sleep(_AGE.total_seconds())
        for _ in range(10):
            hitl.measure()
        self.browser: Browser = hitl.signed_in("creator@example.com")
        self.kinds: Sequence[Kind] = kinds_of(hitl)
        hitl.api("PUT", f"{DEPLOYMENT}/members/member@example.com", {})
        # Who has but one is led into it.
        current().manage_deployments.create(name="Other", creator_email="creator@example.com", organization_id=1)
        webhook = self._post("/webhooks", {"name": "Jira", "url": _NOBODY_LISTENS, "events": ["question_asked"]})
        image = {"name": "dot.gif", "media_type": "image/gif", "content": _DOT}
        asked = hitl.ask(attachments=[image], assigned_to_email="creator@example.com")
        name, until = WebhookName(hitl.deployment_id, webhook["webhook"]["id"]), hitl.clock.now() + timedelta(days=1)
        links = {
            "review": hitl.review_url(),
            "content": current().answer_addresses.content_url(asked.id, name, until),
            "attachment": asked.now()["attachments"][0]["url"],
        }
        self.names = {
            "webhook": name.webhook_id,
            "member": "member@example.com",
            "key": self._post("/api-keys", {"name": "k", "permissions": ["create_requests"]})["api_key"]["id"],
            "export": self._post("/audit/export", {})["export"]["id"],
            **{link: urlsplit(url).path.rpartition("/")[2] for link, url in links.items()},
        }

        # As for somebody who has been here, and on a process that has answered each before.
        self.page("/d/1/requests")
        self.measured(20)

    def _post(self, path: str, body: object) -> Mapping[str, Mapping[str, str]]:
        answer = self.hitl.api("POST", f"{DEPLOYMENT}{path}", body)
        assert answer.status in (201, 202), answer.text
        made: Mapping[str, Mapping[str, str]] = answer.json
        return made

    def call(self, path: str) -> None:
        answer = self.hitl.api("GET", path)
        assert answer.status == 200, f"{path}: {answer.text[:500]}"

    def page(self, path: str) -> None:
        answer = self.browser.get(path)
        is_there = answer.status == 200 or (answer.status == 303 and not self.browser.location.startswith("/sign-in"))
        assert is_there, f"{path}: {answer.status}"

    def measured(self, number: int) -> Mapping[str, Read]:
        """Return what each page and call reads when there are so many requests."""
        found: dict[str, Read] = {}
        with grown(self.hitl, number, self.kinds) as (made, count), unsettled(self.hitl):
            middle = number // 20 * 10
            names = {**self.names, "waiting": made.id(middle), "answered": made.id(middle + 5)}
            for acts, act in ((CALLS, self.call), (PAGES, self.page)):
                for name, path in acts.items():
                    filled = path.format(**names, day=utc(made.now)[:10])
                    found[name] = count()
                    act(filled)
        return found


@contextmanager
def desk() -> Iterator[Desk]:
    """Yield a deployment to measure at."""
    with hitl_on_moto() as hitl:
        yield Desk(hitl)


def table(numbers: Sequence[int]) -> Iterator[str]:
    """Yield the lines of a table in Markdown: calls, items, and read units of each page and call."""
    with quiet(), desk() as at:
        all_of = {number: at.measured(number) for number in numbers}
    yield "| page or call | " + " | ".join(f"{number:,}: calls, items, units" for number in numbers) + " |"
    yield "|---" * (len(numbers) + 1) + "|"
    for name in all_of[numbers[0]]:
        cells = [all_of[number][name] for number in numbers]
        shown = [f"{sum(one.calls.values())}, {one.items:,}, {one.units:g}" for one in cells]
        yield f"| {name} | " + " | ".join(shown) + " |"


if __name__ == "__main__":
    for line in table([int(one) for one in sys.argv[1:]] or [FEW, MANY]):
        sys.stdout.write(line + "\n")
