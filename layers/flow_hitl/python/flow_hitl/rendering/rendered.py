"""What templates make of a mail's context."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RenderedEmail:
    """A mail's subject (one line) and its two bodies."""

    subject: str
    text: str
    html: str
