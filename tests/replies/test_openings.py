"""Greetings, and the lines by which organisations class their mails."""

import pytest

from flow_hitl.replies.reply import extract_reply
from flow_hitl.requests.deciding.openings import is_classification, is_greeting, may_be_classification


@pytest.mark.parametrize(
    "line",
    [
        "Hi,",
        "hello",
        "Dear team,",
        "Hi Mr. Smith,",
        "Hi Jane & Bob,",
        "Team,",
        "Good morning",
        "Hallo zusammen,",
        "Sehr geehrte Damen und Herren,",
        "Bonjour à tous !",
        "Hola a todos:",
        "Hej Anders,",
        "Здравствуйте, ".strip(),
        "Merhaba,",
        "您好！",
        "田中様",
        "お世話になっております。",
        "안녕하세요",
        "שלום,",
        "سلام،",
    ],
)
def test_a_greeting(line: str) -> None:
    assert is_greeting(line)


@pytest.mark.parametrize(
    "line",
    [
        "approved",
        "No,",
        "All",
        "Best",
        "Good",
        "Hi, rejected",
        "Hello world is wrong",
        "Hi team, please see page 2.",
        "",
    ],
)
def test_what_says_more_than_a_greeting_is_none(line: str) -> None:
    assert not is_greeting(line)


@pytest.mark.parametrize(
    "line",
    [
        "Sensitivity: Internal",
        "Classification: Internal use only",
        "Data Classification: Company Confidential",
        "Klassifizierung: intern",
        "*Classification :* Confidentiel",
        "TLP:AMBER",
        "TLP:AMBER+STRICT",
        "[EXTERNAL]",
        "[Confidential]",
        "*** EXTERNAL EMAIL ***",
        "機密区分：社外秘",
    ],
)
def test_a_classification_above_the_answer_is_not_the_persons(line: str) -> None:
    assert is_classification(line)
    assert extract_reply(f"{line}\n\napproved\nlooks fine") == "approved\nlooks fine"
    assert extract_reply(f"{line}\napproved") == "approved"
    assert extract_reply(line) == ""


@pytest.mark.parametrize("line", ["VERTRAULICH", "INTERNAL", "For internal use only", "Public/Interne/Confidentiel"])
def test_a_bare_word_for_a_class_counts_where_it_stands_apart_above_more(line: str) -> None:
    assert may_be_classification(line)
    assert extract_reply(f"{line}\n\napproved") == "approved"


@pytest.mark.parametrize("line", ["VERTRAULICH", "INTERNAL"])
def test_a_bare_word_in_capitals_alone_says_nothing(line: str) -> None:
    assert extract_reply(line) == ""


@pytest.mark.parametrize("option", ["public", "internal", "Confidential", "TLP:AMBER", "[external]"])
def test_an_option_that_reads_like_a_class_is_an_answer(option: str) -> None:
    assert extract_reply(option.upper(), [option, "other"]) == option.upper()
    assert extract_reply(f"{option}\n\nfor now", [option, "other"]) == f"{option}\n\nfor now"


@pytest.mark.parametrize("line", ["Decision: public", "[approved]", "use only", "Q: why?", "public: yes", "1"])
def test_what_is_no_classification_is_kept(line: str) -> None:
    assert extract_reply(f"{line}\n\nmore") == f"{line}\n\nmore"
