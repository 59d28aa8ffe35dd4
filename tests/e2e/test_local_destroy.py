"""An evaluation is deleted with everything in it, and its name is free again: on a stack of its own."""

import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest

from infra.local.assembly import STACK_NAME
from infra.local.aws_client import patient_client
from infra.local.deploy import deploy
from infra.local.emulator import use_emulator_credentials
from infra.local.patience import HANG_SECONDS
from infra.local.running import running_stack
from infra.local.state import ROOT, read_operator
from infra.tables import TABLES
from tests.e2e.local_client import LocalClient, fresh_address

pytestmark = pytest.mark.e2e


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

        outputs = deploy(running.home / "assembly", STACK_NAME, operator.endpoint_url)
        assert outputs["Stage"] == "evaluation"
        assert [len(each) for each in names(operator.endpoint_url)] == [len(each) for each in before]


def names(endpoint_url: str) -> tuple[list[str], list[str], list[str]]:
    """Return the tables, the buckets (without CDK's) and the schedule groups of the account that are ours."""
    s3 = patient_client("s3", endpoint_url, s3={"addressing_style": "path"})
    groups = patient_client("scheduler", endpoint_url).list_schedule_groups()["ScheduleGroups"]
    return (
        patient_client("dynamodb", endpoint_url).list_tables()["TableNames"],
        [one["Name"] for one in s3.list_buckets()["Buckets"] if not one["Name"].startswith("cdk-")],
        [str(one["Name"]) for one in groups if one["Name"] != "default"],
    )
