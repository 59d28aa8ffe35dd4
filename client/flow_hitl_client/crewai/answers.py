"""A person's answer as the text that crewai gets."""

import sys
from collections.abc import Callable
from typing import Any, Final

from flow_hitl_client.types import Request, Response

# Where crewai asks whether a feedback is blank, to apply `default_outcome`: the first up to 1.14, the second from 1.15.
_JUDGES: Final = frozenset({"resume_async", "_finalize_human_feedback"})


class Answer(str):
    """The person's text; `outcome` is the option that they chose, `request` the whole request object.

    `result.feedback` of a listener is one, so that `result.feedback.request["response"]["responder"]` says who decided.
    """

    request: Request | None
    outcome: str | None
    looks_blank: bool

    def __new__(cls, text: str, request: Request | None = None, *, looks_blank: bool = False) -> "Answer":
        self = super().__new__(cls, text)
        self.request = request
        self.outcome = request["response"]["outcome"] if request and request["response"] else None
        self.looks_blank = looks_blank
        return self

    def __str__(self) -> str:
        """Stay what it is: crewai calls `str()` on what a provider returns."""
        return self

    def strip(self, chars: str | None = None, /) -> str:
        """Return the stripped text, but nothing where crewai decides whether to ask an LLM.

        To a blank text it applies `default_outcome`, to any other, even to exactly "approved", an LLM.
        """
        if self.looks_blank:
            caller = sys._getframe(1)
            module = str(caller.f_globals.get("__name__"))
            if module.partition(".")[0] == "crewai" and caller.f_code.co_name in _JUDGES:
                return ""
        return super().strip(chars)

    def __reduce__(self) -> tuple[Callable[..., "Answer"], tuple[Any, ...]]:
        return _restored, (str.__str__(self), self.request)


def _restored(text: str, request: Request | None) -> Answer:
    return Answer(text, request)


def text_of(response: Response) -> str:
    """Return what the flow gets to read: of a chosen option the comment where there is one, else the first line.

    Without an outcome it is everything that the person said: the first line and the lines after it.
    """
    feedback, comment = response["feedback"], response["comment"]
    if response["outcome"] is not None:
        return comment or feedback
    return f"{feedback}\n{comment}" if comment else feedback
