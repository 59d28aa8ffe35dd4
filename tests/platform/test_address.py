"""What counts as a mail address, and when two are the same."""

import pytest

from flow_hitl.platform.address import (
    address_key,
    domain_of,
    is_mail_address,
    may_be_same_person,
    read_mailbox,
    same_address,
)


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
    assert domain_of('"a@b"@Example.COM') == "example.com"


@pytest.mark.parametrize(
    ("one", "other"), [("a@example.com", "A@EXAMPLE.COM"), ("\u0130@example.com", "\u0130@example.com")]
)
def test_what_is_kept_of_an_address_is_the_same_for_the_same_mailbox_only(one: str, other: str) -> None:
    assert address_key(one) == address_key(other)
    assert address_key(one) != address_key(f"{one}m")
    assert address_key("\u0130@example.com") != address_key("i\u0307@example.com")


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("a@example.com", "a@example.com"),
        ("A.B+c@Example.COM", "A.B+c@Example.COM"),
        (" \t a@example.com\n", "a@example.com"),
        ("\ufeffa@example.com\u200b", "a@example.com"),
        (" \u2060 a@example.com \u200b ", "a@example.com"),
        ("Alice <a@example.com>", "a@example.com"),
        ('"Smith, Alice" < a@example.com >', "a@example.com"),
        ("<a@example.com>", "a@example.com"),
        ("A@example.com <a@example.com>", "a@example.com"),
        ("'a@example.com' <a@example.com>", "a@example.com"),
        (' "a@example.com"  <a@example.com>', "a@example.com"),
        ("mailto:a@example.com", "a@example.com"),
        ("MAILTO: a@example.com?subject=Review?", "a@example.com"),
        ("Alice <mailto:a%2Bb@example.com>", "a+b@example.com"),
        ("a@b\u00fccher.example", "a@xn--bcher-kva.example"),
        ("a@B\u00dcCHER.Example", "a@xn--bcher-kva.Example"),
        ("a@stra\u00dfe.example", "a@xn--strae-oqa.example"),
        ("a@\u03c3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2.gr", "a@xn--kxa6ajbbmh.gr"),
        ("a@b-\u00fc\u3002example", "a@xn--b--yka.example"),
        ("a@\uff45xample.com", "a@example.com"),
        ("a@\u4f8b1.example", "a@xn--1-kb7a.example"),
    ],
)
def test_an_address_is_understood_however_people_write_it(written: str, address: str) -> None:
    assert read_mailbox(written) == address


NONE = "is not an email address"
ASCII = "is not a supported email address: use only ASCII characters before the @"
SEVERAL = "names more than one email address"


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        (None, NONE),
        (7, NONE),
        ("", NONE),
        ("a", NONE),
        ("a@", NONE),
        ("Alice", NONE),
        ("a@localhost", NONE),
        ("a@example.com, b@example.com", NONE),
        ("Alice <a@example.com> <b@example.com>", NONE),
        ("a@example.com" + " " * 988, NONE),
        ("x" * 1000 + "@example.com", NONE),
        ("b@example.com <a@example.com>", SEVERAL),
        ("a@example.com, <a@example.com>", SEVERAL),
        ("\u00e4@example.com", ASCII),
        ("\u00e4@b\u00fccher.example", ASCII),
        ("\u00e4@example", NONE),
        ("\u00e4\0@example.com", NONE),
        ("a@\u0301b.example", NONE),
        ("a@b\u00fc!.example", NONE),
        ("a@b\u00fc .example", NONE),
    ],
)
def test_what_is_no_address_or_more_than_one_is_refused_in_words(written: object, problem: str) -> None:
    with pytest.raises(ValueError, match=f"^{problem}$"):
        read_mailbox(written)


def test_a_written_address_may_be_a_thousand_characters_long() -> None:
    assert read_mailbox("a@example.com" + " " * 987) == "a@example.com"


def test_an_address_is_at_most_254_characters_and_its_local_part_64() -> None:
    domain = ".".join(["d" * 63] * 3)
    longest = f"{'a' * (253 - len(domain))}@{domain}"
    assert len(longest) == 254
    assert is_mail_address(longest)
    assert not is_mail_address(f"a{longest}")


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
        ("bob@googlemail.com", "b.ob@GMail.com."),
        ("a@b\u00fccher.xn--p1ai", "a@xn--bcher-kva.\u0440\u0444"),
        ("+@example.com", "+@EXAMPLE.com"),
        ("a+b+c@example.com", "a@example.com"),
        ("Bob <x@example.com> bob", "x@example.com"),
        ('"a"@example.com', " a @example.com"),
        ("a@example.com..", "a@example.com"),
        ("\u017f@example.com", "s@example.com"),
        ("a@xn--\u00e9.example", "a@XN--\u00c9.example"),
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
        "bob.smithx@example.com",
        "x@bob.smith@example.com",
    ],
)
def test_to_deny_another_person_is_still_another(other: str) -> None:
    assert not may_be_same_person("bob.smith@example.com", other)
