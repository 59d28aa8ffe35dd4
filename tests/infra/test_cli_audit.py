"""`flow-hitl audit`, as it is typed, on a log that really came about."""

import json
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from unittest.mock import patch

import pytest
from click.testing import Result

from flow_hitl.bootstrap import current
from flow_hitl.proof.verify_audit import pem
from infra.local.hitl_fixture import Hitl
from tests.proof.test_audit_seal import chain_of, digests, tampered
from tests.support.asserts import EMIT
from tests.support.commands import command, commands_reach

Run = Callable[..., Result]


@pytest.fixture
def run(hitl: Hitl, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command of `audit` on the `hitl` fixture; while it waits, the workers work."""
    commands_reach(hitl, monkeypatch)
    return partial(command, "audit")


def test_what_has_happened_until_now_can_be_sealed(hitl: Hitl, run: Run) -> None:
    hitl.ask(emit=EMIT)
    hitl.advance(minutes=5)
    sealed = json.loads(run("seal", "--json").stdout)["sealed_until"]
    assert sealed == list(digests(hitl))[-1] == "2026-01-14T12:03:01Z"
    hitl.clock.sleep(60)
    assert "Sealed until 2026-01-14T12:04:0" in run("seal").stdout


def test_a_seal_that_does_not_come_is_said(hitl: Hitl, run: Run) -> None:
    hitl.advance(minutes=5)
    with patch("flow_hitl.proof.seal_audit.SealAudit.__call__", side_effect=OSError("KMS")):
        result = run("seal")
    assert result.exit_code == 1
    assert "The seal is not there yet." in result.stderr


def test_an_untouched_log_is_said_to_be_one(hitl: Hitl, run: Run) -> None:
    hitl.ask(emit=EMIT)
    hitl.advance(minutes=5)
    run("seal")
    result = run("verify", "1")
    assert result.exit_code == 0, result.output
    assert "Nothing was changed." in result.stdout
    assert json.loads(run("verify", "1", "--json").stdout)["verified"] is True


def test_before_anything_is_sealed_nothing_is_said_to_be_proven(hitl: Hitl, run: Run) -> None:
    hitl.ask(emit=EMIT)
    result = run("verify", "1")
    assert result.exit_code == 2, result.output
    assert "None of this has been sealed yet, so only the chain could be checked" in result.stdout
    assert "Nothing was changed" not in result.stdout


def test_what_was_changed_is_named_and_the_exit_code_is_1(hitl: Hitl, run: Run) -> None:
    request = hitl.ask(emit=EMIT)
    hitl.reply("approved")
    hitl.advance(minutes=5)
    run("seal")
    tampered("delete")(hitl, chain_of(hitl, request), 1)
    with patch("flow_hitl.proof.verify_log._CHAINS", 1):
        result = run("verify", "1")
    assert result.exit_code == 1
    assert f"MISSING: request#{request.id} event 2 " in result.stdout
    assert "keep a copy" in result.stderr


def test_an_export_is_waited_for_and_verifies_from_its_file(hitl: Hitl, run: Run, tmp_path: Path) -> None:
    hitl.ask(emit=EMIT)
    hitl.reply("approved")
    hitl.advance(minutes=5)
    sealed_until = json.loads(run("seal", "--json").stdout)["sealed_until"]
    target = str(tmp_path / "audit.zip")
    result = run("export", "1", "--to-file", target)
    assert f"so it is proven until {sealed_until} only; for all of it, add --to {sealed_until};" in result.stderr
    partly = run("verify", "--export", target)
    assert (partly.exit_code, f"This is proven only until {sealed_until}" in partly.stdout) == (2, True)
    result = run("export", "1", "--format", "csv", "--to", sealed_until, "--to-file", target)
    assert result.exit_code == 0, result.output
    assert f"audit verify --export {target} --public-key KEY" in result.stderr
    assert "not all of this is sealed" not in result.stderr
    with zipfile.ZipFile(target) as archive:
        assert "events-00001.csv" in archive.namelist()
    (tmp_path / "key.pem").write_text(pem(current().seal_audit.key.public_key()))
    untrusting = run("verify", "--export", target)
    assert (untrusting.exit_code, "No trusted key was given" in untrusting.stdout) == (2, True)
    words = ("verify", "--export", target, "--public-key", str(tmp_path / "key.pem"))
    trusting = run(*words, "--deployment", "1", "--to", sealed_until)
    assert (trusting.exit_code, "Nothing was changed." in trusting.stdout) == (0, True)
    other = run(*words, "--deployment", "2")
    assert (other.exit_code, "is of deployment 1, not 2" in other.stdout) == (1, True)
    (tmp_path / "audit.zip").write_bytes(b"PK\5\6" + bytes(18))
    assert run(*words).exit_code == 2
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []


def test_an_export_is_begun_and_looked_up_later(hitl: Hitl, run: Run) -> None:
    begun = json.loads(run("export", "1", "--json").stdout)["export"]
    assert begun["state"] == "pending"
    hitl._settle()
    assert f"{begun['id']}  done" in " ".join(run("exports", "1").stdout.split("\n")[1:])
    (shown,) = json.loads(run("exports", "1", "--json").stdout)["exports"]
    assert shown["state"] == "done"


def test_an_export_that_fails_says_what_to_do(hitl: Hitl, run: Run) -> None:
    with (
        patch("flow_hitl.proof.export_store.S3ExportFiles.write", side_effect=OSError("disk")),
        patch("functions.export_audit.EXPORT_ATTEMPTS", 1),
    ):
        result = run("export", "1", "--wait")
    assert result.exit_code == 1
    assert "Please start it again." in result.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("verify",), "Give the deployment's ID, or --export PATH."),
        (("verify", "1", "--export", "x"), "Give the deployment's ID, or --export PATH."),
        (("verify", "--export", "/nowhere.zip"), "/nowhere.zip is not an export"),
        (("verify", "1", "--from", "yesterday"), "is not a time such as 2027-01-31T00:00:00Z"),
        (("verify", "9"), "There is no deployment 9."),
        (("export", "9"), "There is no deployment 9."),
        (("export", "1", "--from", "2026-02-01T00:00:00Z", "--to", "2026-01-01T00:00:00Z"), "must be later than"),
    ],
)
def test_what_cannot_be_done_is_said(run: Run, words: tuple[str, ...], says: str) -> None:
    result = run(*words)
    assert result.exit_code in (1, 2)
    assert says in " ".join(result.stderr.split())
