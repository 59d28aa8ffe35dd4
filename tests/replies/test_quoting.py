"""Nobody's words but the sender's: our own mail under a reply, in place of one, or forwarded, as clients quote it."""

from itertools import islice

import pytest

from flow_hitl.replies.reply import extract_reply
from tests.support.quoting import CONTENTS, LANGUAGES, REPLIES, cases
from tests.support.slices import WHOLE

# A prime, so that all styles, languages and replies come by.
_EVERY = 1 if WHOLE else 101


@pytest.mark.exhaustive
@pytest.mark.parametrize("content", CONTENTS)
def test_the_own_text_and_nothing_else_is_found(content: str) -> None:
    wrong = [case.name for case in islice(cases([content]), 0, None, _EVERY) if extract_reply(case.body) != case.own]
    assert not wrong


def test_every_reply_and_language_comes_by() -> None:
    tried = list(islice(cases(), 0, None, _EVERY))
    codes = {case.name.partition("; ")[2].partition(":")[0] for case in tried}
    assert {language.code for language in LANGUAGES} <= codes
    assert {case.own for case in tried} >= set(REPLIES)
