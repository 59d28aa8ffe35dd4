"""What `flow-hitl deploy` does on a stack that has no deployment yet, and does not do again."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from click.testing import CliRunner, Result

from flow_hitl.bootstrap import current
from flow_hitl.platform.errors import RateLimited
from flow_hitl.requests.opening.send_test_request import SendTestRequest
from infra.cli import deploy, preflight
from infra.cli.main import main
from infra.cli.target import CommandTarget
from infra.local.hitl_fixture import Hitl
from infra.options_file import FILE, FILE_VARIABLE, PROFILE_VARIABLE

ANN = "ann@example.com"
BASE_URL = "https://hitl.example.com"
OPTIONS = 'inbound_domain = "hitl.example.com"\nalarm_email = "none"\n'

Run = Callable[..., Result]


@pytest.fixture
def run(hitl: Hitl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Deploy a stack that has no deployment; what CDK would do is done."""
    monkeypatch.chdir(tmp_path)
    for variable in (FILE_VARIABLE, PROFILE_VARIABLE):
        monkeypatch.delenv(variable, raising=False)
    Path(FILE).write_text(OPTIONS)
    monkeypatch.setattr(CommandTarget, "application", property(lambda _target: current()))
    monkeypatch.setattr(CommandTarget, "outputs", {"BaseUrl": BASE_URL})
    # As a new stack is: the fixture's own deployment is on no list.
    listed = {"pk": {"S": "deployments"}, "sk": {"S": "deployment#000000000000001"}}
    hitl._clients["dynamodb"].delete_item(TableName="deployments", Key=listed)
    with (
        patch.object(preflight, "look", return_value=[]),
        patch.object(preflight, "bootstrap_version", return_value=28),
        patch.object(deploy, "_cdk"),
        patch.object(deploy, "find_stack", return_value=None),
    ):
        yield lambda *words, stdin="": CliRunner().invoke(main, ["deploy", *words], input=stdin, terminal_width=120)


def credentials(path: str = "flow-hitl.credentials.json") -> Any:
    return json.loads(Path(path).read_text())


def test_the_first_time_a_deployment_a_key_and_a_test_request_are_made(hitl: Hitl, run: Run) -> None:
    done = run("--yes", "--creator", ANN)
    assert done.exit_code == 0, done.output
    (made,) = current().manage_deployments.list()
    assert (made.creator_email, len(made.api_keys)) == (ANN, 1)
    written = credentials()
    assert (written["base_url"], written["deployment_id"]) == (BASE_URL, made.deployment_id)
    assert Path("flow-hitl.credentials.json").stat().st_mode & 0o077 == 0
    assert written["api_key"] not in done.output
    opened = hitl.api(
        "POST", "/v1/requests", {"flow_id": "f", "method_name": "m", "message": "?"}, key=written["api_key"]
    )
    assert (opened.status, opened.json["request"]["assigned_to_email"]) == (201, ANN)
    hitl._settle()
    assert hitl.inbox[0].to == ANN
    assert f"is on its way to {ANN}" in done.output
    assert f"{BASE_URL}/docs/guide" in done.output
    assert "Next: answer that email" in done.output


def test_the_second_time_nothing_of_it_is_done(hitl: Hitl, run: Run) -> None:
    run("--yes", "--creator", ANN)
    hitl._settle()
    again = run("--yes", "--creator", ANN)
    hitl._settle()
    assert again.exit_code == 0, again.output
    assert (len(current().manage_deployments.list()), len(hitl.inbox)) == (1, 1)
    assert [one.name for one in Path().glob("*.credentials*")] == ["flow-hitl.credentials.json"]
    assert BASE_URL in again.output
    assert "Next: see that all is well: flow-hitl doctor" in again.output


def test_the_address_is_asked_for_or_stands_in_the_file(run: Run) -> None:
    asked = run(stdin=f"nobody\n{ANN}\n")
    assert "'nobody' is not a plain email address" in asked.output
    assert current().manage_deployments.list()[0].creator_email == ANN


def test_the_file_may_say_whose_it_is(run: Run) -> None:
    Path(FILE).write_text(f'{OPTIONS}creator = "{ANN}"\n')
    assert run("--yes").exit_code == 0
    assert current().manage_deployments.list()[0].creator_email == ANN


@pytest.mark.parametrize(("words", "stdin"), [(("--yes",), ""), ((), ""), ((), "\n")])
def test_without_an_address_the_stack_is_deployed_all_the_same(run: Run, words: tuple[str, ...], stdin: str) -> None:
    done = run(*words, stdin=stdin)
    assert done.exit_code == 0, done.output
    assert current().manage_deployments.list() == []
    assert "make its first deployment: flow-hitl deploy --creator EMAIL" in done.output


def test_a_wrong_address_in_the_file_is_said_before_anything_is_deployed(run: Run) -> None:
    Path(FILE).write_text(f'{OPTIONS}creator = "nobody"\n')
    refused = run("--yes")
    assert (refused.exit_code, "creator in flow-hitl.toml is no address: 'nobody'." in refused.output) == (1, True)
    assert BASE_URL not in refused.output


def test_a_test_request_that_fails_undoes_nothing_and_says_how_to_go_on(run: Run) -> None:
    with patch.object(
        SendTestRequest, "__call__", side_effect=RateLimited("Later.", quota="mails", limit=1, retry_after=1)
    ):
        failed = run("--yes", "--creator", ANN)
    assert failed.exit_code == 1
    assert "The stack is deployed and stays. The test request was not sent: Later." in failed.output
    (made,) = current().manage_deployments.list()
    assert f"flow-hitl test-request {made.deployment_id} --to {ANN}" in failed.output
    assert credentials()["deployment_id"] == made.deployment_id


def test_a_key_that_cannot_be_written_is_revoked(run: Run) -> None:
    with patch("infra.cli.first_steps.os.open", side_effect=OSError("read-only")):
        failed = run("--yes", "--creator", ANN)
    (made,) = current().manage_deployments.list()
    assert (failed.exit_code, len(made.api_keys)) == (1, 0)
    assert f"flow-hitl api-key issue {made.deployment_id} --name first --permission create_requests" in failed.output


def test_credentials_of_an_earlier_stack_of_the_name_are_kept(run: Run) -> None:
    Path("flow-hitl.credentials.json").write_text("earlier")
    done = run("--yes", "--creator", ANN)
    assert done.exit_code == 0, done.output
    assert Path("flow-hitl.credentials.json").read_text() == "earlier"
    assert credentials("flow-hitl.credentials-2.json")["api_key"].startswith("hitl_")
