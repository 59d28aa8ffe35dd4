"""What the API does is what its description says, whatever it is sent: tried out by schemathesis, never with a 5xx.

`FLOW_HITL_SCHEMATHESIS_SECONDS` is how long (`make schemathesis` takes ten minutes); without it, it is a fixed set of
calls, as many of them as fit into 25 seconds.
"""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch
from urllib.parse import urlsplit

import pytest

from infra.local.emulator import use_emulator_credentials
from infra.local.seed import seed
from infra.openapi.document import PATH
from tests.e2e.local_client import LocalClient, fresh_address

HERE = Path(__file__).parent
REQUESTS = 4
SECONDS = os.environ.get("FLOW_HITL_SCHEMATHESIS_SECONDS")
A_FEW = ("--phases", "examples,coverage", "--generation-deterministic", "--max-time", "20")
ALL_PHASES = ("--max-examples", "200", "--max-time", SECONDS or "")


@pytest.mark.e2e
def test_the_api_keeps_to_its_description(local: LocalClient, tmp_path: Path) -> None:
    # A deployment of its own: settings, rules, keys and webhooks are changed at random.
    with patch.dict(os.environ):
        use_emulator_credentials()
        own = seed(local.operator)
    client = LocalClient(local.home, replace(local.credentials, deployment_id=own.deployment_id, api_key=own.api_key))
    opened = [client.ask(assigned_to_email=fresh_address("fuzz")) for _ in range(REQUESTS)]
    mails = [client.wait_for_mail(one["request"]["assigned_to_email"]) for one in opened]
    names = {
        "*": {"deployment_id": [own.deployment_id], "request_id": [one["request"]["id"] for one in opened]},
        "/v1/callbacks/{token}": {"token": [token_of(one["callback_url"]) for one in opened]},
        "/review/{token}": {"token": [token_of(client.review_link(mail)) for mail in mails]},
    }
    variables = {
        "FLOW_HITL_ST_HOOKS": str(HERE / "schemathesis_hooks.py"),
        "FLOW_HITL_ST_KEY": own.api_key,
        "FLOW_HITL_ST_NAMES": json.dumps(names),
    }
    # One worker: CPython 3.11 parses in one thread at a time, and hypothesis parses in each.
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        *("--config-file", str(HERE / "schemathesis.toml")),
        *("run", str(PATH), "--url", local.credentials.base_url, "--no-color", "--workers", "1"),
        *(ALL_PHASES if SECONDS else A_FEW),
    ]
    run = subprocess.run(command, cwd=tmp_path, env=os.environ | variables, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def token_of(url: str) -> str:
    return urlsplit(url).path.rpartition("/")[2]
