"""Coverage-guided fuzzing of the mail path: any bytes, to a genuine reply address, with every verdict passed.

    uv venv /tmp/fuzz && uv pip sync -p /tmp/fuzz --require-hashes requirements/fuzz.txt
    PYTHONPATH=.:layers/flow_hitl/python /tmp/fuzz/bin/python -m tests.fuzz.fuzz_inbound -max_total_time=300 \\
        /tmp/found tests/fuzz/corpus tests/data/mail/hostile tests/data/mail/clients tests/data/mail/automatic

What it finds is added to `corpus/`, which `test_corpus.py` replays; `-merge=1 tests/fuzz/corpus /tmp/found` keeps only
what reaches new code. Each input is a whole mail.
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
