"""Records that this service has not written: who asks for one is told so, and a list goes on without it."""

from collections.abc import Callable
from typing import Any, TypeVar

from flow_hitl.platform.errors import NEVER_WRITTEN, NotAsLogged
from flow_hitl.platform.telemetry import logger

_Read = TypeVar("_Read")


def known(read: Callable[[], _Read], what: str) -> _Read:
    """Return what was read; raises NotAsLogged, which says `what`, if we never wrote what stands there."""
    try:
        return read()
    except NEVER_WRITTEN as error:
        raise NotAsLogged(what) from error


def readable(read: Callable[[], _Read], what: str, **about: Any) -> _Read | None:
    """Return what was read, None if we never wrote what stands there: it keeps nobody from the others.

    `what` is the line that the logs then have, with `about`.
    """
    try:
        return read()
    except NEVER_WRITTEN as error:
        logger.warning(what, **about, error=type(error).__name__)
        return None
