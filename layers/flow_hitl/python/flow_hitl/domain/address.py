"""Mail addresses: what counts as one, and when two are the same."""

import re

_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})+")


def is_mail_address(value: object) -> bool:
    """Tell whether `value` is one plain mailbox: RFC 5321 dot-atom at a dotted domain, ASCII, no display name.

    Quoted local parts and address literals are legal mail and are refused: nobody is reviewed there, and each is a
    way to make two parsers disagree about who is meant.
    """
    if not isinstance(value, str) or len(value) > 254:
        return False
    local, at, domain = value.rpartition("@")
    return bool(at) and len(local) <= 64 and bool(_LOCAL.fullmatch(local)) and bool(_DOMAIN.fullmatch(domain))


def same_address(one: str, other: str) -> bool:
    """Tell whether two addresses are the same mailbox, up to ASCII case and nothing cleverer.

    No dots are removed and no `+tag` is cut: those are one provider's habits, and folding them would let somebody
    answer for an address that is not theirs.
    """
    return one.isascii() and other.isascii() and one.lower() == other.lower()


def address_key(address: str) -> str:
    """Return what two addresses have in common exactly when `same_address` says that they are the same."""
    return address.lower() if address.isascii() else address


def domain_of(address: str) -> str:
    """Return the lower-case domain of a mail address."""
    return address.rpartition("@")[2].lower()
