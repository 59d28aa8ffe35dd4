"""Earlier rounds of a request as people read them."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from flow_hitl.people.access import ProvenAddress
from flow_hitl.platform.digests import canonical_json
from flow_hitl.platform.records import dataclass
from flow_hitl.requests.deciding.matching import reads_alike
from flow_hitl.requests.request import Request, Response

_MOST_CHARS = 200_000
_DID = {
    **{word: word for word in ("blocked", "declined", "denied", "refused", "rejected")},
    "block": "blocked",
    "decline": "declined",
    "deny": "denied",
    "refuse": "refused",
    "reject": "rejected",
}


@dataclass(frozen=True, kw_only=True)
class EarlierReview:
    """An earlier request of the same flow and method, with its answer.

    `answer` is the outcome, or free text; `label` is what people read for it, and `verb` the same as what somebody did,
    where there is a word for it. `reason` is what was said beside it. `by` is whoever answered, if proven; `own`: it is
    whoever looks. `title` is given where it is another one than now.
    """

    request_id: str
    output: object
    at: datetime
    answer: str
    label: str
    verb: str | None = None
    reason: str = ""
    by: str | None = None
    own: bool = False
    title: str | None = None


def earlier_reviews(request: Request, rounds: Sequence[Request], viewer: ProvenAddress) -> Sequence[EarlierReview]:
    """Return the decided `rounds` of a request, newest first, as somebody who may see them reads them."""
    return tuple(_earlier_reviews(request, rounds, viewer))


def _earlier_reviews(request: Request, rounds: Sequence[Request], viewer: ProvenAddress) -> Iterator[EarlierReview]:
    room = _MOST_CHARS
    for one in rounds:
        room -= len(canonical_json(one.content.output))
        if room < 0 or one.response is None:
            return
        response = one.response
        by = response.responder if response.responder_verified else None
        answer, label, reason = _said(one, response)
        yield EarlierReview(
            request_id=one.head.request_id,
            output=one.content.output,
            at=response.responded_at,
            answer=answer,
            label=label,
            verb=_DID.get(label.casefold()),
            reason=reason,
            by=by,
            own=by is not None and viewer.is_known_as(by),
            title=one.title if one.title != request.title else None,
        )


def _said(request: Request, response: Response) -> tuple[str, str, str]:
    """Return what was answered, how that reads, and what was said beside it."""
    outcome, feedback, comment = response.outcome, response.feedback, response.comment
    if outcome is None:
        return feedback, feedback, comment
    label = request.label_of(outcome)
    # Beside an outcome, a program's feedback is the comment, unless it only names the option again.
    only_named = reads_alike(feedback, outcome) or reads_alike(feedback, label)
    return outcome, label, comment if only_named else f"{feedback}\n{comment}".strip()
