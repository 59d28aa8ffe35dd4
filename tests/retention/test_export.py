"""All that a team owns can be taken along: whole, readable without us, checked by its sums, and without secrets."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from click.testing import Result

from flow_hitl.bootstrap import current
from flow_hitl.platform.dynamodb import item
from flow_hitl.requests.store.attachment_store import S3Attachments
from infra.local.hitl_fixture import Hitl
from tests.retention.test_retention import ANN, SECRET, answer, ask
from tests.support.asserts import EMIT
from tests.support.commands import command, commands_reach
from tests.support.receiver import receiving
from tests.support.webhooks import hook

Run = Callable[..., Result]


@pytest.fixture
def run(hitl: Hitl, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command; while it waits, the workers work."""
    commands_reach(hitl, monkeypatch)
    return partial(command, "export")


@pytest.fixture
def exported(run: Run, tmp_path: Path) -> Callable[[], Path]:
    """Export everything into a new folder, and return it."""

    def made() -> Path:
        path = tmp_path / f"export-{len(list(tmp_path.iterdir()))}"
        result = run(str(path))
        assert result.exit_code == 0, result.output
        return path

    return made


Exported = Callable[[], Path]


def lines(path: Path, name: str) -> list[Any]:
    return [json.loads(line) for line in (path / "deployment-1" / name).read_text().splitlines()]


def manifest(path: Path) -> Any:
    return json.loads((path / "manifest.json").read_text())


def everything(path: Path) -> bytes:
    return b"\n".join(one.read_bytes() for one in path.rglob("*") if one.is_file())


def test_requests_are_as_the_api_shows_them_with_their_attachments_as_files(hitl: Hitl, exported: Exported) -> None:
    decided, pending = ask(hitl), hitl.ask("Later?", emit=EMIT)
    answer(hitl, decided)
    path = exported()
    later, earlier = sorted(lines(path, "requests.jsonl"), key=lambda one: one["id"] == decided.id)
    assert later == pending.now()
    shown = decided.now()
    (attachment,) = earlier["attachments"]
    assert (path / "deployment-1" / attachment.pop("file")).read_bytes().startswith(b"\x89PNG")
    del shown["attachments"][0]["url"]
    assert earlier == shown
    (counts,) = manifest(path)["deployments"]
    assert (counts["requests"], counts["attachments"]) == (2, 1)


def test_received_emails_are_there_as_they_came_also_those_that_decided_nothing(hitl: Hitl, exported: Exported) -> None:
    request = hitl.ask(emit=EMIT)
    hitl.reply("approved", headers={"Auto-Submitted": "auto-replied"})
    hitl.reply("approved")
    path = exported()
    (decisive,) = lines(path, "emails.jsonl")
    assert decisive["subject"] == f"request#{request.id}"
    assert b"approved" in (path / "deployment-1" / decisive["file"]).read_bytes()
    (discarded,) = lines(path, "discarded-emails.jsonl")
    assert discarded["reason"].startswith("automatic")
    assert b"auto-replied" in (path / "deployment-1" / discarded["file"]).read_bytes()


def test_configuration_webhooks_and_figures_are_there_and_no_secret_is(hitl: Hitl, exported: Exported) -> None:
    hitl.configure(
        settings={"groups": [{"name": "finance", "members": [ANN]}]},
        rules=[{"name": "to Ann", "match": {"method_name": "pay"}, "assign_to_email": ANN}],
    )
    hitl.api("PUT", f"/v1/deployments/{hitl.deployment_id}/members/{ANN}", {"permissions": []})
    current().suppressed.add(ANN, "bounce", hitl.clock.now(), hitl.deployment_id)
    current().suppressed.add("all@example.com", "bounce", hitl.clock.now())
    with receiving() as app:
        secret = hook(hitl, app.url, events=["new_request", "response_submitted"]).secret
        request = hitl.ask(emit=EMIT, resume_url=f"{app.url}/resume?token=capability")
        hitl.reply("approved")
    path = exported()
    document = json.loads((path / "deployment-1/deployment.json").read_text())
    assert document["settings"]["groups"][0]["members"] == [ANN]
    assert (document["rules"][0]["name"], document["members"][0]["email"]) == ("to Ann", ANN)
    assert document["api_keys"][0]["name"]
    (webhook,) = lines(path, "webhooks.jsonl")
    assert webhook["url"] == app.url
    assert {one["event"] for one in lines(path, "deliveries.jsonl")} == {"new_request", "response_submitted"}
    figures = {(one["period"], one["by"], one["name"]): one for one in lines(path, "figures.jsonl")}
    of_day = figures["2026-01-14", "total", None]
    assert (of_day["created"], of_day["responded"], of_day["outcomes"][0]["outcome"]) == (1, 1, "approved")
    assert figures["2026-01", "reviewer", "creator@example.com"]["created"] == 1
    assert [one["address"] for one in lines(path, "suppressed.jsonl")] == [ANN]
    assert json.loads((path / "suppressed.jsonl").read_text())["address"] == "all@example.com"
    resume_secret = current().manage_deployments.resume_secret(hitl.deployment_id)
    callback = current().answer_addresses.callback_url(request.id).rpartition("/")[2]
    for kept in (secret, hitl.api_key, resume_secret, callback, "token=capability"):
        assert kept.encode() not in everything(path)


def test_the_log_verifies_offline_and_the_sums_fit(hitl: Hitl, exported: Exported) -> None:
    request = hitl.ask(emit=EMIT)
    hitl.reply("approved")
    hitl.advance(minutes=120)
    hitl.seal()
    path = exported()
    checked = subprocess.run(
        [sys.executable, "-I", str(path / "deployment-1/audit/verify_audit.py"), str(path / "deployment-1/audit")],
        capture_output=True,
        text=True,
        check=False,
    )
    # 2: nobody has told it which key to trust.
    assert checked.returncode == 2, checked.stdout + checked.stderr
    assert "CHANGED" not in checked.stdout
    subjects = {one["subject"] for one in lines(path, "audit/events-00001.jsonl")}
    assert subjects == {f"request#{request.id}", "deployment#1"}
    assert manifest(path)["deployments"][0]["sealed_until"] is not None
    sums = {line[66:]: line[:64] for line in (path / "SHA256SUMS").read_text().splitlines()}
    files = {str(one.relative_to(path)) for one in path.rglob("*") if one.is_file()}
    assert files - {"SHA256SUMS", "manifest.json"} == sums.keys()
    assert all(hashlib.sha256((path / name).read_bytes()).hexdigest() == told for name, told in sums.items())
    told = hashlib.sha256((path / "SHA256SUMS").read_bytes()).hexdigest()
    assert (manifest(path)["sha256sums_sha256"], manifest(path)["files"]) == (told, len(sums))
    assert any("secrets" in one["why"] for one in manifest(path)["not_included"])


def test_what_was_erased_stays_erased(hitl: Hitl, exported: Exported) -> None:
    request = ask(hitl)
    hitl.reply("approved\nfine")
    hitl.configure(settings={"keep_content_days": 15, "keep_emails_days": 1})
    hitl.advance(days=20)
    hitl.keep_retention()
    path = exported()
    assert SECRET.encode() not in everything(path)
    (line,) = lines(path, "requests.jsonl")
    assert (line["id"], line["message"], line["response"]["outcome"]) == (request.id, "", "approved")
    assert lines(path, "emails.jsonl") == []
    assert manifest(path)["deployments"][0]["erased_contents"] == 1


def test_figures_are_right_before_and_after_they_are_stored(hitl: Hitl, exported: Exported) -> None:
    hitl.ask(emit=EMIT)
    hitl.reply("approved")
    before = lines(exported(), "figures.jsonl")
    hitl.advance(days=31)
    hitl.measure()
    assert lines(exported(), "figures.jsonl") == before
    assert len(before) == 8, "a day and a month, in total, by reviewer, by flow, and by method"


def test_only_the_deployments_that_were_asked_for(hitl: Hitl, run: Run, tmp_path: Path) -> None:
    other = current().manage_deployments.create(name="Other", creator_email=ANN, organization_id=1).deployment_id
    hitl.ask(emit=EMIT)
    assert run(str(tmp_path / "one"), "--deployment", str(other)).exit_code == 0
    assert sorted(one.name for one in (tmp_path / "one").iterdir()) == [
        "README.txt",
        "SHA256SUMS",
        f"deployment-{other}",
        "manifest.json",
    ]
    result = run(str(tmp_path / "all"), "--json")
    assert [one["requests"] for one in json.loads(result.stdout)["deployments"]] == [1, 0]


def test_more_requests_than_are_read_at_once_come_once_each(hitl: Hitl, exported: Exported) -> None:
    asked = {hitl.ask(f"No. {number}", emit=EMIT).id for number in range(7)}
    with patch("flow_hitl.retention.export_everything._AT_ONCE", 3):
        path = exported()
    ids = [one["id"] for one in lines(path, "requests.jsonl")]
    assert (len(ids), set(ids)) == (7, asked)


def test_what_is_gone_or_was_changed_is_counted_and_said(hitl: Hitl, run: Run, tmp_path: Path) -> None:
    whole, broken = ask(hitl), hitl.ask(emit=EMIT)
    key = item({"pk": broken.id, "sk": "r#content"})
    hitl._clients["dynamodb"].delete_item(TableName="requests", Key=key)
    with patch.object(S3Attachments, "is_kept", return_value=False):
        result = run(str(tmp_path / "export"))
    assert result.exit_code == 0
    assert "1 requests that cannot be read or were changed" in result.stdout
    assert "1 attachments that are gone or were changed" in result.stdout
    found = {one["id"]: one for one in lines(tmp_path / "export", "requests.jsonl")}
    assert found[broken.id]["doubts"] == ["belongs to a request without content"]
    assert found[whole.id]["attachments"][0]["file"] is None


def test_nothing_is_left_of_an_export_that_did_not_become_whole(hitl: Hitl, run: Run, tmp_path: Path) -> None:
    hitl.ask(emit=EMIT)
    with (
        patch("flow_hitl.proof.export_store.S3ExportFiles.write", side_effect=OSError("disk")),
        patch("functions.export_audit.EXPORT_ATTEMPTS", 1),
    ):
        failed = run(str(tmp_path / "export"))
    assert (failed.exit_code, "Nothing was exported: The export failed" in failed.stderr) == (1, True)
    assert list(tmp_path.iterdir()) == []


def test_an_earlier_export_is_never_overwritten(hitl: Hitl, run: Run, tmp_path: Path) -> None:
    for name in ("export", "other.part"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "kept").touch()
        refused = run(str(tmp_path / name.removesuffix(".part")))
        assert (refused.exit_code, f"{name} is there already" in refused.stderr) == (1, True)
        assert (tmp_path / name / "kept").exists()


def test_only_the_operator_can_read_it(hitl: Hitl, exported: Exported) -> None:
    assert exported().stat().st_mode & 0o077 == 0


def test_a_deployment_that_there_is_not_is_said(run: Run, tmp_path: Path) -> None:
    refused = run(str(tmp_path / "export"), "--deployment", "9")
    assert (refused.exit_code, "There is no deployment 9." in refused.stderr) == (1, True)
    assert list(tmp_path.iterdir()) == []
