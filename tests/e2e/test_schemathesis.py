"""What the API does is what its description says, whatever it is sent: tried out by schemathesis, never with a 5xx.

`FLOW_HITL_SCHEMATHESIS_SECONDS` is how long (`make schemathesis` takes ten minutes); without it, it is a fixed set of
calls, some of each operation.
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
A_FEW = ("--phases", "examples,coverage", "--generation-deterministic")
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
    exports = f"/v1/deployments/{own.deployment_id}/audit/export"
    export_id = client.call("POST", exports, {"format": "csv"}).json()["export"]["id"]
    names = {
        "*": {
            "deployment_id": [own.deployment_id],
            "request_id": [one["request"]["id"] for one in opened],
            "export_id": [export_id],
        },
        "/v1/callbacks/{token}": {"token": [token_of(one["callback_url"]) for one in opened]},
        "/review/{token}": {"token": [token_of(client.review_link(mail)) for mail in mails]},
    }
    answers = tmp_path / "answers"
    variables = {
        "FLOW_HITL_ST_HOOKS": str(HERE / "schemathesis_hooks.py"),
        "FLOW_HITL_ST_KEY": own.api_key,
        "FLOW_HITL_ST_NAMES": json.dumps(names),
        "FLOW_HITL_ST_ANSWERS": str(answers),
        "FLOW_HITL_ST_ONE_OF": "1" if SECONDS else "24",
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
    got: dict[str, set[str]] = {operation: set() for operation in operations()}
    for line in answers.read_text("utf-8").splitlines():
        status, _, operation = line.partition(" ")
        got[operation].add(status)
    assert [operation for operation, statuses in got.items() if not statuses] == []
    assert "200" in got["GET /v1/deployments/{deployment_id}/audit/export/{export_id}"]


def operations() -> list[str]:
    """Return the names of all operations of the description."""
    paths = json.loads(PATH.read_text("utf-8"))["paths"]
    return [f"{method.upper()} {path}" for path, item in paths.items() for method in item]


def token_of(url: str) -> str:
    return urlsplit(url).path.rpartition("/")[2]
