"""Compare what went in with what came out: by the API, the log, the mailbox, the flows, the queues, and the figures."""

import re
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from infra.outputs import settings_from_outputs
from infra.topology import DEAD_LETTERS, QUEUES
from tests.e2e.local_client import LocalClient
from tests.load.load import CHANNELS, OUTCOMES, SCHEDULED, Load
from tests.load.tally import Line, Tally

_PAGE = 100
# Many requests take minutes to verify.
_COMMAND_SECONDS, _FIGURES_SECONDS = 3600.0, 2700.0
# Each look at figures that are behind reads many events, which takes from the run that brings them up to date.
_FIGURES_LOOK_SECONDS = 20.0
_CONFIRMED = "Recorded: "


def tally(load: Load) -> Tally:
    """Return the counts of a load that has run."""
    local, asked = load.trouble.local, list(load.asked.values())
    number, kills = len(asked), load.trouble.kills.total()
    by_channel = Counter(one.channel for one in asked)
    shown = {one["id"]: one for one in _requests(local) if one["method_name"] == load.method}
    events = _events(local, {one.id for one in asked})
    decisions = [kinds["response_submitted"] for kinds in events.values()]
    confirmed = Counter(mail["to"][0] for mail in load.mails if _CONFIRMED in mail["subject"])
    # Nothing but the notification and the confirmation is sent.
    notified = Counter(mail["to"][0] for mail in load.mails if _CONFIRMED not in mail["subject"])
    mails_again = len(load.mails) - len(confirmed) - len(notified)
    flows, again = load.flows, load.flows.told.total() - len(load.flows.told)
    group = _figures(local, load.method)
    settings = settings_from_outputs(local.operator.outputs)
    lines = [
        Line("calls given up", 0, len(load.failures)),
        Line("requests created", number, len({one.id for one in asked})),
        Line("requests in the service", number, len(shown)),
        *(
            Line(f"answered by {channel}", by_channel[channel], _count(shown, "responded_via", channel))
            for channel in CHANNELS
        ),
        Line("answers as they were given", number, sum(_answer(shown, one.id) == one.outcome for one in asked)),
        Line("pending in the end", 0, sum(one["status"] == "pending" for one in shown.values())),
        Line("decided, by the log", number, sum(count >= 1 for count in decisions)),
        Line("decided more than once", 0, sum(count > 1 for count in decisions)),
        Line("assignees who were asked", number, len(notified)),
        Line("emailed answers confirmed", by_channel["email"], len(confirmed)),
        Line("emails on record", number + by_channel["email"], _sent(events)),
        Line("emails sent once more", kills, mails_again, at_most=True),
        Line("flows resumed", number, len(flows.told)),
        Line("told what was answered", number, sum(flows.outcomes.get(one.id) == one.outcome for one in asked)),
        Line("flows told once more", kills, again, at_most=True),
        Line("resumptions on record", number, _delivered(shown)),
        Line(
            "messages left in queues",
            0,
            sum(load.trouble.waiting(one.name) for one in QUEUES if one.name not in SCHEDULED),
        ),
        Line("dead letters", 0, sum(load.trouble.messages(settings.dead_letter_queue_url(n)) for n in DEAD_LETTERS)),
        Line("figures: created", number, group.get("created", 0)),
        Line("figures: answered", number, group.get("responded", 0)),
        *(
            Line(f"figures: {outcome}", sum(one.outcome == outcome for one in asked), _outcome(group, outcome))
            for outcome in OUTCOMES
        ),
        *_commands(local, load),
    ]
    return Tally(lines, _trouble(load))


def _commands(local: LocalClient, load: Load) -> Iterator[Line]:
    """Yield the exit codes of the operator's commands that prove the log and the figures."""
    deployment = str(local.credentials.deployment_id)
    for words in (
        ("audit", "seal"),
        ("audit", "verify", deployment),
        ("analytics", "rebuild", deployment, "--check"),
    ):
        ran = local.command(*words, seconds=_COMMAND_SECONDS)
        said = " ".join((ran.stdout + ran.stderr).split())
        load.say(f"flow-hitl {' '.join(words)}: exit {ran.returncode}: {said[-500:]}")
        yield Line(f"exit code of `{' '.join(words[:2])}`", 0, ran.returncode)


def _requests(local: LocalClient) -> Iterator[dict[str, Any]]:
    cursor = ""
    while True:
        answer = local.call("GET", f"/v1/requests?limit={_PAGE}{cursor}")
        assert answer.status_code == 200, answer.text
        page = answer.json()
        yield from page["requests"]
        if page["next_cursor"] is None:
            return
        cursor = f"&cursor={page['next_cursor']}"


def _events(local: LocalClient, request_ids: set[str]) -> dict[str, Counter[str]]:
    """Return how many events of each kind each request has, by the log itself."""
    kinds: dict[str, Counter[str]] = {request_id: Counter() for request_id in request_ids}
    table = local.operator.outputs["AuditTable"]
    pages = local.aws("dynamodb").get_paginator("scan").paginate(TableName=table, ProjectionExpression="subject, kind")
    for page in pages:
        for item in page["Items"]:
            request_id = item["subject"]["S"].partition("#")[2]
            if request_id in kinds:
                kinds[request_id][item["kind"]["S"]] += 1
    return kinds


def _figures(local: LocalClient, method: str) -> dict[str, Any]:
    """Return the method's figures once they are up to date; none if they are not in time."""
    path = f"/v1/deployments/{local.credentials.deployment_id}/analytics?group_by=method"
    until = time.monotonic() + _FIGURES_SECONDS
    while True:
        # Of so many new events, the first are read; with others beside it, the emulator may not even do that in time.
        answer = local.call("GET", path)
        if answer.status_code == 200 and answer.json()["up_to_date"]:
            groups = answer.json()["groups"]
            return next((group for group in groups if group["method"] == method), {})
        if time.monotonic() > until:
            return {}
        time.sleep(_FIGURES_LOOK_SECONDS)


def _outcome(group: dict[str, Any], outcome: str) -> int:
    return sum(one["count"] for one in group.get("outcomes", []) if one["outcome"] == outcome)


def _count(shown: dict[str, dict[str, Any]], name: str, value: str) -> int:
    return sum((one["response"] or {}).get(name) == value for one in shown.values())


def _answer(shown: dict[str, dict[str, Any]], request_id: str) -> str | None:
    response = shown.get(request_id, {}).get("response")
    return response["outcome"] if response else None


def _delivered(shown: dict[str, dict[str, Any]]) -> int:
    return sum((one["resume"] or {}).get("status") == "delivered" for one in shown.values())


def _sent(events: dict[str, Counter[str]]) -> int:
    # Whose worker died over it, and which was answered before the next try, is on record as uncertain.
    recorded = ("notification_sent", "confirmation_sent", "mail_uncertain")
    return sum(kinds[kind] for kinds in events.values() for kind in recorded)


def _trouble(load: Load) -> list[tuple[str, str]]:
    trouble = load.trouble
    log = (trouble.local.home / "emulator.log").read_text(errors="replace")
    kills = ", ".join(f"{name} {count:,}" for name, count in sorted(trouble.kills.items()))
    minutes, seconds = divmod(round(load.seconds), 60)
    return [
        ("until nothing was on its way", f"{minutes} min {seconds} s"),
        ("workers killed", f"{trouble.kills.total():,} ({kills})"),
        ("invocations that died with them", f"{len(re.findall('Worker process died', log)):,}"),
        ("calls that SES refused", f"{trouble.refused_by_ses():,}"),
        ("resumptions that flows refused", f"{load.flows.refused:,}"),
        ("events delivered again, shuffled", f"{trouble.events_again:,}"),
        ("replies sent twice", f"{load.replies_sent_twice:,}"),
        *((f"given up: {why}", f"{count:,}") for why, count in Counter(load.failures).most_common(5)),
    ]
