"""The sealing key is replaced: what the key before it has signed stays verifiable, and it signs nothing any more."""

import base64
import json
import shutil
from pathlib import Path

import pytest

from flow_hitl.bootstrap import current
from flow_hitl.proof.seal_store import KmsSealKey, earlier_keys
from flow_hitl.proof.verify_audit import Export, exit_code, main, read_public_keys, verify_export
from infra.local.hitl_fixture import Hitl
from tests.proof.test_audit_export import download, exported
from tests.proof.test_audit_seal import by_schedule, named
from tests.proof.test_receipts import claims
from tests.support.asserts import EMIT, callback


def replace_key(hitl: Hitl, at: str) -> KmsSealKey:
    """Do what an update of the stack with another `seal_key` does, and return the key that signs from now on."""
    key = current().seal_audit.key
    assert isinstance(key, KmsSealKey)
    before = base64.b64encode(key.public_key()).decode()
    made = hitl._clients["kms"].create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    key.__init__(key._client, made["KeyMetadata"]["Arn"], f"{before}@{at}")  # type: ignore[misc]
    del key._public_key
    return key


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


@pytest.fixture
def replaced(hitl: Hitl) -> Hitl:
    """A log whose first day is sealed by one key, and whose second by another."""
    callback(hitl, hitl.ask(emit=EMIT, receipt=True))
    hitl.advance(days=1)
    by_schedule(hitl)
    replace_key(hitl, "2026-01-15T12:00:00Z")
    current().__dict__.pop("receipt_keys", None)
    callback(hitl, hitl.ask(emit=EMIT, receipt=True))
    hitl.advance(days=1)
    by_schedule(hitl)
    return hitl


def test_the_log_verifies_and_both_keys_are_published(replaced: Hitl) -> None:
    assert named(replaced) == set()
    keys = replaced.api("GET", "/v1/keys", key=None).json["keys"]
    assert [key["retired_at"] for key in keys] == [None, "2026-01-15T12:00:00Z"]


def test_an_export_verifies_with_all_keys_and_is_not_proven_by_one(
    replaced: Hitl, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = download(replaced, exported(replaced, to="2026-01-16T00:00:00Z"), made(tmp_path / "export"))
    published = tmp_path / "keys.json"
    published.write_text(json.dumps(replaced.api("GET", "/v1/keys", key=None).json))
    assert main([str(folder), "--public-key", str(published)]) == 0
    assert main([str(folder)]) == 2, "only a trusted key proves anything"
    each = []
    for number, der in enumerate(read_public_keys(published.read_bytes()).keys.values()):
        (tmp_path / f"{number}.der").write_bytes(der)
        each += ["--public-key", str(tmp_path / f"{number}.der")]
    assert main([str(folder), *each]) == 0
    for one in (each[:2], each[2:]):
        assert main([str(folder), *one]) == 1
    assert "which is not trusted" in capsys.readouterr().out


def test_what_a_retired_key_signs_later_is_a_finding(replaced: Hitl, tmp_path: Path) -> None:
    key = replace_key(replaced, "2026-01-15T12:00:00Z")
    assert {kind for kind, _ in named(replaced)} >= {"digest_invalid", "edited"}
    folder = download(replaced, exported(replaced, to="2026-01-16T00:00:00Z"), tmp_path)
    assert exit_code(verify_export(Export(str(folder)), key.trusted())) == 1


@pytest.mark.parametrize("text", ["x", "x@2026-01-15T12:00:00Z", "@", "MFkw@2026-01-15T12:00:00Z"])
def test_what_is_no_earlier_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever is wrong with it
        earlier_keys(text)


def test_a_receipt_in_an_export_is_checked_too(hitl: Hitl, tmp_path: Path) -> None:
    request = hitl.ask(emit=EMIT, receipt=True)
    callback(hitl, request)
    assert claims(hitl, request)["outcome"] == "approved"
    folder = download(hitl, exported(hitl), made(tmp_path / "export"))
    keys = current().seal_audit.key.trusted()
    assert verify_export(Export(str(folder)), keys).findings == []
    events = folder / "events-00001.jsonl"
    head, payload, signature = request.response["receipt"].split(".")
    for forged in (f"{head}.{payload}.{signature[:-4]}AAAA", f"{head}.e30.{signature}", "receipt", f"{head}..", ""):
        changed = events.read_text().replace(request.response["receipt"], forged)
        copy = shutil.copytree(folder, tmp_path / "changed", dirs_exist_ok=True)
        (copy / events.name).write_text(changed)
        found = verify_export(Export(str(copy)), keys).findings
        assert any("holds a receipt" in one.detail for one in found), forged
