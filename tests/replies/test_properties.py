"""What holds of every mail: no bytes make the handler raise, and a decision is made only when every check passed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flow_hitl.deployments.deployment import DeploymentSettings, FreeText
from flow_hitl.requests.request import Request, Status
from tests.support.in_memory import ASSIGNEE, DOMAIN, START, TOKEN_LIFE, MailDesk
from tests.support.oracle import assert_sound, one_trace
from tests.support.receipts import MAILS
from tests.support.slices import examples

EVIL = "mallory@evil.example"


# --- any bytes at all

SEEDS = sorted(path for folder in (".", "hostile", "automatic", "clients") for path in (MAILS / folder).glob("*.eml"))


def take_anything(raw: bytes) -> None:
    desk = MailDesk()
    desk.receive(raw, [desk.reply_to(desk.ask())])
    assert_sound(desk, raw)


@pytest.mark.exhaustive
@settings(max_examples=examples(300), deadline=None)
@given(st.binary(max_size=600))
@example(b"")
@example(b"\r\n\r\n")
@example(b"From: jane@example.org\n\napproved")
def test_no_bytes_make_the_handler_raise(raw: bytes) -> None:
    take_anything(raw)


@pytest.mark.exhaustive
@settings(max_examples=examples(300), deadline=None)
@given(st.sampled_from(SEEDS), st.binary(max_size=40), st.floats(0, 1), st.floats(0, 0.2))
def test_no_damaged_mail_makes_the_handler_raise(path: Path, noise: bytes, where: float, lost: float) -> None:
    raw = path.read_bytes().replace(b"%REPLY-TO%", b"x@reply.hitl.test")
    at = int(where * len(raw))
    take_anything(raw[:at] + noise + raw[at + int(lost * len(raw)) :])


HEADER_NAMES = ("From", "from ", "FROM", "Sender", "Reply-To", "Subject", "Content-Type", "Auto-Submitted", "To", "")
ADDRESSES = (
    ASSIGNEE,
    f"Jane <{ASSIGNEE}>",
    f"{ASSIGNEE} <{EVIL}>",
    f'"{ASSIGNEE}" <{EVIL}>',
    EVIL,
    f"{ASSIGNEE}, {EVIL}",
)
header_values = st.one_of(st.sampled_from(ADDRESSES), st.text(max_size=30), st.just("multipart/mixed; boundary=b"))
headers = st.lists(
    st.tuples(st.sampled_from(HEADER_NAMES), header_values, st.sampled_from(("\r\n", "\n", "\r", "\r\n ")))
)


@pytest.mark.exhaustive
@settings(max_examples=examples(300), deadline=None)
@given(headers, st.sampled_from(("approved", "--b\r\n\r\napproved\r\n--b--", "From: jane@example.org\r\n\r\napproved")))
def test_no_headers_let_somebody_else_decide(headers: Sequence[tuple[str, str, str]], body: str) -> None:
    head = "".join(f"{name}: {value}{end}" for name, value, end in headers)
    take_anything(f"{head}\r\n\r\n{body}".encode("utf-8", "surrogatepass"))


# --- every combination of what is checked


@dataclass(frozen=True)
class Arrival:
    """One mail and its circumstances, in words; `is_answer` says what must come of it."""

    verdicts: Mapping[str, str]
    strict: bool
    senders: tuple[str, ...]
    envelope: str
    tokens: tuple[str, ...]
    body: str
    marked: str
    status: Status
    free_text: FreeText
    late: bool

    def is_answer(self) -> bool:
        """Tell whether every single check passes."""
        at_our_domain = {token.removesuffix(" in capitals") for token in self.tokens} - {"none", "other domain", "cut"}
        clean = all(self.verdicts[name] in ("PASS", "GRAY") for name in ("virus", "spam"))
        spf_proves = self.verdicts["spf"] == "PASS" and self.envelope in (ASSIGNEE, "boss@EXAMPLE.org")
        policy_or_spf = self.verdicts["dmarc"] == "PASS" or (
            self.verdicts["dmarc"] == "GRAY" and not self.strict and spf_proves
        )
        says_something = self.body in ("approved", "Rejected.") or (
            self.body == "maybe" and self.free_text is FreeText.ACCEPT
        )
        return (
            at_our_domain == {"genuine"}
            and clean
            and policy_or_spf
            and len(self.senders) == 1
            and self.senders[0] in (ASSIGNEE, f"Jane <{ASSIGNEE}>", "Jane <JANE@example.org>")
            and self.envelope != ""
            and self.marked == ""
            and says_something
            and self.status is Status.PENDING
            and not self.late
        )


PASSES = Arrival(
    verdicts=dict.fromkeys(("spam", "virus", "spf", "dkim", "dmarc"), "PASS"),
    strict=False,
    senders=(ASSIGNEE,),
    envelope=ASSIGNEE,
    tokens=("genuine",),
    body="approved",
    marked="",
    status=Status.PENDING,
    free_text=FreeText.ACCEPT,
    late=False,
)
BODIES = {
    "approved": "approved\n\n> rejected\n",
    "Rejected.": "Rejected.\n-- \nJane\n",
    "maybe": "maybe\n",
    "quote": "On 14.01.2026 Flow HITL wrote:\n> approved\n",
    "signature": "-- \napproved\n",
    "blank": " \n\u200b\n",
}
MARKS = ("Auto-Submitted: auto-replied", "Precedence: bulk", "List-Id: <x>", "X: \0", "X: \rFrom: x")
ENVELOPES = ("boss@EXAMPLE.org", "x@mail.example.org", EVIL, "", "not an address")
TOKENS = ("genuine", "genuine in capitals", "of another", "altered", "retired key", "cut", "other domain", "none")
VARIED: Mapping[str, st.SearchStrategy[Any]] = {
    "strict": st.just(True),
    "senders": st.lists(st.sampled_from((*ADDRESSES, "Jane <JANE@example.org>", "", "jane")), max_size=2).map(tuple),
    "envelope": st.sampled_from(ENVELOPES),
    "tokens": st.lists(st.sampled_from(TOKENS), max_size=3).map(tuple),
    "body": st.sampled_from(tuple(BODIES)),
    "marked": st.sampled_from(MARKS),
    "status": st.sampled_from((Status.RESPONDED, Status.CANCELLED)),
    "free_text": st.sampled_from(FreeText),
    "late": st.booleans(),
}
VERDICTS = ("PASS", "GRAY", "FAIL", "PROCESSING_FAILED", "DISABLED")


@st.composite
def arrivals(draw: st.DrawFn) -> Arrival:
    """Draw a mail that passes everything but for up to three things and any verdicts."""
    arrival = PASSES
    for name in draw(st.lists(st.sampled_from((*PASSES.verdicts, *VARIED)), max_size=3)):
        if name in VARIED:
            arrival = replace(arrival, **{name: draw(VARIED[name])})
        else:
            verdict = draw(st.sampled_from(VERDICTS))
            arrival = replace(arrival, verdicts={**arrival.verdicts, name: verdict})
    return arrival


def recipient(desk: MailDesk, request: Request, kind: str) -> str:
    genuine = desk.reply_to(request)
    token = genuine.partition("@")[0]
    match kind:
        case "genuine":
            return genuine
        case "genuine in capitals":
            return genuine.upper()
        case "of another":
            return desk.reply_to(request, address=EVIL)
        case "altered":
            return f"{'a' if token[0] != 'a' else 'b'}{genuine[1:]}"
        case "retired key":
            desk.keys.active, desk.keys.keys = "3", {**desk.keys.keys, "3": b"third key"}
            retired = desk.reply_to(request)
            desk.keys.active, desk.keys.keys = "1", {"1": b"first key"}
            return retired
        case "cut":
            return f"{token[:-1]}@{DOMAIN}"
        case "other domain":
            return f"{token}@evil.example"
        case _:
            return f"postmaster@{DOMAIN}"


@pytest.mark.exhaustive
@settings(max_examples=examples(700), deadline=None)
@given(arrivals())
@example(PASSES)
@example(replace(PASSES, verdicts={**PASSES.verdicts, "dmarc": "GRAY"}))
@example(replace(PASSES, verdicts={**PASSES.verdicts, "dmarc": "GRAY", "spf": "GRAY"}))
@example(replace(PASSES, verdicts={**PASSES.verdicts, "dmarc": "GRAY", "spf": "FAIL"}))
@example(replace(PASSES, verdicts={**PASSES.verdicts, "dmarc": "GRAY"}, strict=True))
@example(replace(PASSES, verdicts={**PASSES.verdicts, "dmarc": "GRAY"}, envelope="x@mail.example.org"))
@example(replace(PASSES, late=True))
@example(replace(PASSES, status=Status.RESPONDED))
def test_a_mail_decides_exactly_when_every_check_passed(arrival: Arrival) -> None:
    desk = MailDesk(settings=DeploymentSettings(require_dmarc_pass=arrival.strict))
    request = desk.ask(free_text=arrival.free_text, status=arrival.status)
    recipients = [recipient(desk, request, kind) for kind in arrival.tokens]
    desk.clock.at = START + TOKEN_LIFE + timedelta(seconds=1 if arrival.late else 0)
    lines = [f"From: {sender}" for sender in arrival.senders] + ([arrival.marked] if arrival.marked else [])
    raw = "\r\n".join([*lines, "Content-Type: text/plain; charset=utf-8", "", BODIES[arrival.body]]).encode()
    desk.receive(raw, recipients or [f"x@{DOMAIN}"], mail_from=arrival.envelope, verdicts=arrival.verdicts)
    assert (one_trace(desk) == "decided") == arrival.is_answer()
