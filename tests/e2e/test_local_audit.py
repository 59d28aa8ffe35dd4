"""The audit log on the local stack: sealed, verified and exported by the template's own functions, key and rights."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.e2e import web
from tests.e2e.local_client import LocalClient, eventually, fresh_address

pytestmark = pytest.mark.e2e


def audit(local: LocalClient, rest: str = "", **options: Any) -> Any:
    answer = local.call("GET", f"/v1/deployments/{local.credentials.deployment_id}/audit{rest}", **options)
    assert answer.status_code == 200, answer.text
    return answer.json()


def verify(local: LocalClient) -> tuple[list[dict[str, Any]], int, str | None]:
    """Verify the whole log; return what is wrong, how many digests there are, and until when it is sealed."""
    findings, digests, sealed_until, cursor = [], 0, None, ""
    while True:
        part = audit(local, f"/verify?{cursor}")
        findings += part["findings"]
        digests, sealed_until = digests + part["digests"], part["sealed_until"] or sealed_until
        if part["next_cursor"] is None:
            return findings, digests, sealed_until
        cursor = f"cursor={part['next_cursor']}"


def answered(local: LocalClient) -> str:
    """Let a request be answered by mail; return its id when all of its events are there."""
    reviewer = fresh_address("auditor")
    request_id = local.ask(assigned_to_email=reviewer)["request"]["id"]
    mail = local.mail(local.wait_for_mail(reviewer))
    local.send(reviewer, str(mail["Reply-To"]), "approved\nfine")
    local.wait_for_event(request_id, "confirmation_sent")
    return str(request_id)


def sealing_key(local: LocalClient) -> str:
    """Return a file with the key that the service publishes beside its digests, not the export's own."""
    s3, bucket = local.aws("s3"), local.operator.outputs["SealBucket"]
    (published,) = s3.list_objects_v2(Bucket=bucket, Prefix="keys/")["Contents"]
    path = Path(local.home) / "sealing-key.pem"
    path.write_bytes(s3.get_object(Bucket=bucket, Key=published["Key"])["Body"].read())
    return str(path)


def test_what_is_sealed_and_then_changed_in_the_table_is_named(local: LocalClient) -> None:
    request_id = answered(local)
    sealed = local.command("audit", "seal")
    assert sealed.returncode == 0, sealed.stderr
    findings, digests, sealed_until = verify(local)
    assert (findings, digests > 0) == ([], True)
    assert sealed_until is not None
    assert sealed_until in sealed.stdout
    (decision,) = [event for event in local.timeline(request_id) if event["kind"] == "response_submitted"]
    assert decision["data"]["shown"]["kind"] == "mail"
    # As somebody could who may write to the table: the functions' roles and the table's policy forbid it.
    dynamodb, table = local.aws("dynamodb"), local.operator.outputs["AuditTable"]
    key = {"subject": {"S": decision["subject"]}, "seq": {"N": str(decision["seq"])}}
    before = dynamodb.get_item(TableName=table, Key=key)["Item"]
    try:
        dynamodb.put_item(TableName=table, Item={**before, "actor": {"S": "somebody@example.com"}})
        changed, _, _ = verify(local)
        assert [(finding["kind"], finding["record"]) for finding in changed] == [
            ("edited", f"request#{request_id} event {decision['seq']}")
        ]
        told = local.command("audit", "verify", str(local.credentials.deployment_id))
        assert (told.returncode, "EDITED: request#" in told.stdout) == (1, True), told.stderr
    finally:
        dynamodb.put_item(TableName=table, Item=before)
    assert verify(local)[0] == []


def test_a_digest_can_be_deleted_by_nobody(local: LocalClient) -> None:
    answered(local)
    assert local.command("audit", "seal").returncode == 0
    s3, bucket = local.aws("s3"), local.operator.outputs["SealBucket"]
    versions = s3.list_object_versions(Bucket=bucket)["Versions"]
    assert {version["Key"].partition("/")[0] for version in versions} == {"digests", "sections", "keys"}
    for version in versions:
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_an_export_is_downloaded_by_its_links_and_verifies_without_us(
    local: LocalClient, tmp_path: Path, form: str
) -> None:
    request_id = answered(local)
    assert local.command("audit", "seal").returncode == 0
    exports = f"/v1/deployments/{local.credentials.deployment_id}/audit/export"
    begun = local.call("POST", exports, {"format": form, "to": verify(local)[2]})
    assert begun.status_code == 202, begun.text
    path = f"{exports}/{begun.json()['export']['id']}"

    def done() -> Any:
        shown = local.call("GET", path).json()["export"]
        return shown if shown["state"] in ("done", "failed") else None

    export = eventually(done, "the export is finished")
    assert export["state"] == "done", export
    for file in export["files"]:
        answer = web.get(file["url"])
        assert answer.status_code == 200, answer.text
        (tmp_path / file["name"]).write_bytes(answer.content)
    checked = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            str(tmp_path / "verify_audit.py"),
            str(tmp_path),
            "--public-key",
            sealing_key(local),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.returncode, checked.stderr) == (0, ""), checked.stdout
    assert request_id in (tmp_path / f"events-00001.{form}").read_text("utf-8-sig")


def test_the_commands_export_and_verify(local: LocalClient, tmp_path: Path) -> None:
    answered(local)
    target = tmp_path / "audit.zip"
    deployment = str(local.credentials.deployment_id)
    assert local.command("audit", "seal").returncode == 0
    to = str(verify(local)[2])
    exported = local.command("audit", "export", deployment, "--to", to, "--to-file", str(target))
    assert exported.returncode == 0, exported.stderr
    verified = local.command("audit", "verify", "--export", str(target), "--public-key", sealing_key(local))
    assert verified.returncode == 0, verified.stdout
    assert "Nothing was changed." in verified.stdout


def test_the_log_is_read_page_by_page(local: LocalClient) -> None:
    request_id = answered(local)
    page = audit(local, "?limit=40")
    events = page["events"]
    while page["next_cursor"] is not None:
        page = audit(local, f"?limit=40&cursor={page['next_cursor']}")
        events += page["events"]
    own = [event for event in events if event["subject"] == f"request#{request_id}"]
    assert own == local.timeline(request_id)
