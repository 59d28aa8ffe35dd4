"""When a new signing secret takes the place of an old one: until then its receiver can get ready to take both."""

from datetime import datetime, timedelta
from typing import Annotated

from flow_hitl.contract.validation import Document, is_format
from flow_hitl.platform.errors import FieldError, ValidationFailed
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.times import ceil_second, parse_rfc3339

_LONGEST_OVERLAP = timedelta(days=30)
# Whoever says "now" may have a clock that goes behind ours.
_CLOCK_DIFFERENCE = timedelta(minutes=1)


@dataclass(frozen=True)
class RotatedSecret:
    """A new signing secret."""

    secret: str
    """The signing secret, `whsec_…`. A webhook's is shown this once."""
    signs_from: datetime
    """From when on it signs; until then the old one does."""


class Rotation(Document):
    """The body of a `POST …/rotate-…secret`."""

    signs_from: Annotated[str, is_format("date-time")] | None = None
    """From when on the new secret signs, at most 30 days ahead. Left out, at once."""

    def moment(self, now: datetime) -> datetime:
        """Return when the new secret begins to sign; raises ValidationFailed."""
        if self.signs_from is None:
            return now
        try:
            moment = ceil_second(parse_rfc3339(self.signs_from))
        except ValueError:
            raise ValidationFailed([FieldError("/signs_from", "must be a time such as 2026-01-14T12:00:00Z")]) from None
        if not now - _CLOCK_DIFFERENCE <= moment <= now + _LONGEST_OVERLAP:
            days = _LONGEST_OVERLAP.days
            raise ValidationFailed(
                [FieldError("/signs_from", f"must be within the next {days} days; leave it out for now")]
            )
        return max(moment, now)
