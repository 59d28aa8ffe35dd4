"""What the fuzzer and the replay of its corpus do with one input."""

from tests.support.in_memory import MailDesk
from tests.support.oracle import assert_sound


def take(raw: bytes) -> None:
    """Put a mail through the handler; fails if that raises, leaves no trace or two, or decides what it may not."""
    desk = MailDesk()
    desk.receive(raw, [desk.reply_to(desk.ask())])
    assert_sound(desk, raw)
