"""What a test sees: HTTP answers and emails."""

import email
import email.policy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from functools import lru_cache
from typing import Any


@dataclass(frozen=True)
class Answer:
    """The answer to an HTTP call."""

    status: int
    headers: Mapping[str, str]
    text: str
    cookies: Sequence[str] = ()

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass(frozen=True)
class Mail:
    """A sent email, as a mail client shows it; `raw` is its source."""

    message: EmailMessage
    raw: str

    @property
    def to(self) -> str:
        return str(self.message["To"])

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    @property
    def reply_to(self) -> str | None:
        header = self.message["Reply-To"]
        return str(header) if header is not None else None

    @property
    def text(self) -> str:
        return self._part("plain")

    @property
    def html(self) -> str:
        return self._part("html")

    def _part(self, kind: str) -> str:
        part = self.message.get_body((kind,))
        return str(part.get_content()) if part is not None else ""


# Tests that return to a checkpoint send the same emails again.
@lru_cache(maxsize=256)
def parsed_mail(raw: str) -> Mail:
    return Mail(email.message_from_string(raw, policy=email.policy.default), raw)
