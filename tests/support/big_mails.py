"""Mails too big or too intricate to keep on disk, made when asked for, and a probe that measures each in a process.

    python -m tests.support.big_mails "20,000 parts" "40,000 headers"

prints a line of JSON for each that is named, or for all: its name, how the handler counted it and why, CPU seconds as
they would be on a machine of the CI, and the peak memory in MB.
"""

import json
import os
import resource
import sys
from collections.abc import Callable

from tests.speed import cpu_seconds

HEAD = b"From: Jane Doe <jane@example.org>\r\nSubject: Re: Review\r\nMIME-Version: 1.0\r\n"
MIXED = HEAD + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
TEXT, HTML = b"--b\r\nContent-Type: text/plain\r\n\r\n", b"--b\r\nContent-Type: text/html\r\n\r\n"
FILE = b"--b\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n"
BASE64_LINE = b"QUJD" * 19 + b"\r\n"
WORD = b"=?utf-8?q?a?= "


def nested(depth: int, inside: bytes) -> bytes:
    """Return a mail whose multiparts are nested this deep around something."""
    levels = b"".join(b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (n, n) for n in range(depth))
    return HEAD + levels + inside


MOST_SECONDS = 1.0
UNREADABLE, EMPTY, DECIDED = "rejected: unreadable", "rejected: no_answer_found", "decided"

BIG_MAILS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "39 MB of text": (UNREADABLE, lambda: HEAD + b"\r\napproved\r\n" + b"a" * 39_000_000),
    "39 MB attached": (UNREADABLE, lambda: MIXED + TEXT + b"approved\r\n" + FILE + BASE64_LINE * 500_000 + b"--b--"),
    "20,000 parts": (UNREADABLE, lambda: MIXED + (TEXT + b"approved\r\n") * 20_000),
    "20,000 parts without headers": (UNREADABLE, lambda: MIXED + b"--b\r\n\r\n" * 20_000),
    "multiparts 3,000 deep": (UNREADABLE, lambda: nested(3_000, b"\r\napproved")),
    "messages 3,000 deep": (UNREADABLE, lambda: HEAD + b"Content-Type: message/rfc822\r\n\r\n" * 3_000 + b"approved"),
    "HTML 3,000 deep": (UNREADABLE, lambda: HEAD + b"Content-Type: text/html\r\n\r\n" + b"<div>" * 3_000 + b"approved"),
    "20,000 encoded words in the subject": (
        UNREADABLE,
        lambda: b"Subject: " + WORD * 20_000 + b"\r\n" + HEAD + b"\r\napproved",
    ),
    "20,000 encoded words in From": (
        UNREADABLE,
        lambda: b"From: " + WORD * 20_000 + b"<jane@example.org>\r\n\r\napproved",
    ),
    "20,000 encoded words in a file's name": (
        UNREADABLE,
        lambda: MIXED + b"--b\r\nContent-Disposition: attachment; filename=" + WORD * 20_000 + b"\r\n\r\nx",
    ),
    "9,000 encoded words": (DECIDED, lambda: b"Subject: " + WORD * 9_000 + b"\r\n" + HEAD[:-2] + b"\r\n\r\napproved"),
    "100 KB of comments in From": (UNREADABLE, lambda: b"From: " + b"(" * 100_000 + b"\r\n\r\napproved"),
    "40,000 headers": (UNREADABLE, lambda: HEAD + b"X: y\r\n" * 40_000 + b"\r\napproved"),
    "a million lines": (UNREADABLE, lambda: HEAD + b"\r\n" + b"\n" * 1_000_000),
    "many lines in nested parts": (UNREADABLE, lambda: nested(50, b"\r\n" + b"a\n" * 390_000)),
    "nearly 10 MB attached": (
        DECIDED,
        lambda: MIXED + TEXT + b"approved\r\n" + FILE + BASE64_LINE * 126_000 + b"--b--",
    ),
    "nearly 10 MB in one line": (DECIDED, lambda: HEAD + b"\r\napproved\r\n" + b"\xc3\xa4" * 4_900_000),
    "nearly 10 MB of lost boundaries": (
        EMPTY,
        lambda: (
            HEAD + b'Content-Type: multipart/mixed; boundary="x"\r\n\r\n' + (b"--a" + b" " * 5_000 + b"x\r\n") * 1_900
        ),
    ),
    "5 MB of HTML in many parts": (
        DECIDED,
        lambda: MIXED + TEXT + b"approved\r\n\r\n" + (HTML + b"<p>approved<b>x</b></p>\r\n" * 9_000) * 24,
    ),
    "1,900 parts of HTML": (DECIDED, lambda: MIXED + TEXT + b"approved\r\n" + (HTML + b"<p>approved\r\n") * 1_900),
    "240 KB of broken HTML": (
        DECIDED,
        lambda: HEAD + b"Content-Type: text/html\r\n\r\n<p>approved<p>" + b"&" * 240_000,
    ),
    "quotes in 390,000 lines": (DECIDED, lambda: HEAD + b"\r\napproved\r\n\r\n" + b"> a\n" * 390_000),
}


def _measure(name: str) -> dict[str, object]:
    from tests.support.in_memory import MailDesk

    # One for each try, because what was decided cannot be decided again.
    desks = [MailDesk() for _ in range(3)]
    addresses = [desk.reply_to(desk.ask()) for desk in desks]
    raw = BIG_MAILS[name][1]()
    counted: list[str] = []

    def receive() -> None:
        number = len(counted)
        counted.append(desks[number].receive(raw, [addresses[number]]))

    seconds = cpu_seconds(receive, MOST_SECONDS)
    desk = desks[0]
    ends = [DECIDED for _ in desk.decisions()]
    ends += [f"rejected: {reason}" for reason in desk.rejections()]
    ends += [f"discarded: {discard.reason}" for discard in desk.discards]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {"name": name, "counted": counted[0], "ends": ends, "seconds": seconds, "peak_mb": peak}


def main() -> None:
    """Measure every mail in a process of its own, which has imported what the function on Lambda has."""
    import boto3

    import tests.support.in_memory  # noqa: F401

    for service in ("dynamodb", "s3", "secretsmanager"):
        boto3.client(service, region_name="us-east-1")
    resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
    for name in sys.argv[1:] or BIG_MAILS:
        sys.stdout.flush()
        child = os.fork()
        if not child:
            sys.stdout.write(json.dumps(_measure(name)) + "\n")
            sys.stdout.flush()
            os._exit(0)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
