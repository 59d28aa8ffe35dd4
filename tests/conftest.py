"""The `hitl` fixture is the one that flow authors get when they install the project."""

import gc

from hypothesis import settings

from infra.local.hitl_fixture import hitl

__all__ = ["hitl"]

# The same examples in each run, and no deadline: what is green stays green on a busy machine.
settings.load_profile("ci")


def pytest_collection_finish() -> None:
    """Look for garbage among what tests make, and seldom: a fifth of the time went into looking for it everywhere."""
    gc.freeze()
    gc.set_threshold(20_000)
