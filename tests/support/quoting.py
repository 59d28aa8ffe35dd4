"""Replies and forwards of our own mail, written the way many clients write them, in many languages.

`quoting.json` has one line for each language, with what clients say in it; the styles put that together. Some of the
languages are in no list of the extractor: they show what its structure alone achieves.
"""

import itertools
import json
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

NAME, ADDRESS, SUBJECT = "Flow HITL", "reviews@example.com", "Review: your answer is needed"
REPLY_TO = "r-7Zk3vQ0xw1m@reply.example.com"


@dataclass(frozen=True)
class Language:
    """What clients write in one language: attributions, header labels, dividers, a phone's signature."""

    code: str
    attributions: Sequence[str]
    labels: Sequence[str]
    original: str
    forwarded: str
    begins: str
    signature: str


# In an attribution {t} is a time, {n} the name, {a} the address; clients of Apple say how a forwarded mail `begins`.
LANGUAGES = [Language(**one) for one in json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))]

REPLIES = (
    "approved",
    "Approved.",
    "Ja, gerne",
    "ok:",
    "Please change this:",
    "Ann wrote: nonsense",
    "rejected\n\nThe price is wrong, see page 2.",
    "Needs these changes:\n- title\n- price",
    "承認します",
    "Отклонено: слишком дорого",
    "needs_revision\n\n1. Fix the title\n2. Check the figures of 2026",
    "تمت الموافقة",
    "👍",
    "Hi,\n\nit is too early for this.\nWait until 10:30 on Monday.",
)

NOTIFICATION = """-- reply above this line --

Payments is waiting for your answer: Approve payment

  Please approve this payment of 1,200 EUR to Acme GmbH.

--- To review ---

  Invoice: 4711
  Amount: 1,200 EUR
  Due: 2026-02-01

---

YOUR ANSWER
Reply to this mail with one of these as the first line (anything else goes to the flow as feedback); what follows \
is kept as a comment. Or open its link, and confirm it there:

  approved
  <https://hitl.example.com/r/abc?answer=approved>

  rejected
  <https://hitl.example.com/r/abc?answer=rejected>

Or answer on the review page:
<https://hitl.example.com/r/abc>

You were asked because the request names you.
Only jane@example.com can answer this mail, until Thursday, 22 January 2026, 10:12 UTC; please do not forward it.

Flow HITL · Production · Payments · approve_payment"""
_HEAD, _, _REST = NOTIFICATION.partition("\n\n")
# As sent, as made from our HTML by a client that drops the marker, and with the preview's words above the marker.
CONTENTS = {
    "as sent": NOTIFICATION,
    "without marker": _REST.replace("  approved", "[approved]"),
    "preview first": f"Please approve this payment of 1,200 EUR to Acme GmbH.\n\n{NOTIFICATION}",
    "wrapped": "\n".join(textwrap.fill(line, 72) if len(line) > 72 else line for line in NOTIFICATION.split("\n")),
}


@dataclass(frozen=True)
class Case:
    """One body, and the own text that it holds."""

    name: str
    body: str
    own: str


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))


def _indented(text: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in text.split("\n"))


def attributions(language: Language) -> Iterator[tuple[str, str]]:
    for number, pattern in enumerate(language.attributions):
        for time in ("10:12", "10.12") if number == 0 else ("10:12",):
            line = pattern.replace("{t}", time).replace("{n}", NAME)
            yield f"attribution {number} {time}", line.replace("{a}", ADDRESS)
        line = pattern.replace("{t}", "10:12 AM").replace("{n}", '"Flow HITL (Payments, Production)"')
        yield (
            f"attribution {number} wrapped",
            textwrap.fill(line.replace("{a}", REPLY_TO), 64, break_long_words=False, break_on_hyphens=False),
        )


def headers(language: Language) -> list[tuple[str, str]]:
    values = (f"{NAME} <{ADDRESS}>", "Thursday, 15 January 2026 10:12", "Jane Doe <jane@example.com>", SUBJECT)
    return list(zip(language.labels, values, strict=True))


def header_blocks(language: Language) -> Iterator[tuple[str, str]]:
    fields = headers(language)
    yield "headers", "\n".join(f"{label}: {value}" for label, value in fields)
    yield "bold headers", "\n".join(f"*{label}:* {value}" for label, value in fields)
    yield "markdown headers", "\n".join(f"**{label}**: {value}" for label, value in fields)
    yield "wide headers", "\n".join(f"{label}：{value}" for label, value in fields)
    yield "spaced headers", "\n\n".join(f"{label} : {value}" for label, value in fields)
    yield "tabbed headers", "\n".join(f"{label}:\t{value}" for label, value in fields)
    yield "table", "\n".join(f"| {label} | {value} |" for label, value in fields)
    yield "table with colons", "\n".join(f"|{label}:|{value}|" for label, value in fields)
    yield "labels alone", "\n".join(f"{label}:\n{value}" for label, value in fields)
    order = [fields[3], fields[1], fields[0], fields[2]]
    yield "subject first", "\n".join(f"{label}: {value}" for label, value in order)
    yield "sent first", "\n".join(f"{label}: {value}" for label, value in [fields[1], fields[0], *fields[2:]])
    yield (
        "date in figures",
        "\n".join(f"{label}: {value}" for label, value in fields).replace(
            "Thursday, 15 January 2026 10:12", "2026-01-15 10:12:07"
        ),
    )
    yield (
        "mailto",
        "\n".join(f"{label}: {value}" for label, value in fields).replace(f"<{ADDRESS}>", f"[mailto:{ADDRESS}]"),
    )


def dividers(words: str) -> Iterator[tuple[str, str]]:
    for left, right in (
        ("-----", "-----"),
        ("-------- ", " --------"),
        ("---------- ", " ---------"),
        ("---- ", " ----"),
        ("***** ", " *****"),
        ("_____ ", " _____"),
        ("===== ", " ====="),
        ("———— ", " ————"),
        ("──── ", " ────"),
        ("~~~~~ ", " ~~~~~"),
        ("------------------ ", " ------------------"),
    ):
        yield f"divider {left.strip()[:2]}{len(left)}", f"{left}{words}{right}"


def foreign_parts(language: Language, content: str) -> Iterator[tuple[str, str, bool]]:
    """Yield how clients put our mail under a reply or into a forward: a name, the text, whether `>` marks all of it."""
    for name, line in attributions(language):
        yield f"{name}, marked", f"{line}\n\n{_quoted(content)}", True
        yield f"{name}, marked at once", f"{line}\n{_quoted(content)}", True
        yield f"{name}, plain", f"{line}\n\n{content}", False
        yield f"{name}, indented", f"{line}\n\n{_indented(content)}", False
    blocks = list(header_blocks(language))
    for name, block in blocks:
        yield name, f"{block}\n\n{content}", False
        yield f"{name}, rule above", f"{'_' * 32}\n{block}\n\n{content}", False
        yield f"{name}, marked", f"{block}\n\n{_quoted(content)}", False
    for words, (kind, divider) in itertools.chain(
        (("original", pair) for pair in dividers(language.original)),
        (("forwarded", pair) for pair in dividers(language.forwarded)),
    ):
        yield f"{words} {kind}", f"{divider}\n{blocks[0][1]}\n\n\n{content}", False
    for name, block in (blocks[6], blocks[7], blocks[1]):
        yield f"replied, {name}", f"---- {language.original} ----\n{block}\n{content}", False
    yield "divider alone", f"-------- {language.original} --------\n{content}", False
    yield "divider, quoted", f"-------- {language.original} --------\n{_quoted(content)}", True
    if not language.begins:
        return
    yield "begins", f"{language.begins}\n\n{blocks[0][1]}\n\n{content}", False
    yield "begins, marked", f"{language.begins}\n\n{_quoted(blocks[0][1])}\n>\n{_quoted(content)}", True


SIGNATURES = (
    "",
    "-- \nJane Doe\nEditor",
    "Jane Doe\nHead of Finance\nAcme GmbH\n+49 30 1234567",
    "Best regards,\nJane Doe",
    "Get Outlook for iOS<https://aka.ms/o0ukef>",
    "Sent with Proton Mail secure email.",
    "Virus-free.www.avg.com<https://www.avg.com/email-signature?utm_medium=email>",
    "Diese E-Mail wurde von Avast-Antivirussoftware auf Viren geprüft.\nwww.avast.com",
    "Envoyé depuis l'application Mail Orange",
    "Gesendet mit der GMX Mail App",
)


def cases(contents: Sequence[str] = tuple(CONTENTS)) -> Iterator[Case]:
    """Yield every combination: replies above and below, replies whose text was removed, and bare forwards."""
    turns = itertools.cycle(REPLIES)
    signatures = itertools.cycle(SIGNATURES)
    for language in LANGUAGES:
        for content in contents:
            for name, part, marked in foreign_parts(language, CONTENTS[content]):
                full = f"{language.code}: {name}, {content}"
                reply = next(turns)
                yield Case(f"removed; {full}", f"\n\n{part}\n", "")
                yield Case(f"signature left; {full}", f"\n{next(signatures)}\n\n{part}\n", "")
                yield Case(f"phone's signature left; {full}", f"\n{language.signature}\n\n{part}\n", "")
                yield Case(f"reply; {full}", f"{reply}\n\n{part}\n", reply)
                yield Case(f"reply, signed; {full}", f"{reply}\n\n{language.signature}\n\n{part}\n", reply)
                if marked:
                    yield Case(f"below; {full}", f"{part}\n\n{reply}\n", reply)
        yield Case(f"{language.code}: phone's signature alone", f"\n\n{language.signature}\n", "")
    for signature in SIGNATURES:
        yield Case(f"signature alone: {signature[:20]}", f"\n\n{signature}\n", "")
    for reply in REPLIES:
        yield Case(f"reply alone: {reply[:20]}", f"{reply}\n", reply)
