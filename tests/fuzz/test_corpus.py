"""Replay of what the fuzzer found, and of every mail on disk, without the fuzzer."""

from pathlib import Path

import pytest

from tests.fuzz.target import take
from tests.support.receipts import MAILS

CORPUS = sorted((Path(__file__).parent / "corpus").iterdir())
CHUNK = 50


def test_there_is_a_corpus() -> None:
    assert len(CORPUS) > 100


@pytest.mark.parametrize("start", range(0, len(CORPUS), CHUNK))
def test_what_the_fuzzer_found(start: int) -> None:
    for path in CORPUS[start : start + CHUNK]:
        take(path.read_bytes())


def test_the_mails_on_disk() -> None:
    for path in sorted(MAILS.rglob("*.eml")):
        take(path.read_bytes())
