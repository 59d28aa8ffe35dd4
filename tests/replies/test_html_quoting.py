"""The same of HTML: marks of clients, their absence, and blockquotes that are the person's own."""

from itertools import islice

import pytest

from flow_hitl.rendering.rendering import render_email
from flow_hitl.replies.html_reply import html_to_text
from flow_hitl.replies.marker import REPLY_MARKER
from flow_hitl.replies.reply import extract_reply
from tests.rendering.test_rendering import NOTIFICATION
from tests.support.html_quoting import html_cases
from tests.support.slices import WHOLE

# A prime, so that all styles, languages and replies come by.
_EVERY = 1 if WHOLE else 211
_BODY = render_email(NOTIFICATION).html.partition("<body")[2].replace("</body>", "</div>").replace("</html>", "")
CONTENTS = {
    "as sent": f"<div {_BODY}",
    "simplified": "<p>-- reply above this line --</p><p>X is waiting for your answer: Approve</p><p>approved</p>",
    "nothing of ours to know it by": "<div>Please approve this payment.</div><p>approved</p><p>rejected</p>",
}


def own_text(html: str) -> str:
    return extract_reply(html_to_text(html))


@pytest.mark.exhaustive
@pytest.mark.parametrize("content", CONTENTS)
def test_the_own_text_and_nothing_else_is_found(content: str) -> None:
    wrong = [
        case.name
        for case in islice(html_cases([CONTENTS[content]]), 0, None, _EVERY)
        if own_text(case.body).split() != case.own.split()
    ]
    assert not wrong


@pytest.mark.parametrize(
    "blockquote",
    ['<blockquote style="margin:0 0 0 40px;border:none;padding:0px">{}</blockquote>', "<blockquote>{}</blockquote>"],
)
def test_what_the_person_indented_is_theirs(blockquote: str) -> None:
    reason = blockquote.format("Section 2 is wrong, see the contract.")
    own = "rejected\n\nSection 2 is wrong, see the contract.\n\nJane"
    assert own_text(f'<div dir="ltr">rejected{reason}Jane</div>') == own
    assert own_text(blockquote.format("rejected")) == "rejected"


@pytest.mark.parametrize(
    "above", ["On 15.01.2026 10:12, Flow HITL said:", "2026(e)ko urt. 15(a) 10:12, Flow &lt;r@x.y&gt;:"]
)
def test_a_blockquote_below_an_attribution_is_a_quote(above: str) -> None:
    assert own_text(f"<p>rejected</p><p>{above}</p><blockquote>approved</blockquote>") == "rejected"
    assert own_text(f"<p>{above}</p><blockquote>approved</blockquote>") == ""


def test_what_nobody_sees_is_not_read() -> None:
    assert own_text('<div style="display:none">approved</div><p>rejected</p>') == "rejected"


def test_headers_in_a_table_are_known_without_their_colons() -> None:
    rows = "<tr><td>From</td><td>Flow&lt;r@x.y&gt;</td></tr><tr><td>Date</td><td>01/15/2026 10:12</td></tr>"
    assert own_text(f"<p>rejected</p><table>{rows}</table><p>approved</p>") == "rejected"
    assert own_text(f"<table>{rows}</table><p>approved</p>") == ""


def test_our_own_mail_is_known_without_its_marker() -> None:
    text = render_email(NOTIFICATION).text.partition(REPLY_MARKER)[2]
    assert "approved" in text
    assert extract_reply(text) == ""
    assert extract_reply(f"rejected\n\n{text}") == "rejected"
