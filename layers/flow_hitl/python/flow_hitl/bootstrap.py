"""One stack as a process sees it: the parts of all capabilities, each wired in its own `wiring.py`.

Everything is made when it is first asked for, and imports what it needs at that moment: a function pays at cold start
for its own parts only. `current()` is the process's application; tests put another in its place by `use()`.
"""

from __future__ import annotations

from flow_hitl.delivery.wiring import DeliveryParts
from flow_hitl.diagnosis.wiring import DiagnosisParts
from flow_hitl.metrics.wiring import MetricsParts
from flow_hitl.pages.wiring import PagesParts
from flow_hitl.platform.environment import Settings
from flow_hitl.sweep.wiring import SweepParts


class Application(PagesParts, SweepParts, MetricsParts, DiagnosisParts, DeliveryParts):
    """All parts of one stack, wired to AWS by its settings."""


_application: Application | None = None


def current() -> Application:
    """Return the process's application, made from the environment when it is first asked for."""
    global _application
    if _application is None:
        from flow_hitl.platform.system_clock import RandomIds, SystemClock, jitter

        _application = Application(Settings.from_environment(), SystemClock(), RandomIds(), jitter)
    return _application


def use(application: Application | None) -> None:
    """Put another application in the place of the process's own, or none so that it is made anew."""
    global _application
    _application = application
