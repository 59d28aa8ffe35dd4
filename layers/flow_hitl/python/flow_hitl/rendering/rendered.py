"""What templates need of a mail's context, and what they make of it."""

from dataclasses import dataclass
from typing import ClassVar, Protocol


class MailContext(Protocol):
    """What a mail shows by the templates of `email/<kind>/`; `reply_to` is None where no answer is needed."""

    kind: ClassVar[str]

    @property
    def test(self) -> bool: ...
    @property
    def reply_to(self) -> str | None: ...


@dataclass(frozen=True)
class RenderedEmail:
    """A mail's subject (one line) and its two bodies."""

    subject: str
    text: str
    html: str
