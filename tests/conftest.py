"""The `hitl` fixture is the one that flow authors get when they install the project."""

import gc

from infra.local.hitl_fixture import hitl

__all__ = ["hitl"]


def pytest_collection_finish() -> None:
    """Look for garbage among what tests make, and seldom: a fifth of the time went into looking for it everywhere."""
    gc.freeze()
    gc.set_threshold(20_000)
