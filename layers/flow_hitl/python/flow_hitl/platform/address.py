"""Email addresses: what counts as one, and when two are the same."""

import re
import unicodedata
from urllib.parse import unquote

_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})+")
_IN_BRACKETS = re.compile(r"<(?P<address>[^<>]*)>[^<>]*\Z")
_GMAIL = ("gmail.com", "googlemail.com")

# As a CRM or an address book writes a person: `Alice <alice@example.com>`.
_NAMED = re.compile(r"(?P<name>[^<>]*)<(?P<address>[^<>]*)>")
_INVISIBLE = "\u200b\u2060\ufeff"
_LONGEST_WRITTEN = 1000
# The two letters that the older rules for domain names replaced, and the current ones keep.
_KEPT = "ßς"


def is_mail_address(value: object) -> bool:
    """Tell whether `value` is one plain mailbox: RFC 5321 dot-atom at a dotted domain, ASCII, no display name.

    Quoted local parts, address literals and encoded words (RFC 2047) are legal and are refused: each can make two
    parsers disagree about who is meant.
    """
    if not isinstance(value, str) or len(value) > 254:
        return False
    local, at, domain = value.rpartition("@")
    if "=?" in local:
        return False
    return bool(at) and len(local) <= 64 and bool(_LOCAL.fullmatch(local)) and bool(_DOMAIN.fullmatch(domain))


def read_mailbox(value: object) -> str:
    """Return the one mailbox that a text names, as `is_mail_address` has it.

    Understood are white space around it, `Name <a@b>`, `mailto:a@b`, and a domain in any script, which becomes its
    A-labels. Raises ValueError, whose text completes "the value …".
    """
    if not isinstance(value, str) or len(value) > _LONGEST_WRITTEN:
        raise ValueError("is not an email address")
    address, name = _stripped(value), ""
    if named := _NAMED.fullmatch(address):
        address, name = _stripped(named["address"]), named["name"]
    if address[:7].lower() == "mailto:":
        address = _stripped(unquote(address[7:].partition("?")[0]))
    local, _, domain = address.rpartition("@")
    address = f"{local}@{_ascii_domain(domain)}"
    # A name that is itself an address would leave open who is meant.
    if "@" in name and name.strip(" \"'").lower() != address.lower():
        raise ValueError("names more than one email address")
    if not is_mail_address(address):
        if not local.isascii() and local.isprintable() and is_mail_address(f"x@{_ascii_domain(domain)}"):
            raise ValueError("is not a supported email address: use only ASCII characters before the @")
        raise ValueError("is not an email address")
    return address


def _stripped(text: str) -> str:
    return text.strip().strip(_INVISIBLE).strip()


def _ascii_domain(domain: str) -> str:
    """Return a domain with each label that is not ASCII as its A-label (RFC 5890), or what is no domain at all."""
    if domain.isascii():
        return domain
    labels = unicodedata.normalize("NFKC", domain).replace("\u3002", ".").split(".")
    return ".".join(label if label.isascii() else _a_label(label) for label in labels)


def _a_label(label: str) -> str:
    folded = "".join(char if char in _KEPT else char.casefold() for char in label)
    mapped = unicodedata.normalize("NFKC", folded)
    kinds = [unicodedata.category(char)[0] for char in mapped]
    if kinds[0] == "M" or any(kind not in "LMN" and char != "-" for kind, char in zip(kinds, mapped, strict=True)):
        return ""
    return mapped if mapped.isascii() else "xn--" + mapped.encode("punycode").decode("ascii")


def same_address(one: str, other: str) -> bool:
    """Tell whether two addresses are the same mailbox, up to ASCII case and nothing cleverer.

    No dots are removed and no `+tag` is cut: those are one provider's habits, and folding them would let somebody
    answer for an address that is not theirs.
    """
    return one.isascii() and other.isascii() and one.lower() == other.lower()


def may_be_same_person(one: str, other: str) -> bool:
    """Tell whether two addresses may lead to one person: only ever asked to deny, never to grant.

    Set aside are case and Unicode spelling, a display name, quotes, a `+tag`, a domain's last dot, whether a domain is
    written in punycode, and the dots of a Gmail address (Google, "Dots don't matter in Gmail addresses").
    """
    return _widest_key(one) == _widest_key(other)


def _widest_key(address: str) -> str:
    text = _plain(address)
    angle = _IN_BRACKETS.search(text)
    local, _, domain = (angle["address"] if angle else text).strip().rpartition("@")
    labels = [_plain(_unicode_label(label)) for label in domain.replace("\u3002", ".").rstrip(".").split(".")]
    domain = ".".join(labels)
    local = local.strip().strip('"').strip()
    local = local.partition("+")[0] or local
    if domain in _GMAIL:
        local, domain = local.replace(".", ""), _GMAIL[0]
    return f"{local}@{domain}"


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return "".join(char for char in folded if unicodedata.category(char) != "Cf").strip()


def _unicode_label(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return label.removeprefix("xn--").encode("ascii").decode("punycode")
    except UnicodeError:
        return label


def address_key(address: str) -> str:
    """Return what two addresses have in common exactly when `same_address` says that they are the same."""
    return address.lower() if address.isascii() else address


def domain_of(address: str) -> str:
    """Return the lower-case domain of an email address."""
    return address.rpartition("@")[2].lower()


GROUP_PREFIX = "group:"
