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
    ("line", "greets"),
    [
        ("Dear " + "x" * 54 + ",", True),
        ("Dear " + "x" * 55 + ",", False),
        ("\u3053\u3093\u306b\u3061\u306f" + "\u3042" * 15, True),
        ("\u3053\u3093\u306b\u3061\u306f" + "\u3042" * 16, False),
        ("\u7530\u4e2d\u69d8", True),
        ("\u7530\u4e2d", False),
        ("tanaka\u69d8", True),
        ("approved \u69d8", False),
        ("Hi Ann Lee", True),
        ("Hi Ann Lee Jr", False),
        ("Hi Ann & Bob,", True),
        ("Hi Ann & Bob / Jim,", True),
        ("Hi Ann Bob Jim Kim Lee,", True),
        ("Hi Ann Bob Jim Kim Lee Max,", False),
        ("Hi Ann + Bob,", False),
        ("Hi X,", True),
        ("Hi XX&,", False),
        ("Team,", True),
        ("Team", False),
        ("Team lead,", False),
        (" , ", False),
    ],
)
def test_a_greeting_is_short_and_names_whom_it_greets(line: str, greets: bool) -> None:
    assert is_greeting(line) is greets


@pytest.mark.parametrize(
    ("line", "classifies"),
    [
        ("", False),
        ("   ", False),
        ("[internal]" + " " * 70 + "x", False),
        ("Sensitivity: " + " ".join(["x" * 8] * 7) + " xxxx", True),
        ("Sensitivity: " + " ".join(["x" * 8] * 7) + " xxxxx", False),
        ("Sensitivity: a b c d e f g h", True),
        ("Sensitivity: a b c d e f g h i", False),
        ("Sensitivity:", False),
        ("Sensitivity: internal: really", True),
        ("*_Sensitivity_*: internal", True),
        ("** Sensitivity **: internal", True),
        ("## Sensitivity: internal", True),
        ("[Sensitivity: internal]", True),
        ("[Sensitivity]: internal", False),
        ("X Sensitivity: internal", False),
        ("internal", False),
        ("[internal]", True),
        ("[approved]", False),
    ],
)
def test_a_classification_names_a_class_in_few_words(line: str, classifies: bool) -> None:
    assert is_classification(line) is classifies


@pytest.mark.parametrize(
    ("line", "may_be"),
    [
        ("", False),
        ("internal", True),
        ("internal 1 2 3 4 5 i ii", True),
        ("internal 1 2 3 4 5 i ii iii", True),
        ("internal 1 2 3 4 5 i ii iii iv", False),
        ("use only", False),
        ("internal approved", False),
        ("\u6a5f\u5bc6", True),
        ("internal" + "-" * 52, True),
        ("internal" + "-" * 53, False),
    ],
)
def test_a_bare_class_is_few_words_for_classes_and_nothing_else(line: str, may_be: bool) -> None:
    assert may_be_classification(line) is may_be


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
