"""Real CrewAI flows and the real service: asked and answered by mail, resumed. `make test-crewai`."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from infra.local.patience import HANG_SECONDS
from infra.local.state import ROOT
from tests.e2e.local_client import LocalClient, eventually

pytestmark = pytest.mark.crewai

PYTHON = ROOT / ".venv-crewai/bin/python"
EXAMPLES = ROOT / "examples"


@contextmanager
def process(local: LocalClient, store: Path, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Run Python with crewai in the directory of an example, as a user does."""
    variables = {
        **os.environ,
        "FLOW_HITL_URL": local.credentials.base_url,
        "FLOW_HITL_API_KEY": local.credentials.api_key,
        "FLOW_HITL_FLOWS": str(store),
        "PYTHONPATH": str(ROOT / "client"),
        "PYTHONUNBUFFERED": "1",
        **environment,
    }
    with subprocess.Popen(
        [str(PYTHON), *arguments],
        env=variables,
        cwd=EXAMPLES,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def set_rules(local: LocalClient, *examples: str) -> None:
    """Put the routing rules of examples in force, as their READMEs say."""
    path = f"/v1/deployments/{local.credentials.deployment_id}/routing-rules"
    rules = [rule for name in examples for rule in json.loads((EXAMPLES / name / "rules.json").read_text())["rules"]]
    etag = local.call("GET", path).headers["ETag"]
    answer = local.call("PUT", path, {"rules": rules}, headers={"If-Match": etag})
    assert answer.status_code == 200, answer.text


def reply(local: LocalClient, person: str, text: str, after: int = 0) -> None:
    """Answer the mail that comes to a person after so many others."""
    mail = eventually(lambda: questions(local, person)[after:], f"question {after + 1} to {person}")[0]
    local.send(person, mail["reply_to"], text)


def questions(local: LocalClient, person: str) -> list[dict[str, Any]]:
    """Return the mails to a person that want an answer."""
    return [mail for mail in local.mails(person) if mail["reply_to"]]


def requests_of(local: LocalClient, flow_name: str) -> list[str]:
    """Return the ids of a flow's requests, oldest first."""
    answer = local.call("GET", f"/v1/requests?flow_name={flow_name}")
    return [request["id"] for request in answer.json()["requests"]][::-1]


def test_an_expense_goes_to_whom_its_amount_names(local: LocalClient, tmp_path: Path) -> None:
    set_rules(local, "finance_approval")
    with process(local, tmp_path / "flows.db", "finance_approval/flow.py", "250000") as flow:
        reply(local, "cfo@example.com", "rejected\n\nNot this year.")
        out, _ = flow.communicate(timeout=HANG_SECONDS)
    assert flow.returncode == 0, out
    assert "Waiting for cfo@example.com (rule Approvals to Finance)" in out
    assert "Not paying for Conference booth. cfo@example.com says: Not this year." in out
    (request_id,) = requests_of(local, "ExpenseFlow")
    assert local.request(request_id)["resume"]["status"] == "resumed"


def test_a_stored_flow_is_revised_and_rejected_by_mail(local: LocalClient, tmp_path: Path) -> None:
    store, manager = tmp_path / "flows.db", local.credentials.manager_email
    earlier = len(questions(local, manager))
    with process(local, store, "content_approval/flow.py", FLOW_HITL_MODE="durable") as flow:
        out, _ = flow.communicate(timeout=HANG_SECONDS)
    assert flow.returncode == 0, out
    assert f"Waiting for {manager} (deployment creator)" in out
    app = str(EXAMPLES / "content_approval")
    with process(
        local, store, "-m", "flow_hitl_client", "resume", "--app", "flow:registry",
        PYTHONPATH=f"{ROOT / 'client'}:{app}",
    ) as worker:  # fmt: skip
        reply(local, manager, "needs_revision\n\nshorter, please", after=earlier)
        first, second = eventually(
            lambda: ids if len(ids := requests_of(local, "ContentApprovalFlow")) == 2 else None, "a second round"
        )
        history = local.request(second)["history"]
        assert history[0]["method"] == "generate_content", "what ran before the first review is still known"
        assert [entry["method"] for entry in history if "shorter, please" in str(entry["output"])] == ["review_content"]
        reply(local, manager, "rejected\n\nwrong price", after=earlier + 1)
        eventually(lambda: (local.request(second)["resume"] or {}).get("status") == "resumed", "the flow goes on")
        worker.terminate()
        told, _ = worker.communicate(timeout=HANG_SECONDS)
    assert "Content rejected. Reason: wrong price" in told
    assert worker.returncode == 0
    assert [local.request(one)["resume"]["status"] for one in (first, second)] == ["paused_again", "resumed"]
