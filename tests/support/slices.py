"""Which cases of an exhaustive test `make test` runs: the same part of them each time. `make reliability` runs all."""

import os
import zlib
from collections.abc import Collection, Hashable, Mapping, Sequence

import pytest

WHOLE = os.environ.get("FLOW_HITL_EXHAUSTIVE") == "1"


def part(cases: Mapping[str, Collection[Hashable]], one_of: int) -> set[str]:
    """Return the names of one of so many cases, chosen by a hash of the name, and more until each kind is there.

    `cases` says what kinds of case each name stands for. Where all are wanted, all are returned.
    """
    kept, covered = set[str](), set[Hashable]()
    hashes = {name: zlib.crc32(name.encode()) for name in cases}
    for name in sorted(cases, key=lambda name: (hashes[name] % one_of != 0, hashes[name])):
        if WHOLE or hashes[name] % one_of == 0 or not covered.issuperset(cases[name]):
            kept.add(name)
            covered.update(cases[name])
    return kept


def left_out(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Return which items of tests marked `exhaustive(one_of, each)` are not in the part that runs.

    Each such test keeps one item or more, and so does each value of its parameters named in `each`.
    """
    marked: dict[int, dict[str, list[Hashable]]] = {}
    for item in items:
        marker = item.get_closest_marker("exhaustive")
        if marker and marker.args:
            test, _, _ = item.nodeid.partition("[")
            one_of, *each = marker.args
            values = getattr(item, "callspec").params if each else {}  # noqa: B009 - no attribute of all items
            marked.setdefault(one_of, {})[item.nodeid] = [test, *((test, name, repr(values[name])) for name in each)]
    kept = {name for one_of, cases in marked.items() for name in part(cases, one_of)}
    every = {name for cases in marked.values() for name in cases}
    return [item for item in items if item.nodeid in every - kept]


def examples(most: int) -> int:
    """Return how many examples hypothesis makes where all would be so many."""
    return most if WHOLE else max(most // 6, 10)
