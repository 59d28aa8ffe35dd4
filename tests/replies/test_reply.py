"""Which words of a plain-text body are the sender's own."""

import random

import pytest

from flow_hitl.replies.marker import REPLY_MARKER
from flow_hitl.replies.reply import extract_reply
from tests.speed import cpu_seconds

QUOTE = "On Wed, Jan 14, 2026 at 11:58 AM Flow <r@x.example> wrote:\n\n> Answer with one of:\n> approved\n> rejected\n"
HEADERS = "From: Flow <r@x.example>\nSent: Wednesday, January 14, 2026 11:58\nTo: Jane\nSubject: Review\n\napproved\n"


@pytest.mark.parametrize(
    "text",
    [
        "approved",
        "Approved.",
        "👍",
        "+1",
        "- approved",
        "否",
        "On hold",
        "On Monday we can publish",
        "To: be decided",
        "Best",
        "external",
        "Thanks!",
        "Sent back to the team",
        "Caution: needs work",
        "Q: why?\nA: because",
        "approved\n\nOn 5 May we go live:\n- a\n- b",
        "10:30",
        "Il faut attendre 2027",
        "Hej,\n\napproved",
        "This is what he said in 2024, and it still holds",
        "| a | b |\n|---|---|\n| 1 | 2 |",
    ],
)
def test_what_a_person_may_answer_is_kept_whole(text: str) -> None:
    assert extract_reply(text) == text


@pytest.mark.parametrize("quoted", [QUOTE, HEADERS, "-----Original Message-----\n" + HEADERS, "> approved\n"])
@pytest.mark.parametrize(
    "below",
    ["", "\n-- \nJane Doe\n", "\nBest regards,\nJane Doe\nEditor\n", "\nSent from my iPhone\n", "\n________________\n"],
)
def test_a_reply_above_the_quote_is_cut_from_signature_and_quote(quoted: str, below: str) -> None:
    assert extract_reply(f"rejected\n\nwrong price\n{below}\n{quoted}") == "rejected\n\nwrong price"
    assert extract_reply(f"{below}\n{quoted}") == ""


def test_a_reply_below_the_quote() -> None:
    assert extract_reply(f"{QUOTE}\nrejected\n\nwrong price\n\n-- \nJane") == "rejected\n\nwrong price"


def test_replies_between_quoted_lines() -> None:
    body = f"{QUOTE}\nNo, because of page 2.\n\n> And the title?\n\nFine.\n"
    assert extract_reply(body) == "No, because of page 2.\n\nFine."


def test_the_wrapped_tail_of_a_quoted_line_is_quoted() -> None:
    line = "> Please look at the article and then choose one of these two words: rejected,"
    assert len(line) > 65
    assert extract_reply(f"{line}\napproved\n> and send it.\n\nneeds work\n") == "needs work"


def test_below_the_unquoted_marker_nothing_is_read() -> None:
    assert extract_reply(f"rejected\n\n{REPLY_MARKER}\n\napproved\n") == "rejected"
    assert extract_reply(f"{REPLY_MARKER}\n\napproved\n") == ""
    assert extract_reply(f"> {REPLY_MARKER}\n> approved\n\nrejected\n") == "rejected"


def test_banners_and_footers_are_left_out() -> None:
    banner = "CAUTION: This email originated from outside.\nDo not click links unless you know the sender."
    footer = "This e-mail and any attachments are confidential and intended solely for the addressee."
    assert extract_reply(f"{banner}\nrejected\n\n{footer}\nMore of it.") == "rejected"
    assert extract_reply("[EXTERNAL]\n\nrejected\n\nDisclaimer\n\nAny text") == "rejected"


@pytest.mark.parametrize(
    "body",
    [
        "在 2026年1月14日，11:58，Flow <r@x.y> 写道：\n\napproved",
        "2026年1月14日(水) 11:58 Flow <r@x.y>:\n\napproved",
        "2026년 1월 14일 (수) 오전 11:58, Flow <r@x.y>님이 작성:\n\napproved",
        "Em qua., 14 de jan. de 2026 às 11:58, Flow <r@x.y> escreveu:\n\napproved",
        "Il giorno mer 14 gen 2026 alle ore 11:58 Flow <r@x.y> ha scritto:\n\napproved",
        "W dniu 14.01.2026 o 11:58, Flow pisze:\napproved",
        "14 Oca 2026 Çar, saat 11:58 tarihinde Flow <r@x.y> şunu yazdı:\n\napproved",
        "בתאריך יום ד׳, 14 בינו׳ 2026 ב-11:58 מאת \u202aFlow\u202c\u200f <\u202ar@x.y\u202c\u200f>:\u202c\n\napproved",
        "في الأربعاء، 14 يناير 2026 في 11:58 ص تمت كتابة ما يلي بواسطة \u202aFlow\u202c\u200f <\u202ar@x.y\u202c\u200f>:\u202c\n\napproved",  # noqa: E501 (as Gmail writes it)
        "st 14. 1. 2026 v 11:58 odesílatel Flow <r@x.y> napsal:\n\napproved",
        "Flow <r@x.y> ezt írta (időpont: 2026. jan. 14., Sze, 11:58):\n\napproved",
        "Vào Th 4, 14 thg 1, 2026 vào lúc 11:58 Flow <r@x.y> đã viết:\n\napproved",
        "Pada tanggal Rab, 14 Jan 2026 pukul 11.58 Flow <r@x.y> menulis:\n\napproved",
        "În mie., 14 ian. 2026 la 11:58, Flow <r@x.y> a scris:\n\napproved",
        "Στις Τετ 14 Ιαν 2026 στις 11:58, ο χρήστης Flow <r@x.y> έγραψε:\n\napproved",
        "จ. 14 ม.ค. 2026 เวลา 11:58 Flow <r@x.y> เขียนว่า:\n\napproved",
        "Flow <r@x.y> 於 2026年1月14日 週三 上午11:58寫道：\n\napproved",
        '------------------ 原始邮件 ------------------\n发件人: "Flow" <r@x.y>;\n发送时间: 2026年\napproved',
        "发件人: Flow <r@x.y>\n发送时间: 2026年1月14日\n收件人: x\n主题: y\n\napproved",
        "差出人: Flow\n送信日時: 2026\n宛先: x\n件名: y\napproved",
        "От: Flow <r@x.y>\nОтправлено: 14 января\nКому: x\nТема: y\napproved",
        "‐‐‐‐‐‐‐ Original Message ‐‐‐‐‐‐‐\nOn Wed, Flow wrote:\napproved",
        "-------- Původní e-mail --------\nOd: Flow\nKomu: x\napproved",
        "Begin forwarded message:\n\nFrom: Flow <r@x.y>\nSubject: x\nDate: 14\n\napproved",
        "Anfang der weitergeleiteten Nachricht:\n\nVon: Flow\nDatum: 1\napproved",
        "Flow wrote on 14.01.2026 11:58:\napproved",
        "Skickat från min iPhone\n\napproved",
        "iPhoneから送信\n\napproved",
        "发自我的iPhone\napproved",
        "Outlook für Android beziehen\napproved",
        "Jane Doe\nEditor\nTel. +49 30 1234567",
        "-- \nJane",
        "Mit freundlichen Grüßen\n\nJane Doe\nGeschäftsführerin",
        "Thanks,\nJane",
        "Reply above this line\napproved",
        "-- Reply above this line --\n\napproved",
        "*From:* Flow\n*Date:* x\n*To:* y\napproved",
        "From: Flow\n\nSent: x\n\nTo: y\n\napproved",
        "On Wed, Jan 14, 2026 at 11:58 AM A Very Long Name\n<r-abcdefghijklmnop@reply.example.com> wrote:\n\napproved",
        "Quoting Flow <r@x.y>:\n\n> approved",
        "Zitat von Flow <r@x.y>:\n\n> approved",
        "--- Flow wrote:\n> approved",
        "<r@x.y> wrote:\napproved",
        "This email and any attachments may be confidential.\nIf you are not the intended recipient, delete it.",
    ],
)
def test_where_no_own_text_is_certain_nothing_is_returned(body: str) -> None:
    assert extract_reply(body) == ""


@pytest.mark.parametrize("answer", ["", "approved", "Please change this:", "Ann wrote: nonsense"])
@pytest.mark.parametrize(
    "above",
    [
        "---- Replied Message ----\n| From | Flow<r@x.example> |\n| Date | 01/15/2026 10:12 |\n| To | Jane |\napproved",
        "On Thursday, 1. October 2026 at 10:12, Flow HITL said:\n\n> Review\n> approved\n",
        "در پنجشنبه ۲۵ دی ۱۴۰۴ ساعت ۱۰:۱۲، Flow HITL نوشت:\n\n> Review\n> approved\n",
        "──── Ujumbe asili ────\napproved",
        "Nork: Flow <r@x.example>\nBidaltze-data: 2026/01/15 10:12\nNori: Jane\nGaia: Review\n\napproved",
        "From:\nFlow <r@x.example>\nSent:\nThursday 10:12\nTo:\nJane\n\napproved",
        "From: Flow <r@x.example> Sent: Thursday To: Jane Subject: Review\n\napproved",
        "Payments is waiting for your answer: Approve payment\n\nYOUR ANSWER\n  approved",
    ],
)
def test_what_clients_put_above_a_quote_is_known_by_its_structure(answer: str, above: str) -> None:
    assert extract_reply(f"{answer}\n\n{above}") == answer


@pytest.mark.parametrize("quoted", ["Please approve.\n\napproved\n", "> Please approve.\n>\n> approved\n"])
@pytest.mark.parametrize(
    "above",
    [
        "15 Jan 2026, 10:12 by reviews@example.com:",
        "---- On Thu, 15 Jan 2026 10:12:11 +0100 Flow HITL <a@b.example> wrote ----",
        "Flow HITL ---15.01.2026 10:12:11---Review: your answer is needed",
        "Von:        Flow/ACME\nAn:         Jane\nDatum:        15.01.2026 10:12\nBetreff:        Review",
        "Flow HITL <reviews@example.com>\n15.01.2026 10:12\n\nAn\nJane Doe <jane@example.com>\nKopie",
        "Flow HITL\nreviews@example.com\n15 Jan 2026 at 10:12",
        "Flow HITL reviews@example.com\nwrote:",
        '"Flow HITL" <a@b.example> 2026-01-15 10:12',
        "2026-01-15 10:12, Flow HITL:",
        '------ Original Message ------\nFrom "Flow" <a@b.example>\nTo j@b.example\nDate 1/15/2026 10:12:11 AM',
        "Originalnachricht\nVon: Flow\nGesendet: Do",
        "Fwd: Review\n\nFrom: Flow <a@b.example>\nDate: Thu",
        "Message du 15/01/26 10:12\n> De : Flow <a@b.example>\n> A : j@b.example\n> Objet : Review\n>",
        'From: "Flow" <a@b.example>; To: <j@b.example>; Subject: Review; Sent: Thu, Jan 15, 2026',
        "Kutoka kwa: Flow <a@b.example>\nTarehe: 15/1/2026 10:12",
    ],
)
def test_odd_clients_put_other_things_above_a_quote(above: str, quoted: str) -> None:
    for answer in ("", "approved", "Please change this:"):
        assert extract_reply(f"{answer}\n\n{above}\n\n{quoted}") == answer


def test_a_line_above_a_quote_that_names_our_sender_is_not_the_persons() -> None:
    body = "Flow HITL dixit:\n\n> approved\n"
    assert extract_reply(body, ours=("Flow HITL", "reviews@example.com")) == ""
    assert extract_reply(body.replace("Flow HITL", "Please"), ours=("Flow HITL",)) == "Please dixit:"


@pytest.mark.parametrize(
    "text",
    [
        "approved\namount: 100\nstart: 2026-01-05 10:00\ncontact: Bob <bob@x.example>",
        "approved\n\nowner: bob@x.example\ndue: 2026-01-05 10:00\nreason: cheap",
        "**approved**",
        "***approved***",
        "### Please shorten this ###",
        "approve the order of 20 notebooks",
        "See https://wiki.example.com/page",
        "The virus scanner is too expensive",
        "The mail about the virus is wrong",
        "Public",
        "Subject: too long",
        "approved\namount: 100\ndate: 2026-01-05",
    ],
)
def test_an_answer_that_looks_a_little_like_what_clients_write_is_kept(text: str) -> None:
    assert extract_reply(text) == text
    assert extract_reply(f"{text}\n\n{QUOTE}") == text
    assert extract_reply(f"{text}\n\n{'_' * 32}\n{HEADERS}") == text


def test_times_above_a_quote_are_no_attribution() -> None:
    assert extract_reply("change 10:30 to 11:30\n\n> 10:30\n") == "change 10:30 to 11:30"
    assert extract_reply("invoice 4711 of 15.01.2026 is wrong\n\n> 4711\n") == "invoice 4711 of 15.01.2026 is wrong"


HOSTILE = {
    "quote marks": ">" * 100_000,
    "empty lines": "\n" * 100_000,
    "short lines": "a\n" * 50_000,
    "colons": "a:\n" * 33_000,
    "attributions that never end": "On 2024 x:\n" * 9_000,
    "broken addresses": "On 2024 a\n\n<\n\n" * 7_000,
    "one long attribution": "On " + "10:10 a@b " * 10_000,
    "headers": "From: a\n" * 12_000,
    "closings": "best,\n\n" * 14_000,
    "signatures": "Ab Cd\n+12 345 678\n\n" * 5_000,
    "compatibility characters": "ﷺ\n" * 50_000,
    "open angles": "<a\n<b\n" * 17_000,
    "rules": "=-" * 50_000,
    "lines of rules": f"{'=-' * 150}\n" * 330,
    "colons in one line": f"{'a@b from: ' * 30}\n" * 330,
    "fields": "Ab: c\n" * 16_000,
    "rows": "| a | b |\n" * 10_000,
    "brackets": f"{'[ ' * 60}x\n" * 800,
    "dividers": f"{'-' * 79}\n" * 1_250,
    "classes": "tlp:amber\n" * 10_000,
    "dated lines": "On 2024-01-05 10:12 some words that are long enough,\n" * 1_900,
    "noise": "".join(random.Random(1).choices("abc:>@<-\n\n 10/.,*|_", k=100_000)),  # noqa: S311 (a fixed sample)
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_body_takes_no_long_time(name: str) -> None:
    # The goal is 50 ms; a cold cache gets some room.
    assert cpu_seconds(lambda: extract_reply(HOSTILE[name], ("approved", "rejected")), 0.2) < 0.2


PERCENT = ["< 10 %", "> 10 %"]


@pytest.mark.parametrize(
    ("body", "reply"),
    [
        ("> 10 %", "> 10 %"),
        ("\n>  10 %\n\nOn Wed, 14 Jan 2026 at 12:00, Flow HITL <x@hitl.test> wrote:\n> 10 %\n", "> 10 %"),
        ("< 10 %\n\n> 10 %", "< 10 %"),
        ("> 10 %\n\nNo.", "No."),
        ("> 10 %\n> 20 %", ""),
        ("> 10", ""),
        ("On Wed, 14 Jan 2026 at 12:00, Flow HITL <x@hitl.test> wrote:\n\n> 10 %\n", ""),
        ("> Hello\n\n> 10 %", ""),
    ],
)
def test_an_option_that_looks_like_a_quote_counts_at_the_top_of_a_mail_that_says_nothing_else(
    body: str, reply: str
) -> None:
    assert extract_reply(body, PERCENT) == reply


def test_without_such_an_option_it_is_a_quote() -> None:
    assert extract_reply("> 10 %", ["approved"]) == ""
