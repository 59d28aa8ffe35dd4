"""A deployment in which everybody has written hostile texts, by every way in there is, into every field there is."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any
from urllib.parse import quote, urlsplit

from flow_hitl.bootstrap import current
from flow_hitl.deployments.deployment import Permission
from flow_hitl.requests.deciding.matching import match_outcome
from infra.local.hitl_fixture import AskedRequest, Hitl, Mail
from tests.browser.hostile import Payload, packed
from tests.support.asserts import callback
from tests.support.receiver import receiving

CREATOR = "creator@example.com"
# An address takes no angle brackets, but quotes and braces: out of a careless attribute it runs as well.
MEMBER = "'onfocus=__ran`1`'autofocus='@example.com"
ALIAS = "{{31337*3}}${31337*3}`__ran`2``@example.com"
# Names take so many characters; and a request so many emit options.
_NAME, _OPTIONS = 250, 20
_LOOKS = (("title", 190), ("label", 90), ("hint", 290))
_FILES = (
    ("image/gif", "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"),
    ("application/pdf", base64.b64encode(b"%PDF-1.7\ntrailer<<>>\n%%EOF\n").decode()),
)


@dataclass(frozen=True)
class Arena:
    """The requests by what became of them; each field's texts end with `in:<field>`."""

    hitl: Hitl
    open: Sequence[AskedRequest]
    decided: Sequence[AskedRequest]


def fill(hitl: Hitl, every: Sequence[Payload]) -> Arena:
    """Write the payloads everywhere; the shortest third into the fields that are short."""
    short = sorted(every, key=lambda payload: len(payload.text))[: len(every) // 3]
    _own_deployment(hitl, every)
    _configure(hitl, every, short)
    with receiving() as app:
        app.status, app.answer = 500, "\n".join(one.text for one in short).encode("utf-8", "replace")
        _webhooks(hitl, short, app.url)
        asked = _ask(hitl, every, short)
        decided = _answer(hitl, every, short, asked[0::3])
        asked += _ask_richly(hitl, every, short)
    _write_mails(hitl, every, short)
    return Arena(hitl, [one for one in asked if one not in decided], decided)


def _own_deployment(hitl: Hitl, every: Sequence[Payload]) -> None:
    """Make deployments with all the payloads in their names, and work in the last."""
    manage = current().manage_deployments
    for at in range(4):
        name = " ".join(payload.text for payload in every[at::5]) + " in:deployments"
        manage.create(name=name, creator_email=CREATOR, organization_id=789)
    name = " ".join(payload.text for payload in every[4::5]) + " in:deployment"
    hitl.deployment_id = manage.create(name=name, creator_email=CREATOR, organization_id=789).deployment_id
    hitl.api_key = manage.issue_key(hitl.deployment_id, name="tests", permissions=frozenset(Permission)).text


def _configure(hitl: Hitl, every: Sequence[Payload], short: Sequence[Payload]) -> None:
    names = packed(short, _NAME, "in:rule")
    groups = packed(short, _NAME, "in:group")
    root = f"/v1/deployments/{hitl.deployment_id}"
    hitl.configure(
        settings={
            "groups": [{"name": name, "members": [CREATOR, MEMBER]} for name in groups],
            "auto_response": {"enabled": False, "timeout_minutes": None, "default_outcome": short[0].text},
            "sla_target_minutes": 60,
            "allow_delegation": True,
        },
        rules=[
            {
                "name": name,
                "match": {
                    "method_name": f"{name[:200]} never",
                    "condition": {f"state.{name[:200]} in:condition": {"eq": name, "in": [name]}},
                },
                **({"assign_to_email": f"group:{groups[0]}"} if at % 2 else {"assign_from_input": name}),
            }
            for at, name in enumerate(names)
        ],
    )
    member = {"permissions": ["manage_human_feedback", "respond_to_human_feedback"], "aliases": [ALIAS]}
    assert hitl.api("PUT", f"{root}/members/{quote(MEMBER, safe='')}", member).status == 200
    for name in packed(short, _NAME, "in:key"):
        assert hitl.api("POST", f"{root}/api-keys", {"name": name, "permissions": ["create_requests"]}).status == 201


def _webhooks(hitl: Hitl, short: Sequence[Payload], url: str) -> None:
    root = f"/v1/deployments/{hitl.deployment_id}/webhooks"
    for name in packed(short, _NAME, "in:webhook"):
        body = {"name": name, "url": f"{url}/in:url'onclick='__ran(1)'?x={quote(name)}", "active": False}
        made = hitl.api("POST", root, body)
        assert made.status == 201, made.text
    # One that is really called: what it answers stands in its delivery log.
    hitl.api("PATCH", f"{root}/{made.json['webhook']['id']}", {"active": True})
    hitl.api("POST", f"{root}/{made.json['webhook']['id']}/test")


def _ask(hitl: Hitl, every: Sequence[Payload], short: Sequence[Payload]) -> list[AskedRequest]:
    names = [packed(short, _NAME, f"in:{field}") for field in ("flow_name", "method_name", "flow_id")]
    options = _options(short)
    texts = [payload.text for payload in every]
    everything = "\n".join(texts)
    asked = []
    for number, (flow_name, method_name, flow_id) in enumerate(zip_longest(*names, fillvalue="in:none")):
        # What takes any length has all of them, in a few requests; the page of one such is heavy enough.
        heavy = number < 2
        asked.append(
            hitl.ask(
                f"{everything if heavy else texts[number]} in:message",
                emit=options[number] if number < len(options) else ["approved", "rejected"],
                method_name=method_name,
                flow_name=flow_name,
                flow_id=flow_id,
                assigned_to_email=[CREATOR, MEMBER][number % 4 == 3],
                output=_output(texts, number),
                state={text: text for text in texts} | {"in:state": 1} if heavy else {},
                metadata={text: [text, {text: text}] for text in texts} | {"in:metadata": 1} if heavy else {},
                history=[
                    {"method": text, "at": text, "output": text if number % 2 else {text: text}}
                    for text in (*texts[number * 99 : number * 99 + 99], f"in:history {number}")
                ]
                if number * 99 < len(texts)
                else [],
            )
        )
    return asked


def _ask_richly(hitl: Hitl, every: Sequence[Payload], short: Sequence[Payload]) -> list[AskedRequest]:
    """Ask with titles, labels, hints, typed fields, attachments, earlier rounds, and questions that were answered."""
    lines = [one for one in short if one.text.isprintable()]
    names = packed((one for one in lines if "/" not in one.text and "\\" not in one.text), 190, "in:file")
    talks = packed(every, 1900, "in:talk")
    titles, labels, hints = (packed(lines, most, f"in:{name}") for name, most in _LOOKS)
    remarks = [*talks, *(["in:talk"] * (len(talks) % 2))]
    asked = []
    for number, title in enumerate(titles[:5]):
        said = labels[number % len(labels)], hints[number % len(hints)]
        field = {"type": "string", "title": said[0][-64:], "description": said[1], "default": every[number].text}
        outcome = lines[number].text[:100]
        request = hitl.ask(
            f"{every[number].text} in:message",
            emit=[outcome, "rejected"],
            title=title,
            options={outcome: {"label": said[0][-100:], "hint": said[1]}},
            output={"in:edited": [one.text for one in every[number::20]]},
            history=[
                {
                    "method": "review",
                    "at": None,
                    "output": {
                        "output": {"in:edited": [one.text for one in every[number + 1 :: 20]], "in:gone": said[0]},
                        "answer": said[0],
                        "comment": said[1],
                    },
                }
            ],
            method_name="review",
            editable=True,
            questions=True,
            response_schema={"type": "object", "properties": {f"field_{number}": field}},
            attachments=[
                {"name": name, "media_type": media_type, "content": content}
                for name in names[number * 5 : number * 5 + 5]
                for media_type, content in _FILES
            ],
            assigned_to_email=CREATOR,
        )
        questions = f"{urlsplit(request.callback_url).path}/questions"
        for place in range(number * 4, min(number * 4 + 4, len(remarks)), 2):
            assert hitl.api("POST", questions, {"text": remarks[place]}, key=None).status == 200
            told = hitl.api("POST", f"/v1/requests/{request.id}/answers", {"text": remarks[place + 1]})
            assert told.status == 200, told.text
        asked.append(request)
    return asked


def _output(texts: Sequence[str], number: int) -> object:
    """Return markdown in which no text swallows the next, or the same as JSON."""
    if number == 0:
        return {"in:output": [*texts, {text: text for text in texts}]}
    return "\n\n---\n\n".join([*texts[(number - 1) % 7 :: 7], "in:output"])


def _options(short: Sequence[Payload]) -> list[list[str]]:
    """Return the texts as emit options, twenty a request, of which no two are the same answer."""
    options: list[list[str]] = [[]]
    for payload in short:
        if len(options[-1]) == _OPTIONS:
            options.append([])
        if payload.text.isprintable() and match_outcome(payload.text, [*options[-1], payload.text]) == payload.text:
            options[-1].append(payload.text)
    return options


def _answer(
    hitl: Hitl, every: Sequence[Payload], short: Sequence[Payload], asked: Sequence[AskedRequest]
) -> list[AskedRequest]:
    """Answer some by their callback URLs, as whoever says so."""
    sources, decided = packed(short, _NAME, "in:source"), []
    comment = "\n".join(payload.text for payload in every)
    for number, request in enumerate(asked):
        body = f"{every[number].text} in:feedback\n{comment if number == 0 else ''} in:comment"
        claimed = f"{short[number].text} in:responder"
        # One in two names an option, which is as hostile.
        chosen = {"outcome": request.now()["emit_options"][0]} if number % 2 else {}
        answer = callback(hitl, request, body, source=sources[number % len(sources)], responder=claimed, **chosen)
        assert answer.status == 200, answer.text
        decided.append(request)
    return decided


def _write_mails(hitl: Hitl, every: Sequence[Payload], short: Sequence[Payload]) -> None:
    """Let every other kind of mail be sent: a reminder, a refusal of a reply, what is told to whom after an answer."""
    hitl.configure(settings={"reminders": [{"share_of_sla": 0.5}]})
    names = packed(short, _NAME, "in:name")
    fields: dict[str, Any] = {"flow_name": names[0], "method_name": names[1], "emit": ("approved", "rejected")}
    text = "\n".join(payload.text for payload in every)
    to_the_group = hitl.ask(
        f"{text} in:message", assigned_to_email=f"group:{packed(short, _NAME, 'in:group')[0]}", **fields
    )
    hitl.advance(minutes=31)
    hitl.reply(f"approved\n{text}", to=[mail for mail in hitl.inbox if mail.to == CREATOR][-1])
    assert to_the_group.outcome == "approved"
    unclear = hitl.ask(f"{text} in:message", free_text="ask_again", assigned_to_email=CREATOR, **fields)
    for line in packed((one for one in short if one.text.isprintable()), 190, "in:quoted")[:3]:
        hitl.reply(line, to=_answerable(hitl), sender=f'"<img src=x onerror=__ran(1)>{{{{31337*3}}}}" <{CREATOR}>')
    hitl.reply("approved", sender=MEMBER, to=_answerable(hitl))
    hitl.reply("delegate: bob@example.com", to=_answerable(hitl))
    assert unclear.now()["assigned_to_email"] == "bob@example.com"


def _answerable(hitl: Hitl) -> Mail:
    """Return the last mail to the creator that can be answered."""
    return [mail for mail in hitl.inbox if mail.to == CREATOR and mail.reply_to][-1]
