#!/usr/bin/env python3
"""Coverage-guided fuzzing of the mail path: any bytes, to a genuine reply address, with every verdict passed.

    uv venv /tmp/fuzz && uv pip sync -p /tmp/fuzz --require-hashes requirements/fuzz.txt
    export PATH=/tmp/fuzz/bin:$PATH PYTHONPATH=.:layers/flow_hitl/python POWERTOOLS_LOG_LEVEL=ERROR
    tests/fuzz/fuzz_inbound.py -max_total_time=300 /tmp/found tests/fuzz/corpus tests/data/mail/{hostile,clients}
    tests/fuzz/fuzz_inbound.py -merge=1 -max_len=1000 tests/fuzz/corpus /tmp/found

The second command keeps what reaches new code; `test_corpus.py` replays it. Each input is a whole mail.
"""

import sys
import time

import atheris  # type: ignore[import-untyped, import-not-found, unused-ignore]

with atheris.instrument_imports(include=["flow_hitl", "email", "html", "mailparser"]):
    from tests.fuzz.target import take

MAX_BYTES = 20_000


def test_one_input(data: bytes) -> None:
    started = time.process_time()
    take(data)
    # Instrumented code is several times slower than ours will ever be.
    assert time.process_time() - started < 3


def main() -> None:
    atheris.Setup([*sys.argv, f"-max_len={MAX_BYTES}", "-timeout=10", "-rss_limit_mb=1024"], test_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
