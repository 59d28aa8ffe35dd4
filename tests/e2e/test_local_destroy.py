"""An evaluation is deleted with everything in it, and its name is free again: on a stack of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest
from click.testing import CliRunner

from flow_hitl.bootstrap import Application
from flow_hitl.people import access
from flow_hitl.platform.system_clock import RandomIds, SystemClock, jitter
from flow_hitl.requests.ports import RequestFilter
from infra.cli import deploy as deploy_command
from infra.cli import preflight
from infra.cli.main import main
from infra.local.assembly import STACK_NAME
from infra.local.aws_client import patient_client
from infra.local.deploy import deploy
from infra.local.emulator import use_emulator_credentials
from infra.local.patience import HANG_SECONDS
from infra.local.running import running_stack
from infra.local.state import ROOT, read_operator
from infra.options_file import CREATOR as CREATOR_OPTION
from infra.options_file import FILE, FILE_VARIABLE, write_options
from infra.outputs import settings_from_outputs
from infra.tables import TABLES
from tests.e2e.local_client import LocalClient, fresh_address

pytestmark = pytest.mark.e2e

CREATOR = "creator@example.com"


def test_destroy_leaves_nothing_and_the_name_can_be_deployed_again(tmp_path: Path) -> None:
    with running_stack(tmp_path, errors=tmp_path / "errors") as running, patch.dict(os.environ):
        local = LocalClient(running.home, running.credentials)
        reviewer = fresh_address("ann")
        local.ask(assigned_to_email=reviewer)
        local.wait_for_mail(reviewer)
        operator = read_operator(running.home)
        use_emulator_credentials()
        os.environ |= {"AWS_ENDPOINT_URL": operator.endpoint_url, "AWS_DEFAULT_REGION": operator.region}

        before = names(operator.endpoint_url)
        assert len(before[0]) == len(TABLES)
        command = [sys.executable, "-c", "from infra.cli.main import main; main()"]
        done = subprocess.run(
            [*command, "--stack", STACK_NAME, "destroy", "--yes"],
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "layers/flow_hitl/python")])},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=HANG_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"Deleted {STACK_NAME}" in done.stdout
        assert names(operator.endpoint_url) == ([], [], [])

        # As `flow-hitl deploy` is typed, with the emulator's own way to deploy in CDK's place.
        outputs = begun_anew(running.home / "assembly", tmp_path, operator.endpoint_url)
        assert outputs["Stage"] == "evaluation"
        assert [len(each) for each in names(operator.endpoint_url)] == [len(each) for each in before]
        kept = json.loads((tmp_path / f"{STACK_NAME}.credentials.json").read_text())
        application = Application(settings_from_outputs(outputs), SystemClock(), RandomIds(), jitter)
        (made,) = application.manage_deployments.list()
        assert (made.deployment_id, made.creator_email) == (kept["deployment_id"], CREATOR)
        (row,) = application.list_requests.page(access.Operator(made), RequestFilter(), text="", limit=10).rows
        assert (row.assigned_to_email, row.status) == (CREATOR, "pending")


def begun_anew(assembly: Path, folder: Path, endpoint_url: str) -> dict[str, str]:
    """Deploy by the command into an account without the stack; return its outputs."""
    found: dict[str, str] = {}
    options = {"stack_name": STACK_NAME, "inbound_domain": "hitl.example.com", "alarm_email": "none"}
    write_options(folder / FILE, options | {CREATOR_OPTION: CREATOR})
    os.environ[FILE_VARIABLE] = str(folder / FILE)

    def in_cdks_place(*_: object) -> None:
        found.update(deploy(assembly, STACK_NAME, endpoint_url))

    with (
        patch.object(preflight, "look", return_value=[]),
        patch.object(preflight, "bootstrap_version", return_value=28),
        patch.object(deploy_command, "_cdk", in_cdks_place),
    ):
        done = CliRunner().invoke(main, ["deploy", "--yes"])
    assert done.exit_code == 0, done.output
    assert f"is on its way to {CREATOR}" in done.output
    return found


def names(endpoint_url: str) -> tuple[list[str], list[str], list[str]]:
    """Return the tables, the buckets (without CDK's) and the schedule groups of the account that are ours."""
    s3 = patient_client("s3", endpoint_url, s3={"addressing_style": "path"})
    groups = patient_client("scheduler", endpoint_url).list_schedule_groups()["ScheduleGroups"]
    return (
        patient_client("dynamodb", endpoint_url).list_tables()["TableNames"],
        [one["Name"] for one in s3.list_buckets()["Buckets"] if not one["Name"].startswith("cdk-")],
        [str(one["Name"]) for one in groups if one["Name"] != "default"],
    )
