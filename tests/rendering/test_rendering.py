"""Every mail and page: what it must say, and that nothing an AI or a stranger wrote comes alive in it."""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from html.parser import HTMLParser
from typing import Any, get_args
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from flow_hitl.contract.shapes import Channel
from flow_hitl.deployments.deployment import FreeText
from flow_hitl.mails.contexts import Decision, OptionView, RequestView
from flow_hitl.mails.kinds.confirm import ConfirmationContext
from flow_hitl.mails.kinds.confirm_delegation import PassedOnContext
from flow_hitl.mails.kinds.notify import NotificationContext
from flow_hitl.mails.kinds.reject_reply import ReplyRejectedContext
from flow_hitl.mails.kinds.remind import ReminderContext
from flow_hitl.mails.kinds.tell_answer import AnswerContext
from flow_hitl.mails.kinds.tell_handled import HandledContext
from flow_hitl.mails.registry import MAIL_OF
from flow_hitl.mails.send_sign_in_mail import SignInContext
from flow_hitl.pages.requests.review_contexts import MessageContext, MessageKind, ReviewContext
from flow_hitl.platform.mime import encoded_body
from flow_hitl.platform.text import as_words
from flow_hitl.rendering.assets import asset_url
from flow_hitl.rendering.rendering import (
    PAGE_SECURITY_POLICY,
    SUBJECT_LIMIT,
    mailto_link,
    render_email,
    render_page,
    subject_line,
)
from flow_hitl.replies.mailbox import answer_text, parse_mail
from flow_hitl.replies.marker import REPLY_MARKER
from flow_hitl.replies.rejections import RejectionReason
from flow_hitl.requests.request import HistoryRound
from flow_hitl.requests.wording import OptionTone
from tests.support.examples import option_views

NOW = datetime(2026, 1, 14, 12, 0, tzinfo=UTC)
REPLY_TO = "aeaztyl3pyi7vpcn54asgrlhrgvaaafpm2gwhqxadk4tcmfrgrqw4zdf@in.example.com"
REVIEW_URL = "https://hitl.example.com/review/eyJyIjoiMSJ9.x-y_z"
LONG_REVIEW_URL = f"https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com/review/{'x' * 180}"

REQUEST = RequestView(
    deployment_name="Marketing",
    flow_name="ContentApprovalFlow",
    method_name="review_content",
    title="Review content",
    message="Please review this content for brand compliance:",
    output="# Spring\n\nMeet the **planner**.",
    options=option_views("approved", "needs_revision"),
    free_text=FreeText.ACCEPT,
    state={"article_id": 12345, "budget": {"total": 12400}},
    history=(HistoryRound("generate_content", "2026-01-14T11:00:00Z", "A *draft*"),),
    assigned_to="reviewer@company.com",
    assigned_why='rule "Content to Brand" matches review_content by review_*',
    deadline_text="If nobody answers by 14 Jan 2026, 13:00 UTC, it is answered “rejected”.",
    answer_until=NOW,
)
DECISION = Decision(
    outcome="approved", label="Approved", via=Channel.EMAIL, at=NOW, feedback="approved", comment="Nice.\nGo on."
)
NOTIFICATION = NotificationContext(request=REQUEST, reply_to=REPLY_TO, review_url=REVIEW_URL)
CONFIRMATION = ConfirmationContext(
    flow_name="ContentApprovalFlow",
    method_name="review_content",
    title="Review content",
    message="Please review.",
    decision=DECISION,
)
REJECTED = ReplyRejectedContext(
    flow_name="ContentApprovalFlow",
    method_name="review_content",
    title="Review content",
    message="Please review.",
    reason=RejectionReason.NOT_AN_OPTION,
    assigned_to="reviewer@company.com",
    options=option_views("approved", "needs_revision"),
    reply_to=REPLY_TO,
    review_url=REVIEW_URL,
    quoted="looks good",
    claimed_sender="mallory@evil.example",
)
REVIEW = ReviewContext(request=REQUEST, comment="so far", problem="Please choose an option.")
MESSAGE = MessageContext(kind="thanks", flow_name="ContentApprovalFlow", title="Review content", decision=DECISION)
BY_A_COLLEAGUE = replace(DECISION, by="ann@company.com")
REMINDER = ReminderContext(
    request=REQUEST, reply_to=REPLY_TO, review_url=REVIEW_URL, asked_at=NOW, sla_due_at=NOW + timedelta(hours=4)
)
TOLD = AnswerContext(
    request=replace(REQUEST, may_ask=True),
    reply_to=REPLY_TO,
    review_url=REVIEW_URL,
    questions=("Why?", "And by whom?"),
    answer="Because.",
)
HANDLED = HandledContext(
    flow_name="ContentApprovalFlow",
    method_name="review_content",
    title="Review content",
    message="Please review.",
    decision=BY_A_COLLEAGUE,
)
PASSED_ON = PassedOnContext(
    flow_name="ContentApprovalFlow",
    method_name="review_content",
    title="Review content",
    message="Please review.",
    passed_on_to="bob@company.com",
)
PASSABLE = ReviewContext(request=replace(REQUEST, may_pass_on=True), problem="No.", delegate_to="bob@company.com")
TEST_VIEW = replace(REQUEST, test=True)
TEST_MAILS = [
    replace(NOTIFICATION, request=TEST_VIEW),
    replace(REMINDER, request=TEST_VIEW),
    *(replace(context, test=True) for context in (CONFIRMATION, REJECTED, HANDLED, PASSED_ON)),
]
TEST_PAGES = [replace(REVIEW, request=TEST_VIEW), replace(MESSAGE, test=True)]
MAILS = [NOTIFICATION, CONFIRMATION, REJECTED, REMINDER, TOLD, HANDLED, PASSED_ON, *TEST_MAILS]
PAGES = [REVIEW, PASSABLE, MESSAGE, MessageContext(kind="passed_on", passed_on_to="bob@company.com"), *TEST_PAGES]

HOSTILE = [
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "</textarea></style></title><svg onload=alert(1)>",
    "{{ 7*7 }}{% raw %}",
    "[x](javascript:alert(1)) ![y](https://evil.example/track.png)",
]


class _Document(HTMLParser):
    """A document's elements and its text, as a browser would see them."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if data.strip() and (not self.elements or self.elements[-1][0] not in ("style", "title")):
            self.text.append(data.strip())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def links(self) -> list[str]:
        return [attributes["href"] or "" for attributes in self.all("a") if "href" in attributes]


def hostile_options(text: str) -> tuple[OptionView, ...]:
    return (
        OptionView(value=text, number=1, label=text, hint=text, tone=OptionTone.NEGATIVE, needs_comment=True),
        OptionView(value="other", number=2, label="Other"),
    )


def _html_of(context: Any) -> str:
    if isinstance(context, ReviewContext | MessageContext):
        return render_page(context)
    return render_email(context).html


def _poisoned(context: Any, payload: str) -> Iterator[tuple[str, Any]]:
    """Yield each place that can hold text, and the context with the payload there."""
    for field in fields(context):
        value = getattr(context, field.name)
        if field.name in ("reason", "kind", "via", "free_text", "reply_to", "review_url"):
            continue
        if isinstance(value, str):
            yield field.name, replace(context, **{field.name: payload})
        elif is_dataclass(value):
            for place, inner in _poisoned(value, payload):
                yield f"{field.name}.{place}", replace(context, **{field.name: inner})
        elif field.name == "options":
            yield field.name, replace(context, options=hostile_options(payload))
        elif field.name == "state":
            state = {payload: payload, "nested": {payload: [payload]}, "long": payload * 50}
            yield field.name, replace(context, state=state)
        elif field.name == "history":
            history = (HistoryRound(payload, payload, payload), HistoryRound("m", "", [payload]))
            yield field.name, replace(context, history=history)
        if field.name == "output":
            yield "output as JSON", replace(context, output={payload: [payload, f"{payload}\n{payload}"]})


POISONED = {
    (f"{number} {type(context).__name__}.{place}", payload): poisoned
    for number, context in enumerate((*MAILS, *PAGES))
    for payload in HOSTILE
    for place, poisoned in _poisoned(context, payload)
}
OF_JSON = {
    "pre",
    "details",
    "summary",
    "dl",
    "div",
    "dt",
    "dd",
    "ul",
    "ol",
    "li",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
}
PLAIN_TAGS = {tag for context in (*MAILS, *PAGES) for tag, _ in _Document(_html_of(context)).elements}


@pytest.mark.exhaustive(20, "place", "payload")
@pytest.mark.parametrize("payload", HOSTILE)
@pytest.mark.parametrize("place", dict.fromkeys(place for place, _ in POISONED))
def test_hostile_text_is_inert_wherever_it_stands(place: str, payload: str) -> None:
    document = _Document(_html_of(POISONED[place, payload]))

    own = ("script", {"src": asset_url("app.js"), "defer": None})
    for tag, attributes in document.elements:
        assert tag in PLAIN_TAGS | OF_JSON
        loads = [name for name in attributes if name.startswith("on") or name in ("src", "srcset", "background")]
        assert not loads or (tag, attributes) == own
    for tag in ("script", "title", "body"):
        assert len(document.all(tag)) <= 1
    assert len(document.all("style")) == (0 if document.all("script") else 1)
    for link in document.links():
        assert urlsplit(link).scheme in ("https", "mailto") or re.match(r"[#/](?!/)", link)


def test_each_mail_is_tested_here() -> None:
    assert {context.kind for context in MAILS} == set(MAIL_OF)


@pytest.mark.parametrize("context", MAILS)
def test_text_bodies_are_not_escaped(context: Any) -> None:
    assert "A & B <now>?" in render_email(_with_message(context, "A & B <now>?")).text


def _with_message(context: Any, message: str) -> Any:
    if isinstance(context, NotificationContext | ReminderContext):
        return replace(context, request=replace(context.request, message=message))
    if isinstance(context, AnswerContext):
        return replace(context, answer=message)
    return replace(context, message=message)


def test_notification_says_who_asks_what_why_and_until_when() -> None:
    mail = render_email(NOTIFICATION)
    shown = " ".join(_Document(mail.html).text)

    assert mail.subject == "Review content: your answer is needed (ContentApprovalFlow)"
    for body in (mail.text, shown):
        assert "Please review this content for brand compliance:" in body
        assert 'rule "Content to Brand" matches review_content by review_*' in body
        assert "If nobody answers by 14 Jan 2026, 13:00 UTC, it is answered “rejected”." in body
        assert "12345" in body
        assert '{"total"' not in body
        assert "14 Jan 2026, 12:00 UTC" in body
        assert "Marketing · ContentApprovalFlow · review_content" in body
    assert "Meet the **planner**." in mail.text
    assert re.search(r"Meet the <strong[^>]*>planner</strong>", mail.html)


@pytest.mark.parametrize(
    "context", [NOTIFICATION, REMINDER, *(replace(REJECTED, reason=reason) for reason in RejectionReason)]
)
def test_reply_marker_stands_above_everything_but_the_preview(context: Any) -> None:
    mail = render_email(context)

    assert mail.text.split("\n")[1] == REPLY_MARKER
    assert _Document(mail.html).text[1] == REPLY_MARKER


def _preview(text: str) -> str:
    return " ".join(re.sub("[\u034f\u200b\u200c\u2007]", " ", text).split())


def test_an_inbox_shows_the_question() -> None:
    for context, said in ((NOTIFICATION, ""), (REMINDER, "No one has answered yet: ")):
        mail = render_email(context)
        assert _preview(mail.text).startswith("Please review this content for brand compliance: -- reply above")
        assert _preview(_Document(mail.html).text[0]) == f"{said}Please review this content for brand compliance:"


def _reply(kind: str, mail: Any, own: str) -> bytes:
    """Return a reply with our whole mail below what somebody wrote, marked as each client does, or not at all."""
    reply = EmailMessage()
    reply["From"], reply["Subject"] = "jane@example.com", f"Re: {mail.subject}"
    page, paragraphs = mail.html, "".join(f"<div>{line}</div>" for line in own.split("\n"))
    quoted = "\n".join(f"> {line}" for line in mail.text.split("\n"))
    match kind:
        case "text, marked":
            reply.set_content(
                f"{own}\n\nOn Wed, 14 Jan 2026 at 12:00, Flow HITL <reviews@example.com> wrote:\n\n{quoted}"
            )
        case "text, unmarked":
            reply.set_content(f"{own}\n\n{mail.text}")
        case "text of the page, in short lines":
            shown = " ".join(_Document(page).text)
            reply.set_content(f"{own}\n\n" + "\n".join(textwrap.wrap(shown, 72)))
        case "html, quoted":
            reply.set_content(f"{own}\n\n{quoted}")
            reply.add_alternative(f"{paragraphs}<blockquote>{page}</blockquote>", subtype="html")
        case "html, unmarked":
            reply.set_content(f"{own}\n\n{mail.text}")
            reply.add_alternative(f"{paragraphs}<br>{page}", subtype="html")
        case "html alone, unmarked":
            reply.set_content(f"{paragraphs}<br>{page}", subtype="html")
        case "html alone, without its styles":
            bare = re.sub(r'<style>.*?</style>| style="[^"]*"', "", page, flags=re.DOTALL)
            reply.set_content(f"{paragraphs}<br>{bare}", subtype="html")
    return reply.as_bytes()


REPLY_KINDS = ["text, marked", "text, unmarked", "text of the page, in short lines", "html, quoted", "html, unmarked"]
REPLY_KINDS += ["html alone, unmarked", "html alone, without its styles"]


@pytest.mark.parametrize("own", ["approved\nnot the second one", "approved", ""])
@pytest.mark.parametrize("kind", REPLY_KINDS)
@pytest.mark.parametrize("context", [NOTIFICATION, REMINDER, REJECTED], ids=lambda context: context.kind)
def test_nothing_of_our_mail_is_read_as_the_persons_answer(context: Any, kind: str, own: str) -> None:
    long = "approved: " + "is this the one that we want to print in the summer issue, on its first page? " * 3
    if isinstance(context, NotificationContext | ReminderContext):
        context = replace(context, request=replace(REQUEST, message=long))

    assert answer_text(parse_mail(_reply(kind, render_email(context), own))) == own


def test_each_option_opens_a_reply_with_the_option_filled_in() -> None:
    mail = render_email(NOTIFICATION)
    mailtos = [urlsplit(link) for link in _Document(mail.html).links() if link.startswith("mailto:")]

    assert [unquote(link.path) for link in mailtos] == [REPLY_TO, REPLY_TO]
    assert [parse_qs(link.query) for link in mailtos] == [
        {"subject": [f"Re: {mail.subject}"], "body": [f"{value}\r\n\r\n"]} for value in ("approved", "needs_revision")
    ]
    assert REVIEW_URL in _Document(mail.html).links()
    assert f"<{REVIEW_URL}>" in mail.text


def test_each_option_is_a_button_that_opens_the_page_to_confirm_it() -> None:
    mail = render_email(
        replace(NOTIFICATION, request=replace(REQUEST, options=option_views("approved", "50% & more?")))
    )
    pages = [link for link in _Document(mail.html).links() if link.startswith(REVIEW_URL) and "#" not in link]

    assert pages == [f"{REVIEW_URL}?answer=approved", f"{REVIEW_URL}?answer=50%25%20%26%20more%3F", REVIEW_URL]
    for page in pages:
        assert f"<{page}>" in mail.text


def test_no_link_of_a_mail_decides_anything() -> None:
    """A scanner that opens every link finds the review page and nothing else."""
    links = [link for link in _Document(render_email(NOTIFICATION).html).links() if not link.startswith("mailto:")]

    assert {link.partition("#")[0].partition("?")[0] for link in links} == {REVIEW_URL}


def test_without_options_the_mail_asks_for_free_feedback() -> None:
    mail = render_email(replace(NOTIFICATION, request=replace(REQUEST, options=())))
    (link,) = [urlsplit(link) for link in _Document(mail.html).links() if link.startswith("mailto:")]

    assert parse_qs(link.query, keep_blank_values=True)["body"] == [""]
    assert "Write your answer" in _Document(mail.html).text
    assert "The first line is your answer" in mail.text


@pytest.mark.parametrize("mail", [NOTIFICATION, REMINDER], ids=["notification", "reminder"])
@pytest.mark.parametrize(
    ("free_text", "becomes"),
    [("accept", "passed on as feedback"), ("ask_again", "not accepted, and you are asked again")],
)
def test_what_becomes_of_free_text_is_said_beforehand(
    mail: NotificationContext | ReminderContext, free_text: str, becomes: str
) -> None:
    written = render_email(replace(mail, request=replace(REQUEST, free_text=FreeText(free_text))))

    for text in (written.text, " ".join(_Document(written.html).text)):
        assert text.count("anything else is") == 1
        assert f"anything else is {becomes}" in text


def test_where_there_are_no_options_any_text_is_an_answer() -> None:
    written = render_email(replace(NOTIFICATION, request=replace(REQUEST, options=())))

    assert "anything else" not in written.text + written.html


OPTIONS = {
    "words": [
        f"{n}. send it back to the author, and ask for a source of each figure in it, and of its pictures"[:100]
        for n in range(50)
    ],
    "signs": [f"{n:02}" + "&\"<'" * 24 for n in range(50)],
    "arabic": [f"{n:02} " + "أعد المقال إلى الكاتب واطلب مصدرا لكل رقم " * 2 for n in range(50)],
    "emoji": [f"{n:02}" + "👩‍👩‍👧‍👦" * 14 for n in range(50)],
    "few": ["approved", "rejected"],
    "none": [],
}
LONG = {
    "words": "word " * 22_000,
    "one word": "x" * 100_000,
    "lines": "a\n" * 50_000,
    "signs": "\"&<>'" * 20_000,
    "table": "|" + "a|" * 300 + "\n|" + "-|" * 300 + "\n" + ("|" + "a|" * 300 + "\n") * 100,
    "list": "- a\n" * 30_000,
    "nested": "> " * 60 + "a",
    "links": "[a](https://a.example/b) " * 5_000,
    "emphasis": "**a** _b_ `c` " * 5_000,
    "emoji": "👩‍👩‍👧‍👦" * 10_000,
    "arabic": "مراجعة الفاتورة قبل الدفع " * 4_000,
    "code": "```python\nx = 1\n```\n" * 5_000,
    "footnotes": "".join(f"a[^{n}]\n\n[^{n}]: b\n\n" for n in range(5_000)),
    "tasks": "- [x] a\n- [ ] b\n" * 9_000,
}


@pytest.mark.exhaustive(30, "context", "long", "options")
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("long", LONG)
@pytest.mark.parametrize("context", [NOTIFICATION, REMINDER, REJECTED], ids=lambda context: context.kind)
def test_all_buttons_stand_before_the_place_where_gmail_cuts(context: Any, long: str, options: str) -> None:
    """Gmail hides what comes after 102 KB; we count the part as it is sent, in its transfer encoding."""
    given = tuple(OPTIONS[options])
    if isinstance(context, ReplyRejectedContext):
        context = replace(
            context, message=LONG[long], options=option_views(*given), quoted=LONG[long], claimed_sender=LONG[long]
        )
    else:
        state = {LONG[long][:5_000] + str(n): LONG[long] for n in range(20)}
        request = replace(REQUEST, message=LONG[long], output=LONG[long], options=option_views(*given), state=state)
        context = replace(context, request=request)
    mail = render_email(replace(context, review_url=LONG_REVIEW_URL))

    assert len(encoded_body(mail.html)[1]) <= 60_000
    links = [link for link in _Document(mail.html).links() if link.startswith(f"{LONG_REVIEW_URL}?")]
    assert len(links) == len(set(links)) == len(given)
    assert len(mail.text.encode()) <= 60_000
    if len(LONG[long]) > 3_000:
        assert LONG_REVIEW_URL in _Document(mail.html).links()
        assert mail.text.count(LONG_REVIEW_URL) > len(given)


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_a_long_comment_or_free_text_is_cut_too(text: str) -> None:
    decision = replace(DECISION, outcome=None, feedback=text, comment=text)
    for context in (replace(CONFIRMATION, message=text, decision=decision), replace(HANDLED, decision=decision)):
        mail = render_email(context)
        assert len(encoded_body(mail.html)[1]) <= 60_000
        assert len(mail.text.encode()) <= 60_000


@pytest.mark.parametrize("message", ["word " * 22_000, "Is it right?\n\n" * 2_000])
def test_a_long_question_is_cut_with_a_link_to_all_of_it(message: str) -> None:
    for context in (NOTIFICATION, REMINDER):
        mail = render_email(replace(context, request=replace(REQUEST, message=message)))
        assert "This is the beginning." in _Document(mail.html).text
        assert "Read all of it on the review page" in _Document(mail.html).text
        assert f"[This is the beginning. Read all of it: {REVIEW_URL} ]" in mail.text


def test_an_ordinary_mail_shows_all_it_has() -> None:
    mail = render_email(replace(NOTIFICATION, request=replace(REQUEST, message="A word. " * 300)))
    assert "This is the beginning" not in mail.html + mail.text
    assert "Or just reply:" in mail.html
    assert "Article id" in mail.html


@pytest.mark.parametrize("output", ["word " * 20_000, [{"item": n, "text": "word " * 20} for n in range(2_000)]])
def test_long_content_is_cut_with_a_link_to_all_of_it(output: object) -> None:
    state = {f"key{n}": "value " * 500 for n in range(200)}
    mail = render_email(replace(NOTIFICATION, request=replace(REQUEST, output=output, state=state)))

    # Gmail hides what comes after 102 KB, which would be the buttons.
    assert len(mail.html.encode()) < 60_000
    assert len(mail.text.encode()) < 20_000
    assert "Read all of it" in mail.text
    assert "Read all of it on the review page" in _Document(mail.html).text
    assert "key199" not in mail.html
    assert "key0" in mail.text
    assert "key50" not in mail.html + mail.text
    assert "All of it is on the review page." in mail.text
    assert "All of it is on the review page" in " ".join(_Document(mail.html).text)


def test_the_context_and_earlier_rounds_read_as_people_read_them() -> None:
    state = {
        "budget": {"currency": "EUR", "total": 12400, "is_final": False},
        "lines": [{"article": "Desk", "price": 900}, {"article": "Lamp", "price": 45}],
        "due": "2026-03-01T09:00:00Z",
    }
    history = (HistoryRound("draft_offer", "2026-01-14T11:20:00Z", {"total": 13000, "approved_by": ["Ann", "Bob"]}),)
    mail = render_email(replace(NOTIFICATION, request=replace(REQUEST, state=state, history=history)))
    html = " ".join(_Document(mail.html).text)
    assert "Budget Currency EUR Total 12,400 Is final No" in html
    assert "Lines Article Price Desk 900 Lamp 45" in html
    assert "Due 1 Mar 2026, 09:00 UTC" in html
    assert "  budget:\n    currency: EUR\n    total: 12400\n" in mail.text
    for body in (html, mail.text):
        assert "Total: 13,000, Approved by: Ann, Approved by: Bob" in body
        assert '{"' not in body


def test_content_of_the_mail_cannot_pass_for_its_own_lines() -> None:
    forged = "Fine.\n\nYOUR ANSWER\nOr answer on the review page:\n<https://evil.example>"
    state = {"text": forged, forged: {forged: [forged, {forged: forged}]}}
    history = (HistoryRound("m", "", {forged: [forged]}),)
    request = replace(REQUEST, output=forged, message=forged, state=state, history=history)
    mail = render_email(replace(NOTIFICATION, request=request))

    assert [line for line in mail.text.split("\n") if line.startswith("<https")] == [f"<{REVIEW_URL}>"]


@pytest.mark.parametrize("output", [None, {}, [], 0, False, "", "x", {"a": None}])
def test_any_output_can_be_shown(output: object) -> None:
    request = replace(REQUEST, output=output, state={}, history=(), deadline_text=None)
    mail, page = render_email(replace(NOTIFICATION, request=request)), render_page(ReviewContext(request=request))

    assert ("To review" in mail.html) == (output is not None)
    assert ("To review" in page) == (output is not None)
    assert "Context" not in page


@pytest.mark.parametrize(
    "injected", ["\r\nBcc: all@evil.example", "\nX: y", "\u2028z", "a\x00b", "a\x0bb", "a\x85b", "\ud800"]
)
def test_a_subject_is_one_line(injected: str) -> None:
    subjects = [
        render_email(replace(NOTIFICATION, request=replace(REQUEST, flow_name=f"Flow{injected}"))).subject,
        render_email(replace(CONFIRMATION, decision=replace(DECISION, outcome=f"ok{injected}"))).subject,
        render_email(replace(REJECTED, method_name=f"m{injected}")).subject,
    ]

    for subject in subjects:
        assert len(subject.splitlines()) == 1
        assert subject.encode().decode().isprintable()


def test_a_long_subject_is_cut() -> None:
    assert subject_line("word " * 100).endswith("word…")
    assert len(subject_line("x" * 1000)) == SUBJECT_LIMIT
    assert subject_line("x" * SUBJECT_LIMIT) != subject_line("x" * (SUBJECT_LIMIT - 1)) == "x" * (SUBJECT_LIMIT - 1)


@pytest.mark.parametrize("text", ["approved", "50% & more?", "a+b=c#d", "naïve “quotes” 👍", "two\nlines\r\nthree", ""])
def test_mailto_link_survives_the_way_to_the_mail_client(text: str) -> None:
    link = mailto_link("a+b@in.example.com", text, text)
    parts = urlsplit(link)
    query = parse_qs(parts.query, keep_blank_values=True)

    assert re.fullmatch(r"mailto:[A-Za-z0-9@.%_~-]+\?subject=[A-Za-z0-9.%_~-]*&body=[A-Za-z0-9.%_~-]*", link)
    assert unquote(parts.path) == "a+b@in.example.com"
    assert query["body"] == [text.replace("\r\n", "\n").replace("\n", "\r\n")]
    assert query["subject"] == [" ".join(text.split())]


def test_confirmation_says_what_was_recorded_and_when() -> None:
    mail = render_email(CONFIRMATION)
    shown = " ".join(_Document(mail.html).text)

    assert mail.subject == "Recorded: Approved · Review content (ContentApprovalFlow)"
    for body in (mail.text, shown):
        for fact in ("Approved", "Nice.", "Go on.", "by email", "14 Jan 2026, 12:00 UTC", "ContentApprovalFlow"):
            assert fact in body


def test_confirmation_of_free_text_shows_the_feedback() -> None:
    mail = render_email(replace(CONFIRMATION, decision=replace(DECISION, outcome=None, feedback="Make it shorter")))

    assert mail.subject.startswith("Recorded: your feedback")
    assert "Feedback: Make it shorter" in mail.text
    assert "Make it shorter" in mail.html


@pytest.mark.parametrize("reason", RejectionReason)
def test_every_rejection_says_what_happened_and_what_to_do(reason: RejectionReason) -> None:
    bare = replace(
        REJECTED, reason=reason, reply_to=None, review_url=None, decision=None, quoted="", claimed_sender=None
    )
    mail = render_email(bare)
    (headline,) = re.findall(r"<h1[^>]*>(.*?)</h1>", mail.html)

    assert mail.subject == f"{headline}: Review content (ContentApprovalFlow)"
    assert mail.text.startswith(f"{headline}\n")
    assert "What to do" in mail.html
    assert "mailto:" not in mail.html + mail.text


def test_rejected_reply_gets_the_options_again() -> None:
    mail = render_email(REJECTED)
    mailtos = [urlsplit(link) for link in _Document(mail.html).links() if link.startswith("mailto:")]

    assert [parse_qs(link.query)["body"] for link in mailtos] == [["approved\r\n\r\n"], ["needs_revision\r\n\r\n"]]
    for fact in ("looks good", "mallory@evil.example", REVIEW_URL):
        assert fact in mail.text
        assert fact in mail.html


def test_unproven_sender_is_sent_to_the_review_page_alone() -> None:
    mail = render_email(replace(REJECTED, reason=RejectionReason.SENDER_UNPROVEN))

    assert [link for link in _Document(mail.html).links() if link.startswith("mailto:")] == []
    assert f"<{REVIEW_URL}>" in mail.text


def test_nobody_is_asked_again_when_somebody_else_has_answered() -> None:
    mail = render_email(replace(REJECTED, decision=DECISION, reply_to=None, review_url=None))

    assert "reply again" not in (mail.text + mail.html).casefold()


def test_late_reply_is_told_what_counts() -> None:
    decision = Decision(outcome="rejected", label="Rejected", via=Channel.AUTO_RESPONSE, at=NOW)
    mail = render_email(replace(REJECTED, reason=RejectionReason.ALREADY_RESPONDED, decision=decision, reply_to=None))

    for body in (mail.text, mail.html):
        for fact in ("Rejected", "automatically, because no one answered in time", "14 Jan 2026, 12:00 UTC"):
            assert fact in body


def pressable(page: _Document) -> list[dict[str, str | None]]:
    """Return the form's own buttons, without the one that takes Enter in a field and those of the bar."""
    return [one for one in page.all("button") if "disabled" not in one and "form" not in one]


def test_review_page_has_one_form_with_a_button_for_each_option_and_a_comment() -> None:
    page = _Document(render_page(REVIEW))
    (form,) = page.all("form")

    assert form["method"] == "post"
    assert "action" not in form
    assert [(button["type"], button["name"], button["value"]) for button in pressable(page)] == [
        ("submit", "outcome", "approved"),
        ("submit", "outcome", "needs_revision"),
    ]
    assert [area["name"] for area in page.all("textarea")] == ["comment"]
    assert {"so far", "Please choose an option.", "Approved"} <= set(page.text)


def test_review_page_without_options_asks_for_feedback() -> None:
    page = _Document(render_page(replace(REVIEW, request=replace(REQUEST, options=()))))
    (area,) = page.all("textarea")
    (button,) = pressable(page)

    assert area["name"] == "comment"
    assert "required" in area
    assert "name" not in button


def test_review_page_shows_everything_of_a_long_request() -> None:
    state = {f"key{n}": f"value{n} " * 100 for n in range(50)}
    page = render_page(ReviewContext(request=replace(REQUEST, output="word " * 20_000 + "the end", state=state)))

    assert "the end" in page
    assert page.count("value49") >= 100


def test_reminder_has_the_subject_of_its_notification_and_the_same_buttons() -> None:
    reminder, notification = render_email(REMINDER), render_email(NOTIFICATION)
    assert reminder.subject == notification.subject
    assert f"Re: {notification.subject}" not in notification.html
    for body in (reminder.text, reminder.html):
        assert "still waiting for your answer" in body
        assert "; due 14 Jan 2026, 16:00 UTC" in body
        assert REVIEW_URL in body
    links = [link for link in _Document(reminder.html).links() if link.startswith("mailto:")]
    assert links == [link for link in _Document(notification.html).links() if link.startswith("mailto:")]


def test_handled_mail_says_who_answered_what_and_asks_for_nothing() -> None:
    mail = render_email(HANDLED)
    assert mail.subject == "Answered by ann@company.com: Review content (ContentApprovalFlow)"
    for body in (mail.text, mail.html):
        assert "ann@company.com" in body
        assert "Approved" in body
    assert _Document(mail.html).links() == []


def test_handled_mail_names_nobody_who_is_not_proven() -> None:
    mail = render_email(replace(HANDLED, decision=DECISION))
    assert mail.subject == "Already answered: Review content (ContentApprovalFlow)"


def test_mail_says_how_to_pass_on_only_where_that_is_allowed() -> None:
    passable = render_email(replace(NOTIFICATION, request=replace(REQUEST, may_pass_on=True)))
    plain = render_email(NOTIFICATION)
    assert "delegate: " in passable.text
    assert "delegate: " in passable.html
    assert "delegate" not in plain.text + plain.html


def test_review_page_offers_to_pass_on_only_where_that_is_allowed() -> None:
    document = _Document(render_page(PASSABLE))
    assert len(document.all("form")) == 2
    (field,) = [one for one in document.all("input") if one["type"] != "hidden"]
    assert (field["name"], field["type"], field["value"]) == ("delegate_to", "email", "bob@company.com")
    assert "open" in next(each for each in document.all("details") if each.get("class") == "source pass-on")


def test_review_page_shows_the_beginning_of_very_long_markdown_and_the_way_to_all_of_it() -> None:
    text = "# Title\n\n" + "Some **bold** words.\n\n" * 20_000 + "the end"
    page = render_page(ReviewContext(request=replace(REQUEST, output=text)))

    assert "<strong>bold</strong>" in page
    assert page.count("the end") == 1
    assert '<a href="#all-of-it">Read all of it as plain text</a>' in page
    assert page.index('id="all-of-it"') < page.index("the end")


def test_names_of_any_script_run_their_own_way() -> None:
    arabic = replace(
        REQUEST,
        flow_name="سير الموافقة",
        title="راجع الفاتورة",
        message="هل نوافق؟",
        options=option_views("موافق"),
    )
    mail = _Document(render_email(replace(NOTIFICATION, request=replace(arabic, state={"المورد": "شركة"}))).html)

    assert mail.all("h1")[0]["dir"] == "rtl"
    assert mail.all("h1")[0]["align"] == "right"
    assert [cell["dir"] for cell in mail.all("th") if "dir" in cell] == ["rtl", "ltr"]
    assert {link.get("dir") for link in mail.all("a") if "answer=" in (link["href"] or "")} == {"auto"}
    page = _Document(render_page(ReviewContext(request=arabic)))
    assert page.all("h1")[0]["dir"] == pressable(page)[0]["dir"] == "auto"


@pytest.mark.parametrize("kind", get_args(MessageKind))
def test_every_message_page_stands_without_details(kind: MessageKind) -> None:
    page = _Document(render_page(MessageContext(kind=kind)))

    assert len(page.all("h1")) == 1
    assert page.all("form") == []


def test_already_decided_page_says_what_counts() -> None:
    page = _Document(render_page(replace(MESSAGE, kind="already_decided", decision=replace(DECISION, via=Channel.API))))

    for fact in ("Already answered", "Approved", "through the API, 14 Jan 2026, 12:00 UTC"):
        assert fact in " ".join(page.text)


@pytest.mark.parametrize("context", PAGES)
def test_pages_keep_to_their_own_security_policy(context: ReviewContext | MessageContext) -> None:
    for directive in ("default-src 'none'", "style-src 'self'", "script-src 'self'", "frame-ancestors 'none'"):
        assert directive in PAGE_SECURITY_POLICY
    assert "unsafe" not in PAGE_SECURITY_POLICY
    document = _Document(render_page(context))
    for tag, attributes in document.elements:
        assert "style" not in attributes
        assert tag != "script" or (attributes.get("src") or "").startswith("/assets/")
    assert not document.all("style")


@pytest.mark.parametrize("context", [*MAILS, *PAGES])
def test_nothing_is_loaded_from_anywhere(context: Any) -> None:
    source = re.sub(r'<(?:link|script) [^>]*(?:href|src)="/assets/[a-z0-9.-]+"[^>]*>', "", _html_of(context))

    assert not re.search(r"url\(|@import|<link|<img|<iframe|<video|<audio|<object|\bsrc=", source)


@pytest.mark.parametrize("context", [*MAILS, *PAGES, replace(REVIEW, request=replace(REQUEST, options=()))])
def test_documents_are_accessible(context: Any) -> None:
    document = _Document(_html_of(context))
    ids = {attributes["id"] for _, attributes in document.elements if "id" in attributes}
    refers = [
        attributes[name]
        for _, attributes in document.elements
        for name in ("for", "aria-labelledby", "aria-describedby")
        if name in attributes
    ]

    assert document.all("html")[0]["lang"] == "en"
    assert len(document.all("h1")) == 1
    assert set(refers) <= ids
    assert {area["id"] for area in document.all("textarea")} <= set(refers)
    assert any("width=device-width" in (meta.get("content") or "") for meta in document.all("meta"))


@pytest.mark.parametrize(
    ("name", "title"), [("approve_payment", "Approve payment"), ("reviewURL", "ReviewURL"), ("__", "__"), ("a", "A")]
)
def test_method_title(name: str, title: str) -> None:
    assert as_words(name) == title


@pytest.mark.parametrize("context", TEST_MAILS, ids=lambda context: context.kind)
def test_each_mail_about_a_test_is_marked_as_one(context: Any) -> None:
    mail = render_email(context)
    assert mail.subject.startswith("[Test] ")
    assert "This is a test. No flow is waiting for the answer." in mail.text
    assert "This is a test. No flow is waiting for the answer." in mail.html


@pytest.mark.parametrize("context", TEST_PAGES, ids=lambda context: context.template)
def test_each_page_about_a_test_is_marked_as_one(context: Any) -> None:
    assert "This is a test. No flow is waiting for the answer." in render_page(context)


@pytest.mark.parametrize("context", [one for one in MAILS if one not in TEST_MAILS], ids=lambda context: context.kind)
def test_nothing_else_is(context: Any) -> None:
    mail = render_email(context)
    assert "[Test]" not in mail.subject
    assert "This is a test" not in mail.text + mail.html


def test_the_sign_in_mail_has_code_and_link_where_nobody_reads_them_by_chance() -> None:
    link = "https://hitl.example.com/sign-in/link/eyJ0IjoiMSJ9.x-y_z"
    mail = render_email(SignInContext(code="1234 5678", link=link, until=NOW))
    for body in (mail.text, mail.html):
        for fact in ("1234 5678", link, "14 Jan 2026, 12:00 UTC", "where you asked for this email"):
            assert fact in body
    # A locked phone shows the subject and the preheader.
    assert "1234" not in mail.subject
    assert "1234" not in mail.html[: mail.html.index("<h1")]
    assert [one for one in _Document(mail.html).links() if one != link] == []
