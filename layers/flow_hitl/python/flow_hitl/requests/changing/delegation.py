"""A reply that delegates the request: its first line is `delegate: bob@example.com`."""

import re
from collections.abc import Collection

from flow_hitl.platform.text import split_answer
from flow_hitl.requests.deciding.matching import match_outcome

# Mail clients that link an address write `bob@example.com<mailto:bob@example.com>`.
_DELEGATE = re.compile(
    r"delegate\s{0,9}:\s{0,9}<?(?P<address>[^\s<>]{1,255}@[^\s<>]{1,255}?)>?(?:\s{0,9}<[^\s<>]{1,300}>)?[.,;]?",
    re.IGNORECASE,
)


def delegated_to(answer: str, emit_options: Collection[str]) -> str | None:
    """Return the address an answer delegates to, as written, or None for an ordinary answer.

    An emit option that reads like this is chosen, not obeyed.
    """
    first_line, _ = split_answer(answer)
    found = _DELEGATE.fullmatch(first_line)
    if found is None or match_outcome(first_line, emit_options) is not None:
        return None
    return found["address"]
