"""What counts as a mail address, and when two are the same."""

import pytest

from flow_hitl.platform.address import domain_of, is_mail_address, may_be_same_person, same_address


@pytest.mark.parametrize(
    "address",
    [
        "a@example.com",
        "first.last+tag@sub.example.co.uk",
        "o'brien@example.ie",
        "x@xn--mnchen-3ya.de",
        "a" * 64 + "@example.com",
        "1@2.3com",
    ],
)
def test_these_are_addresses(address: str) -> None:
    assert is_mail_address(address)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "a",
        "a@",
        "@example.com",
        "a@localhost",
        "a@example.com ",
        " a@example.com",
        "a b@example.com",
        "a@exam ple.com",
        "a@@example.com",
        "a@b@example.com",
        ".a@example.com",
        "a.@example.com",
        "a..b@example.com",
        '"a b"@example.com',
        "a@[127.0.0.1]",
        "A <a@example.com>",
        "a@example.com,b@example.com",
        "a@example.com\r\nBcc: b@example.com",
        "a@example.com\n",
        "a@-example.com",
        "a@example-.com",
        "a@example..com",
        "a@example.com.",
        "\u00e4@example.com",
        "=?utf-8?q?boss?=@example.com",
        "a=?utf-8?b?Ym9zcw==?=@example.com",
        "=?utf-8?q?boss=40evil.example=3E?=@example.com",
        "=?@example.com",
        "a@\u00e4xample.com",
        "a" * 65 + "@example.com",
        "a@" + "b" * 64 + ".com",
        "a@" + "b." * 130 + "com",
        None,
        7,
        ["a@example.com"],
    ],
)
def test_these_are_not(value: object) -> None:
    assert not is_mail_address(value)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a@example.com", "A@EXAMPLE.COM", True),
        ("a@example.com", "a@example.com", True),
        ("a.b@example.com", "ab@example.com", False),
        ("a+x@example.com", "a@example.com", False),
        ("a@example.com", "a@example.com.", False),
        ("a@example.com", "a@example.org", False),
        ("\u0130@example.com", "i\u0307@example.com", False),
        ("\u212a@example.com", "k@example.com", False),
    ],
)
def test_the_same_mailbox(one: str, other: str, same: bool) -> None:
    assert same_address(one, other) is same
    assert same_address(other, one) is same


def test_the_domain() -> None:
    assert domain_of("A@Example.COM") == "example.com"


@pytest.mark.parametrize(
    "other",
    [
        "Bob.Smith@Example.COM",
        "bob.smith+invoices@example.com",
        "bob.smith@example.com.",
        "Bob Smith <bob.smith@example.com>",
        '"Smith, Bob" <BOB.SMITH@example.com.>',
        "<bob.smith@example.com>",
        " bob.smith@example.com ",
        '"bob.smith"@example.com',
        "ｂｏｂ.smith@example.com",
        "bob.smith@ｅxample．com",
        "bob.smith@example\u3002com",
        "bob.smi\u200bth@example.com",
    ],
)
def test_to_deny_what_may_be_one_person_counts_as_one(other: str) -> None:
    assert may_be_same_person("bob.smith@example.com", other)
    assert may_be_same_person(other, "bob.smith@example.com")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a@bücher.example", "A@xn--bcher-kva.example"),
        ("a@BÜCHER.example", "a@xn--bcher-kva.example."),
        ("a@straße.example", "a@strasse.example"),
        ("b.o.b@gmail.com", "bob+x@googlemail.com"),
    ],
)
def test_to_deny_spellings_of_one_mailbox_are_one(one: str, other: str) -> None:
    assert may_be_same_person(one, other)


@pytest.mark.parametrize(
    "other",
    [
        "bobsmith@example.com",  # only Gmail ignores dots
        "bob.smith@example.org",
        "bob.smith@mail.example.com",
        "bob.smit@example.com",
        "bob.smith",
        "",
        "+x@example.com",
        "a@xn--\u00e9.example",
    ],
)
def test_to_deny_another_person_is_still_another(other: str) -> None:
    assert not may_be_same_person("bob.smith@example.com", other)
