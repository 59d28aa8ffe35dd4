"""A reply that passes the request on: its first line is `delegate: bob@example.com`."""

import re
from collections.abc import Sequence

from flow_hitl.platform.text import split_answer
from flow_hitl.requests.deciding.matching import match_outcome

# Mail clients write an address as `bob@example.com<mailto:bob@example.com>` when they make a link of it.
_DELEGATE = re.compile(
    r"delegate\s{0,9}:\s{0,9}<?(?P<address>[^\s<>]{1,255}@[^\s<>]{1,255}?)>?(?:\s{0,9}<[^\s<>]{1,300}>)?[.,;]?",
    re.IGNORECASE,
)


def delegated_to(answer: str, emit_options: Sequence[str]) -> str | None:
    """Return whom an answer passes the request on to, as it is written there, or None if it is an ordinary answer.

    An emit option that reads like that is chosen, not obeyed.
    """
    first_line, _ = split_answer(answer)
    found = _DELEGATE.fullmatch(first_line)
    if found is None or match_outcome(first_line, emit_options) is not None:
        return None
    return found["address"]
