"""A person's answer as the text that crewai gets."""

import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

from flow_hitl_client.types import Request, Response

# The key of a review point's wishes in its metadata, and of what came of them in `result.metadata`.
WISHES_KEY: Final = "hitl"

# Where crewai asks whether a feedback is blank, to apply `default_outcome`: the first up to 1.14, the second from 1.15.
_JUDGES: Final = frozenset({"resume_async", "_finalize_human_feedback"})


class Answer(str):
    """The person's text, which a listener gets as `result.feedback`.

    `outcome` is the option they chose, or the one that crewai's LLM made of free text; `request` is the request:
    `result.feedback.request["response"]["responder"]` says who decided.
    """

    request: Request | None
    outcome: str | None
    looks_blank: bool

    def __new__(
        cls, text: str, request: Request | None = None, outcome: str | None = None, *, looks_blank: bool = False
    ) -> "Answer":
        self = super().__new__(cls, text)
        self.request = request
        self.outcome = outcome or (request["response"]["outcome"] if request and request["response"] else None)
        self.looks_blank = looks_blank
        return self

    def __str__(self) -> str:
        """Return itself: crewai calls `str()` on what a provider returns."""
        return self

    def strip(self, chars: str | None = None, /) -> str:
        """Return the stripped text, but an empty one where crewai decides whether to ask an LLM.

        For blank text it applies `default_outcome`; for any other, even exactly "approved", it asks an LLM.
        """
        if self.looks_blank:
            caller = sys._getframe(1)
            module = str(caller.f_globals.get("__name__"))
            if module.partition(".")[0] == "crewai" and caller.f_code.co_name in _JUDGES:
                return ""
        return super().strip(chars)

    def __reduce__(self) -> tuple[Callable[..., "Answer"], tuple[Any, ...]]:
        return Answer, (str.__str__(self), self.request, self.outcome)


def metadata_with(metadata: Mapping[str, Any], request: Request | None) -> dict[str, Any]:
    """Return a review point's metadata for its result: what it asked for in `hitl` gives way to what came."""
    response = request["response"] if request else None
    if response is None or not isinstance(metadata.get(WISHES_KEY), Mapping):
        return dict(metadata)
    came = {name: response.get(name) for name in ("output", "data", "receipt", "valid_until")}
    return {**metadata, WISHES_KEY: came}


def text_of(response: Response, earlier: str = "") -> str:
    """Return what the flow gets: the comment on a chosen option, else the first line; without an outcome, everything.

    `earlier` is what was said before the person was asked again; the flow gets it too.
    """
    feedback, comment = response["feedback"], response["comment"]
    if response["outcome"] is None:
        said = f"{feedback}\n{comment}" if comment else feedback
    else:
        said = comment or ("" if earlier else feedback)
    return f"{earlier}\n{said}" if earlier and said else earlier or said
