"""Limits on CPU time that mean the same on every machine: in the seconds of a machine of the CI."""

import re
import time
from collections.abc import Callable

# What the yardstick takes on an idle machine of the CI.
_YARDSTICK_SECONDS = 0.006
_WORD = re.compile(r"(\w+) (\d+)")


def cpu_seconds(work: Callable[[], object], enough: float) -> float:
    """Return the CPU time of `work` as it would be on a machine of the CI; the least of up to three tries.

    It is tried again only if it took more than `enough`. A machine that is slow, or whose cores are shared, takes
    longer for the yardstick too, right before and after; a machine that is faster gets no discount.
    """
    least = float("inf")
    for _ in range(3):
        before = _yardstick()
        began = time.process_time()
        work()
        taken = time.process_time() - began
        least = min(least, taken / max(1.0, min(before, _yardstick()) / _YARDSTICK_SECONDS))
        if least < enough:
            break
    return least


def _yardstick() -> float:
    """Return the CPU time of a fixed piece of work like that which is measured: texts, lists and patterns."""
    began = time.process_time()
    for number in range(4000):
        found = _WORD.search(f"  word {number} ")
        "".join(sorted(found[0] if found else "")).upper().split(" ")
    return time.process_time() - began
