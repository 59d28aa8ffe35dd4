"""Big and intricate mails: each ends clearly, in less than a second of CPU and in less memory than Lambda has."""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from infra.local.hitl_fixture import Hitl
from tests.support.big_mails import BIG_MAILS, MOST_SECONDS
from tests.support.receipts import JANE, Watch, asked
from tests.support.slices import part

ROOT = Path(__file__).parents[2]
MEASURED = sorted(part({name: {ending} for name, (ending, _) in BIG_MAILS.items()}, 4))


@cache
def measured() -> dict[str, dict[str, Any]]:
    """Put the mails through the handler, each in a process of its own."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "layers/flow_hitl/python"))),
        "POWERTOOLS_LOG_LEVEL": "ERROR",
    }
    command = [sys.executable, "-m", "tests.support.big_mails", *MEASURED]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert not result.stderr, result.stderr
    return {line["name"]: line for line in map(json.loads, result.stdout.splitlines())}


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", MEASURED)
def test_a_big_mail_ends_clearly_and_soon(name: str) -> None:
    found = measured()[name]
    assert found["ends"] == [BIG_MAILS[name][0]]
    assert found["seconds"] < MOST_SECONDS
    assert found["peak_mb"] < 256


def test_a_mail_as_large_as_ses_takes_is_refused_unread(hitl: Hitl) -> None:
    watch = Watch(hitl, asked(hitl))
    raw = BIG_MAILS["39 MB of text"][1]()
    hitl.receive(raw, recipients=[hitl.inbox[0].reply_to or ""], mail_from=JANE)
    assert watch.ending().words == "rejected: unreadable"
    assert "without attachments" in hitl.inbox[-1].text
