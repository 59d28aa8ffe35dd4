"""Parse raw email within fixed limits: the standard library finds the parts, and mail-parser decodes them."""

import base64
import codecs
import email
import email.errors
import email.policy
import email.utils
import hashlib
import logging
import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from email.message import Message

import mailparser  # type: ignore[import-untyped]
from mailparser.utils import decode_header_part  # type: ignore[import-untyped]

from flow_hitl.platform.records import dataclass
from flow_hitl.platform.text import split_answer
from flow_hitl.replies.automatic_mail import automatic_reason
from flow_hitl.replies.html_reply import HtmlText
from flow_hitl.replies.inbound_mail import MAX_BYTES, InboundMail, UnreadableMail, single_mailbox
from flow_hitl.replies.reactions import REACTION_PART, reaction_reason
from flow_hitl.replies.reply import extract_reply, is_cut, may_be_cut

MAX_HEADER_BYTES = 128 * 1024
MAX_PART_HEADER_BYTES = 8 * 1024
MAX_LINES = 400_000
# The parser checks every line against the end of every open container.
MAX_LINES_BY_CONTAINERS = 4_000_000
MAX_BOUNDARY_LINES = 2_000
MAX_CONTAINERS = 60
MAX_ENCODED_WORDS = 50
MAX_TEXT = 250_000

_HEADER_END = re.compile(rb"\r\n\r\n|\n\r?\n")
_FROM_LINE = re.compile(r"(?im)^from[ \t]*:((?:[^\n]|\n[ \t])*)")
# These search whole emails in lower case: patterns that start with fixed letters are many times faster.
_BOUNDARY = re.compile(rb"boundary[ \t\r\n]*[*=]")
_OTHER_CONTAINERS = (b"message/", b"multipart/digest")
_CONTENT_HEADER = re.compile(rb"\ncontent-[a-z-]{1,30}[ \t]*:(?:[^\r\n]|\r?\n[ \t])*")
_THREAD = ("In-Reply-To", "References")
_MESSAGE_ID = re.compile(r"<[^<>\s]{1,250}>")
_ENCODED_WORDS = re.compile(r"=\?[^?\s]{1,80}\?[bBqQ]\?[^?]*\?=(?:\s+=\?[^?\s]{1,80}\?[bBqQ]\?[^?]*\?=)*")
_LOST_BOUNDARY = re.compile(r"^--(\S{1,70})[ \t]*\r?\ncontent-", re.IGNORECASE | re.MULTILINE)
# Python codecs that are not email charsets; some take quadratic time.
_NO_CHARSETS = frozenset(("punycode", "idna", "unicode-escape", "raw-unicode-escape", "undefined", "utf-7"))
# Clients use these names for the larger charset.
_WIDER_CHARSETS = {
    "us-ascii": "utf-8",
    "ascii": "utf-8",
    "unknown-8bit": "utf-8",
    "iso-8859-1": "cp1252",
    "iso-8859-8-i": "iso-8859-8",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc-kr": "cp949",
    "ks-c-5601-1987": "cp949",
    "shift-jis": "cp932",
    "x-sjis": "cp932",
    "big5": "big5hkscs",
    "windows-874": "cp874",
}
# Charsets of raw header octets that are not UTF-8, the most frequent first.
_RAW_CHARSETS = (
    "cp1252",
    "cp1250",
    "cp1251",
    "koi8-r",
    "cp1253",
    "cp1254",
    "gb18030",
    "big5hkscs",
    "cp932",
    "euc-jp",
    "cp949",
)
_BODY_TYPES = ("text/plain", "text/html")
# After these defects, parsers disagree about where the headers end.
_BROKEN_HEADERS = (
    email.errors.FirstHeaderLineIsContinuationDefect,
    email.errors.InvalidHeaderDefect,
    email.errors.MisplacedEnvelopeHeaderDefect,
    email.errors.MissingHeaderBodySeparatorDefect,
)
# What the parsers may raise on hostile input; anything else is a bug of ours and must surface.
_HOSTILE = (AttributeError, IndexError, KeyError, LookupError, RecursionError, TypeError, ValueError)
# Its warnings quote words it could not decode, and an email's words do not belong in a log.
logging.getLogger("mailparser").setLevel(logging.CRITICAL)


def parse_mail(raw: bytes) -> InboundMail:
    """Return a raw email's headers and text; raises UnreadableMail beyond our limits.

    Attachments and attached messages are never read. Without a plain-text body, `text` is made from the HTML, with `>`
    before what is marked as quoted.
    """
    header_bytes = _within_limits(raw)
    try:
        message = email.message_from_bytes(raw, policy=email.policy.compat32)
        return replace(_read(message, header_bytes), sha256=hashlib.sha256(raw).hexdigest())
    except _HOSTILE as error:
        raise UnreadableMail(f"the email cannot be parsed ({type(error).__name__})") from error


def answer_text(mail: InboundMail, options: Collection[str] = (), ours: Sequence[str] = ()) -> str:
    """Return what the sender wrote, or "" if that is uncertain.

    `options` are the request's emit options, `ours` the names and addresses our email comes from. If there are both
    text and HTML, they must begin alike: they differ if one lacks the marks that separate own text from quotes.
    """
    from_text = extract_reply(mail.text, options, ours)
    first = _essence(_first_line(from_text))
    if mail.html is None or not first:
        return from_text
    if first == _essence(_first_line(extract_reply(mail.html.beginning, options, ours))):
        return from_text
    try:
        from_html = extract_reply(mail.html.whole, options, ours)
    except _HOSTILE:
        return ""
    second = _essence(_first_line(from_html))
    if first == second:
        return from_text
    # Plain text wraps long lines and HTML does not; a shorter HTML line would be truncated.
    return from_html if second.startswith(first) else ""


def answer_is_cut(mail: InboundMail, answer: str) -> bool:
    """Tell whether the sender wrote more than what was read."""
    return is_cut(mail.text, answer) or (
        mail.html is not None and may_be_cut(answer) and is_cut(mail.html.whole, answer)
    )


def _within_limits(raw: bytes) -> bytes:
    if len(raw) > MAX_BYTES:
        raise UnreadableMail(f"the email is larger than {MAX_BYTES // 1_000_000} MB")
    end = _HEADER_END.search(raw, 0, MAX_HEADER_BYTES + 4)
    if end is None and len(raw) > MAX_HEADER_BYTES:
        raise UnreadableMail(f"the email has more than {MAX_HEADER_BYTES // 1024} KB of headers")
    header_bytes = raw[: end.start()] if end else raw
    if b"\0" in header_bytes or b"\r" in header_bytes.replace(b"\r\n", b"\n"):
        # Parsers disagree about where such a header ends, and so about the sender.
        raise UnreadableMail("the headers contain NUL or a bare carriage return")
    lines = raw.count(b"\n")
    if lines > MAX_LINES:
        raise UnreadableMail("the email has too many lines")
    if raw.count(b"\n--") > MAX_BOUNDARY_LINES:
        raise UnreadableMail("the email has too many parts")
    folded = b"\n" + raw.lower()
    containers = sum(1 for _ in _BOUNDARY.finditer(folded)) + sum(map(folded.count, _OTHER_CONTAINERS))
    if containers > MAX_CONTAINERS or lines * containers > MAX_LINES_BY_CONTAINERS:
        raise UnreadableMail("the email is nested too deeply")
    if any(len(match[0]) - 1 > MAX_PART_HEADER_BYTES for match in _CONTENT_HEADER.finditer(folded)):
        raise UnreadableMail("a part of the email has overlong headers")
    return header_bytes


def _read(message: Message, header_bytes: bytes) -> InboundMail:
    if any(isinstance(defect, _BROKEN_HEADERS) for defect in message.defects):
        raise UnreadableMail("the headers contain a line that is not a header")
    headers = [(name, _readings(value, message)) for name, value in message.raw_items()]
    plain = [(name, readings[0]) for name, readings in headers]
    subjects = [_decoded(one) for name, readings in headers if name.lower() == "subject" for one in readings] or [""]
    sender = next((value for name, value in plain if name.lower() == "from"), "")
    sender_name = _decoded(email.utils.parseaddr(sender[:1000])[0])
    content_types = list(_content_types(message))
    automatic = (automatic_reason(plain, content_types, subject) for subject in subjects)
    senders = [value for name, value in plain if name.lower() == "sender"]
    bodies = list(_bodies(message, dict.fromkeys(_BODY_TYPES, MAX_TEXT)))
    text = _Pieces(tuple(piece for body in bodies for piece in body.text))
    html = _Pieces(tuple(piece for body in bodies for piece in body.html or body.text))
    return InboundMail(
        from_headers=_from_headers(message, header_bytes),
        subject=subjects[0],
        message_id=_one_line(str(message.get("Message-ID", ""))),
        automatic=next(filter(None, automatic), None),
        text=text.whole,
        html=html if html.pieces != text.pieces else None,
        answers=tuple(_MESSAGE_ID.findall(" ".join(_decoded(str(message.get(name, ""))) for name in _THREAD))),
        sender_name=sender_name,
        sent_by=_one_line(", ".join(single_mailbox((one,)) or _decoded(one) for one in senders))[:320],
        reaction=reaction_reason(plain, content_types, subjects[0], sender_name),
    )


def _readings(raw: str, message: Message) -> Sequence[str]:
    """Return the possible readings of a header, likeliest first; several only if its octets are not UTF-8.

    `raw` is from the standard library, with non-ASCII octets as surrogates.
    """
    if raw.isascii():
        return (raw,)
    octets = raw.encode("ascii", "surrogateescape")
    try:
        return (octets.decode("utf-8"),)
    except UnicodeDecodeError:
        # Senders of such headers usually use the body's charset.
        of_text = [_charset(part) for part in message.walk() if part.get_content_charset()]
        return [
            octets.decode(charset, "replace")
            for charset in dict.fromkeys((*of_text, *_RAW_CHARSETS))
            if _is_codec(charset)
        ]


def _is_codec(charset: str) -> bool:
    try:
        return bool(codecs.lookup(charset))
    except LookupError:
        return False


def _from_headers(message: Message, header_bytes: bytes) -> tuple[str, ...]:
    text = header_bytes.decode("utf-8", "replace").replace("\r\n", "\n")
    found = tuple(value.strip() for value in _FROM_LINE.findall(text))
    # If the two readings differ, SES may have seen another From.
    return found if len(found) == len(message.get_all("From", [])) else ()


def _content_types(message: Message) -> Iterator[str]:
    """Yield the types of the email's own parts, but not those inside attached messages."""
    kind = message.get_content_type()
    method = str(message.get_param("method", "")).lower() if kind == "text/calendar" else ""
    yield f"{kind};{method}" if method else kind
    if message.get_content_disposition() == "reaction":
        yield REACTION_PART
    if message.get_content_maintype() == "multipart":
        for part in _parts(message):
            yield from _content_types(part)


@dataclass(frozen=True)
class _Pieces:
    """What several parts say, one below the other."""

    pieces: tuple[str | HtmlText, ...]

    @property
    def beginning(self) -> str:
        said: list[str] = []
        for piece in self.pieces:
            text, is_all = (piece, True) if isinstance(piece, str) else piece.beginning
            said.append(text)
            if not is_all:
                break
        return "\n\n".join(said)

    @property
    def whole(self) -> str:
        return "\n\n".join(piece if isinstance(piece, str) else piece.whole for piece in self.pieces)


@dataclass(frozen=True)
class _Body:
    """One part of the body: as text, plain where there is such, and as its HTML says it (empty if there is none)."""

    text: tuple[str | HtmlText, ...]
    html: tuple[str | HtmlText, ...] = ()


def _bodies(part: Message, room: dict[str, int]) -> Iterator[_Body]:
    """Yield the parts of a body; `room` is how many octets of each type may still be read."""
    kind = part.get_content_type()
    if (
        part.get_content_maintype() == "message"
        or part.get_content_disposition() == "attachment"
        or part.get_filename()
    ):
        return
    if part.get_content_maintype() == "multipart":
        said = [list(_bodies(child, room)) for child in _parts(part) or _without_lost_boundary(part)]
        if kind == "multipart/alternative":
            yield from _one_of(said)
        else:
            yield from (body for bodies in said for body in bodies)
    elif kind in _BODY_TYPES:
        text = _decoded_text(part, kind, room)
        if kind == "text/html":
            html = HtmlText(text)
            if html.beginning.text.strip():
                yield _Body((html,), (html,))
        elif text.strip():
            yield _Body((text,))


def _one_of(alternatives: Sequence[Sequence[_Body]]) -> Iterator[_Body]:
    plain = next((said for said in alternatives if said and not any(body.html for body in said)), None)
    marked = next((said for said in alternatives if any(body.html for body in said)), None)
    if chosen := plain or marked:
        html = tuple(piece for body in marked for piece in body.html or body.text) if marked else ()
        yield _Body(tuple(piece for body in chosen for piece in body.text), html)


def _parts(container: Message) -> Sequence[Message]:
    payload = container.get_payload() if container.is_multipart() else None
    return [part for part in payload if isinstance(part, Message)] if isinstance(payload, list) else []


def _without_lost_boundary(part: Message) -> Sequence[Message]:
    """Return the parts of a multipart whose boundary parameter is missing or wrong."""
    payload = part.get_payload()
    match = _LOST_BOUNDARY.search(payload) if isinstance(payload, str) else None
    if match is None or '"' in match[1] or "\\" in match[1]:
        return ()
    return _parts(email.message_from_string(f'Content-Type: multipart/mixed; boundary="{match[1]}"\n\n{payload}'))


def _decoded_text(part: Message, kind: str, room: dict[str, int]) -> str:
    content = part.get_payload(decode=True) if room[kind] else None
    if not isinstance(content, bytes):
        return ""
    content = content[: room[kind]]
    room[kind] -= len(content)
    # As base64, because mail-parser treats 7-bit text as decoded, and ISO-2022-JP is not.
    leaf = Message()
    leaf["Content-Type"] = f'{kind}; charset="{_charset(part)}"'
    leaf["Content-Transfer-Encoding"] = "base64"
    leaf.set_payload(base64.b64encode(content).decode("ascii"))
    parsed = mailparser.MailParser(leaf)
    text = "\n".join(parsed.text_html if kind == "text/html" else parsed.text_plain).replace("\r\n", "\n")
    if kind == "text/plain" and str(part.get_param("format", "")).lower() == "flowed":
        text = _unfolded(text, delete_space=str(part.get_param("delsp", "")).lower() == "yes")
    return text


def _charset(part: Message) -> str:
    name = (part.get_content_charset() or "utf-8").replace("_", "-")
    if name in _NO_CHARSETS or not re.fullmatch(r"[a-z0-9.:+-]{1,40}", name):
        return "utf-8"
    return _WIDER_CHARSETS.get(name, name)


def _unfolded(text: str, *, delete_space: bool) -> str:
    """Return `format=flowed` text with each paragraph on one line (RFC 3676)."""
    lines: list[str] = []
    last_depth, flows = 0, False
    for line in text.split("\n"):
        rest = line.lstrip(">")
        depth = len(line) - len(rest)
        rest = rest.removeprefix(" ")
        is_delimiter = rest == "-- "
        if flows and depth == last_depth and not is_delimiter:
            lines[-1] += rest
        else:
            lines.append("> " * depth + rest)
        flows = rest.endswith(" ") and not is_delimiter
        if flows and delete_space:
            lines[-1] = lines[-1][:-1]
        last_depth = depth
    return "\n".join(lines)


def _decoded(header: str) -> str:
    raw = _one_line(header)
    if raw.count("=?") > MAX_ENCODED_WORDS:
        return raw
    # Only encoded words: mail-parser misreads the text next to them.
    return _one_line(_ENCODED_WORDS.sub(lambda words: str(decode_header_part(words[0])), raw))


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text[:1000]).split())


def _first_line(text: str) -> str:
    return split_answer(text)[0]


def _essence(line: str) -> str:
    # Plain text shows a link's URL and bold text's asterisks.
    bare = re.sub(r"<[^<>]*>|\[[^\[\]]*\]|https?://\S+", "", line)
    return "".join(c for c in unicodedata.normalize("NFKC", bare).casefold() if c.isalnum()) or "".join(line.split())
