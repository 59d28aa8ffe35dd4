"""The figures and the search log, every few minutes: what reports are read from, and what searches look through."""

from typing import Any

from flow_hitl.bootstrap import current
from flow_hitl.metrics.keep_figures import Behind
from flow_hitl.platform.telemetry import EVENT_NOT_COUNTED, FIGURES_KEPT, count, logger


def handler(_event: dict[str, Any], _context: Any) -> None:
    """Do one run, whatever called for it: a message says nothing but that it is time."""
    events = behind = 0
    for done in current().keep_figures():
        if isinstance(done, Behind):
            behind += 1
            logger.error("figures are behind", deployment_id=done.deployment_id, exc_info=done.error)
            continue
        events += done.events
        for name in done.senseless:
            count(EVENT_NOT_COUNTED, record=name)
            logger.error("audit event makes no sense", deployment_id=done.deployment_id, record=name)
    if not behind:
        count(FIGURES_KEPT, events=events)
    for deployment_id, error in current().keep_search():
        # Searches read what the log lacks themselves, as far as that is little.
        logger.error("the search log is behind", deployment_id=deployment_id, exc_info=error)
