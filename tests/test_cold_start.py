"""What a function imports until it has answered once: each module is time of a cold start, so one more must be meant.

`python -m tests.test_cold_start` writes the counts anew.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.bench.__main__ import instant_aws, recorded
from tests.bench.cold import FUNCTIONS, imported
from tests.bench.recording import Recording

FILE = Path(__file__).parent / "data/cold_starts.json"
OURS = {"flow_hitl", "functions"}
# Each takes longer than most functions' own modules together.
HEAVY = {"aiohttp", "asyncio", "boto3", "requests", "unittest"}
LIBRARY = f"standard library {sys.version_info.major}.{sys.version_info.minor}"


def counted(modules: Sequence[str]) -> dict[str, int]:
    """Count our modules, each other package that is not of the standard library, and the library's by top level."""
    tops = [name.partition(".")[0] for name in modules if not name.startswith("_")]
    packages = Counter(top for top in tops if top not in sys.stdlib_module_names)
    library = {top for top in tops if top in sys.stdlib_module_names}
    return {
        "ours": sum(packages.pop(top, 0) for top in OURS),
        **dict(sorted(packages.items())),
        LIBRARY: len(library),
    }


@pytest.fixture(scope="module")
def stand() -> Iterator[tuple[Recording, int]]:
    with instant_aws() as (port, file):
        yield recorded(port, file), port


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_imports_what_it_needs(stand: tuple[Recording, int], function: str) -> None:
    modules = imported(*stand, function)
    expected = json.loads(FILE.read_text(encoding="utf-8"))[function]
    found = counted(modules)
    if LIBRARY not in expected:
        # What the library imports of its own differs from version to version.
        found.pop(LIBRARY)
        expected = {name: number for name, number in expected.items() if not name.startswith("standard library")}
    assert found == expected, "if it is meant, write the counts anew: python -m tests.test_cold_start"
    assert not HEAVY & {name.partition(".")[0] for name in modules}


def _write() -> None:
    with instant_aws() as (port, file):
        recording = recorded(port, file)
        counts = {function: counted(imported(recording, port, function)) for function in FUNCTIONS}
    FILE.write_text(json.dumps(counts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    _write()
