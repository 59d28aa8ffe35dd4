"""An email as it goes out: its headers, and one text in two forms. Imports the standard library alone.

Values of headers come from callers. The `email.policy.default` of several Python versions decodes an encoded word that
is assigned to a header, line ends and all, so that a flow's name could become headers of its own (cpython#121650).
Here each value is one line before it is anything else, and what looks like an encoded word is encoded once more.
"""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from email.header import Header
from functools import lru_cache

# A line of a header, without its end (RFC 5322), and the length of line that keeps an encoded word within its
# 75 characters (RFC 2047).
_LONGEST_LINE = 78
_ENCODED_LINE = 76
# Neither of the two encodings of bodies can write it (RFC 2045, 6.7).
_BOUNDARY = "=_flow-hitl"
_RELATED = "=_flow-hitl-related"

_NO_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_HEADER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
_ONE_WORD = re.compile(r"[!-~]+")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")


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
    lines = re.sub(r"\r\n|\r|\n", "\r\n", text).encode("utf-8", "replace")
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
    if line.isascii() and "=?" not in line:
        if line and len(name) + 2 + len(line) <= _LONGEST_LINE:
            return line
        folded = Header(line, "us-ascii", maxlinelen=_LONGEST_LINE, header_name=name).encode(linesep="\r\n")
        if _fits(name, folded):
            return folded
    return Header(line, "utf-8", maxlinelen=_ENCODED_LINE, header_name=name).encode(linesep="\r\n")


def _fits(name: str, folded: str) -> bool:
    lines = f"{name}: {folded}".split("\r\n")
    return all(len(line) <= _LONGEST_LINE and line.strip() for line in lines) and not folded.startswith("\r\n")


def _mailbox(name: str, display_name: str, address: str) -> str:
    angle = f"<{_one_word(address)}>"
    shown = _NO_TEXT.sub(" ", display_name).strip(" ")
    if not shown:
        return angle
    if _ATOMS.fullmatch(shown) and "=?" not in shown:
        words = _folded(name, shown)
    else:
        words = Header(shown, "utf-8", maxlinelen=_ENCODED_LINE, header_name=name).encode(linesep="\r\n")
    first, _, last = words.rpartition("\r\n")
    used = len(last) if first else len(f"{name}: {last}")
    gap = " " if used + 1 + len(angle) <= _LONGEST_LINE else "\r\n "
    return words + gap + angle


def _one_word(text: str) -> str:
    if not _ONE_WORD.fullmatch(text):
        raise ValueError("an address and a Message-ID are one word of ASCII")
    return text
