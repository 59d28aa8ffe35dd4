"""Email contexts and rendered emails."""

from typing import ClassVar, Protocol

from flow_hitl.platform.records import dataclass


class MailContext(Protocol):
    """The data of an email in `email/<kind>/`; `reply_to` is None if no answer is needed."""

    kind: ClassVar[str]

    @property
    def test(self) -> bool: ...
    @property
    def reply_to(self) -> str | None: ...


@dataclass(frozen=True)
class RenderedEmail:
    subject: str
    text: str
    html: str
