"""How often and how long a resumption is tried: the contract's "growing pauses … for 24 hours"."""

_FIRST_PAUSES = (5, 15, 60, 300, 900)
_LAST_PAUSE = 3600
_LONGEST_SECONDS = 24 * 3600


def _pauses() -> tuple[int, ...]:
    pauses = list(_FIRST_PAUSES)
    while sum(pauses) < _LONGEST_SECONDS:
        pauses.append(_LAST_PAUSE)
    return tuple(pauses)


RESUME_PAUSES = _pauses()
"""Seconds between one failed attempt and the next."""

RESUME_ATTEMPTS = len(RESUME_PAUSES) + 1


def pause_after(attempt: int) -> int | None:
    """Return the seconds to wait after the failed attempt of this number (from 1), or None if it was the last."""
    return RESUME_PAUSES[attempt - 1] if attempt <= len(RESUME_PAUSES) else None
