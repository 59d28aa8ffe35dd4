"""What must hold of every mail and its end, written without a look at the code that it judges."""

from tests.support.in_memory import ASSIGNEE, MailDesk

AT_MOST_SECONDS = 1.0


def only_sender(raw: bytes) -> str | None:
    """Return the only From header's address as the simplest reader sees it, or None if there is any doubt.

    The header ends at the first empty line; a From header is a line that begins so in any case; its address is what
    stands in the last angle brackets, or all of it.
    """
    if b"\0" in raw.partition(b"\n\n")[0].partition(b"\n\r\n")[0]:
        return None
    lines: list[bytes] = []
    for line in raw.replace(b"\r\n", b"\n").split(b"\n"):
        if not line:
            break
        if line[:1] in (b" ", b"\t") and lines:
            lines[-1] += line
        else:
            lines.append(line)
    fields = [line.partition(b":") for line in lines]
    if any(not colon and not name.lower().startswith(b"from ") for name, colon, _ in fields):
        return None
    found = [value.strip() for name, colon, value in fields if colon and name.strip().lower() == b"from"]
    if len(found) != 1:
        return None
    address = found[0].rpartition(b"<")[2].removesuffix(b">") if found[0].endswith(b">") else found[0]
    return address.decode("ascii", "replace").lower()


def one_trace(desk: MailDesk) -> str:
    """Return how the only mail that a desk has seen ended; fails unless it left exactly one trace."""
    ends = ["decided"] * len(desk.decisions())
    ends += [f"rejected: {reason}" for reason in desk.rejections()]
    ends += [f"discarded: {discard.reason}" for discard in desk.discards]
    assert len(ends) == 1, ends
    assert desk.counted == [f"Mail{ends[0].partition(':')[0].capitalize()}"]
    for change in desk.requests.changes:
        recorded = change.event.data
        assert recorded.get("assigned_to_email", ASSIGNEE) == ASSIGNEE, "error mails go to the assignee"
        assert recorded.get("responder", ASSIGNEE) == ASSIGNEE
    return ends[0]


def assert_sound(desk: MailDesk, raw: bytes) -> None:
    """Fail unless a mail with a genuine token and all checks passed ended as it may."""
    if one_trace(desk) != "decided":
        return
    assert only_sender(raw) == ASSIGNEE
    (decision,) = desk.decisions()
    assert decision.response is not None
    assert decision.response.feedback.strip()
    assert decision.response.outcome in (None, "approved", "rejected")
