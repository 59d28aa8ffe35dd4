"""An email as it goes out: its headers, and one text in two forms. Imports the standard library alone.

Values of headers come from callers. The `email.policy.default` of several Python versions decodes an encoded word that
is assigned to a header, line ends and all, so that a flow's name could become headers of its own (cpython#121650).
Here each value is one line before it is anything else, and what looks like an encoded word is encoded once more.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TypeVar

# A line of a header, without its end (RFC 5322); one of encoded words, and what is around the text of one (RFC 2047).
_LONGEST_LINE = 78
_ENCODED_LINE = 76
_AROUND_WORD = len("=?utf-8?q??=")
# What an encoded word has as it is, wherever it stands (RFC 2047, 5).
_AS_IT_IS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
# Neither of the two encodings of bodies can write it (RFC 2045, 6.7).
_BOUNDARY = "=_flow-hitl"
_RELATED = "=_flow-hitl-related"

_NO_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_HEADER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
_ONE_WORD = re.compile(r"[!-~]+")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")
_SPACED_WORD = re.compile(" *[^ ]+")

_Piece = TypeVar("_Piece", str, bytes)


def write_mail(
    *,
    sender: str,
    sender_name: str,
    to: str,
    subject: str,
    text: str,
    html: str,
    reply_to: str | None = None,
    follows: str | None = None,
    headers: Mapping[str, str] | None = None,
    images: Sequence[tuple[str, str, bytes]] = (),
) -> bytes:
    """Return the email in 7-bit ASCII, its lines ended by CRLF.

    `images` are shown by the HTML: content id, media type, and bytes. Addresses are bare mailboxes; `follows` is the
    Message-ID, in its angle brackets, whose thread the email continues. A reader finds each text as it is given here,
    without the space around it, but for characters that no header can hold: a run of line ends and other controls is
    read as one space. ValueError: an address, a Message-ID or a header's name is not one word.
    """
    lines = [f"From: {_mailbox('From', sender_name, sender)}", f"To: {_one_word(to)}"]
    lines.append(f"Subject: {_folded('Subject', subject)}")
    if reply_to is not None:
        # One long word: folded, it would leave the header's first line empty, which some clients take for its end.
        lines.append(f"Reply-To: {_one_word(reply_to)}")
    if follows is not None:
        lines += [f"In-Reply-To: {_one_word(follows)}", f"References: {follows}"]
    for name, value in (headers or {}).items():
        if not _HEADER_NAME.fullmatch(name):
            raise ValueError(f"not a header's name: {name!r}")
        lines.append(f"{name}: {_folded(name, value)}")
    lines.append("MIME-Version: 1.0")
    if images:
        lines += [f'Content-Type: multipart/related; type="multipart/alternative"; boundary="{_RELATED}"', ""]
        lines.append(f"--{_RELATED}")
    lines += [f'Content-Type: multipart/alternative; boundary="{_BOUNDARY}"', ""]
    # Each body ends its last line itself; the line end before a boundary belongs to the boundary.
    lines += [f"--{_BOUNDARY}", _part("plain", text), f"--{_BOUNDARY}", _part("html", html), f"--{_BOUNDARY}--", ""]
    if images:
        for number, (content_id, media_type, content) in enumerate(images, 1):
            lines += [f"--{_RELATED}", _image(number, _one_word(content_id), _one_word(media_type), content)]
        lines += [f"--{_RELATED}--", ""]
    return "\r\n".join(lines).encode("ascii")


# Whoever renders an email asks for the length of its HTML, and then it is written.
@lru_cache(maxsize=2)
def encoded_body(text: str) -> tuple[str, str]:
    """Return the transfer encoding that makes the text shorter, and the text in it; its lines end with CRLF."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n").encode("utf-8", "replace")
    if not lines.endswith(b"\r\n"):
        # Without any line end in it, the soft ones would be bare LF.
        lines += b"\r\n"
    quoted = binascii.b2a_qp(lines)
    if len(quoted) <= len(lines) * 78 // 57:
        return "quoted-printable", quoted.decode("ascii")
    return "base64", base64.encodebytes(lines).decode("ascii").replace("\n", "\r\n")


def _part(subtype: str, text: str) -> str:
    encoding, body = encoded_body(text)
    return f'Content-Type: text/{subtype}; charset="utf-8"\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n{body}'


def _image(number: int, content_id: str, media_type: str, content: bytes) -> str:
    body = base64.encodebytes(content).decode("ascii").replace("\n", "\r\n")
    name = f"image-{number}.{media_type.partition('/')[2]}"
    return (
        f"Content-Type: {media_type}\r\nContent-Transfer-Encoding: base64\r\nContent-ID: <{content_id}>\r\n"
        f'Content-Disposition: inline; filename="{name}"\r\n\r\n{body}'
    )


def _folded(name: str, text: str) -> str:
    """Return a text as the value of a header: as it is where every reader reads it so, else in encoded words."""
    line = _NO_TEXT.sub(" ", text).strip(" ")
    if not line:
        return line
    if line.isascii() and "=?" not in line:
        lines = [f"{name}:"]
        for word in _SPACED_WORD.findall(f" {line}"):
            if len(lines[-1]) + len(word) <= _LONGEST_LINE:
                lines[-1] += word
            else:
                lines.append(word)
        # Some clients take a first line without text for the end of the header.
        if lines[0] != f"{name}:" and all(len(one) <= _LONGEST_LINE for one in lines):
            return "\r\n".join(lines).removeprefix(f"{name}: ")
    return _encoded(name, line)


def _encoded(name: str, text: str) -> str:
    """Return a text in encoded words (RFC 2047), in the shorter of their two ways; no word ends within a character."""
    quoted, octets = [_quoted(one) for one in text], [one.encode() for one in text]
    if 3 * sum(map(len, quoted)) <= 4 * sum(map(len, octets)):
        words = (f"=?utf-8?q?{''.join(part)}?=" for part in _parted(quoted, name, lambda room: room))
    else:
        parts = _parted(octets, name, lambda room: room // 4 * 3)
        words = (f"=?utf-8?b?{base64.b64encode(b''.join(part)).decode()}?=" for part in parts)
    return "\r\n ".join(words)


def _parted(pieces: Sequence[_Piece], name: str, fits: Callable[[int], int]) -> Iterator[Sequence[_Piece]]:
    """Yield the pieces of each encoded word; of a room of so many characters, so many are for what `fits` says."""
    part: list[_Piece] = []
    left = fits(_ENCODED_LINE - len(f"{name}: ") - _AROUND_WORD)
    for piece in pieces:
        if len(piece) > left:
            yield part
            part, left = [], fits(_ENCODED_LINE - len(" ") - _AROUND_WORD)
        part.append(piece)
        left -= len(piece)
    yield part


def _quoted(character: str) -> str:
    if character in _AS_IT_IS:
        return character
    return "_" if character == " " else "".join(f"={octet:02X}" for octet in character.encode())


def _mailbox(name: str, display_name: str, address: str) -> str:
    angle = f"<{_one_word(address)}>"
    shown = _NO_TEXT.sub(" ", display_name).strip(" ")
    if not shown:
        return angle
    words = _folded(name, shown) if _ATOMS.fullmatch(shown) and "=?" not in shown else _encoded(name, shown)
    first, _, last = words.rpartition("\r\n")
    used = len(last) if first else len(f"{name}: {last}")
    gap = " " if used + 1 + len(angle) <= _LONGEST_LINE else "\r\n "
    return words + gap + angle


def _one_word(text: str) -> str:
    if not _ONE_WORD.fullmatch(text):
        raise ValueError("an address and a Message-ID are one word of ASCII")
    return text
