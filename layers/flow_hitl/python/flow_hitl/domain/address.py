"""Mail addresses: what counts as one, and when two are the same."""

import re
import unicodedata

_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})+")
_IN_BRACKETS = re.compile(r"<(?P<address>[^<>]*)>[^<>]*\Z")
_GMAIL = ("gmail.com", "googlemail.com")


def is_mail_address(value: object) -> bool:
    """Tell whether `value` is one plain mailbox: RFC 5321 dot-atom at a dotted domain, ASCII, no display name.

    Quoted local parts and address literals are legal mail and are refused: nobody is reviewed there, and each is a
    way to make two parsers disagree about who is meant. So is a local part that holds an encoded word (RFC 2047), which
    mail software decodes wherever it stands.
    """
    if not isinstance(value, str) or len(value) > 254:
        return False
    local, at, domain = value.rpartition("@")
    if "=?" in local:
        return False
    return bool(at) and len(local) <= 64 and bool(_LOCAL.fullmatch(local)) and bool(_DOMAIN.fullmatch(domain))


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
    """Return the lower-case domain of a mail address."""
    return address.rpartition("@")[2].lower()
