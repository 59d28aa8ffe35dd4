"""What is kept on the local stack is exported and forgotten, with the template's own functions and rights."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.local_client import LocalClient, fresh_address

pytestmark = pytest.mark.e2e

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@pytest.fixture
def own(local: LocalClient) -> LocalClient:
    return local.on_a_deployment_of_its_own()


def answered_by_email(local: LocalClient, reviewer: str) -> str:
    """Let a request with an attachment be answered by email; return its id when all of its events are there."""
    attachment = {"name": "invoice.png", "media_type": "image/png", "content": PNG}
    request_id = local.ask(assigned_to_email=reviewer, attachments=[attachment])["request"]["id"]
    mail = local.mail(local.wait_for_mail(reviewer))
    local.send(reviewer, str(mail["Reply-To"]), "approved\nfine")
    local.wait_for_event(request_id, "confirmation_sent")
    return str(request_id)


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_everything_is_exported(own: LocalClient, tmp_path: Path) -> None:
    request_id = answered_by_email(own, fresh_address("exported"))
    path = tmp_path / "export"
    ran = own.command("export", str(path), "--deployment", str(own.credentials.deployment_id))
    assert ran.returncode == 0, ran.stderr
    folder = path / f"deployment-{own.credentials.deployment_id}"
    (request,) = lines(folder / "requests.jsonl")
    assert (request["id"], request["output"], request["response"]["feedback"]) == (request_id, "# Hello", "approved")
    assert (folder / request["attachments"][0]["file"]).read_bytes().startswith(b"\x89PNG")
    (email,) = lines(folder / "emails.jsonl")
    assert b"approved\r\nfine" in (folder / email["file"]).read_bytes()
    assert {one["subject"] for one in lines(folder / "audit/events-00001.jsonl")} >= {f"request#{request_id}"}
    checked = subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=path, check=False)
    assert checked.returncode == 0
