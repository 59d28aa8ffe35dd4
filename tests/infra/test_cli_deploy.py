"""From an empty folder to a stack and back: `init`, `preflight`, `deploy` and `destroy` as they are typed."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import boto3
import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner, Result
from moto import mock_aws

from flow_hitl.platform import aws
from infra import node
from infra.cli.main import main
from infra.cli.preflight import BOOTSTRAP
from infra.options_file import FILE, FILE_VARIABLE
from tests.support.aws_answers import ACCOUNT, answering
from tests.support.aws_calls import AwsCall, around_calls
from tests.support.dns_server import name_server

DOMAIN = "hitl.example.com"
REGION: Literal["eu-west-1"] = "eu-west-1"
FEW_FUNCTIONS = {"AccountLimit": {"ConcurrentExecutions": 10}}
ANSWERS = f"evaluation\n{REGION}\n{DOMAIN}\nops@example.com\n"
SES_HOST = f"inbound-smtp.{REGION}.amazonaws.com"


@dataclass
class CloudFormation:
    """The part of CloudFormation that the commands call: stacks with outputs, and buckets that must be empty to go."""

    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    buckets: dict[str, list[str]] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    written_meanwhile: list[str] = field(default_factory=list)

    def answer(self, call: AwsCall, _: Callable[[], Any]) -> Any:
        name = call.parameters["StackName"]
        if name not in self.outputs:
            raise ClientError({"Error": {"Code": "ValidationError", "Message": "does not exist"}}, call.operation)
        if call.operation == "DeleteStack":
            return self._delete(name)
        if call.operation == "ListStackResources":
            kind, status = "AWS::S3::Bucket", "CREATE_COMPLETE"
            found = [
                {"ResourceType": kind, "ResourceStatus": status, "PhysicalResourceId": one}
                for one in self.buckets.get(name, [])
            ]
            return {"StackResourceSummaries": found}
        outputs = [{"OutputKey": key, "OutputValue": value} for key, value in self.outputs[name].items()]
        state = self.states.get(name, "CREATE_COMPLETE")
        return {"Stacks": [{"StackName": name, "StackStatus": state, "Outputs": outputs}]}

    def _delete(self, name: str) -> dict[str, Any]:
        s3 = boto3.client("s3", region_name=REGION)
        for bucket in self.buckets.get(name, []):
            if self.written_meanwhile:
                s3.put_object(Bucket=bucket, Key=self.written_meanwhile.pop(), Body=b"late")
            try:
                s3.delete_bucket(Bucket=bucket)
            except s3.exceptions.ClientError:
                self.states[name] = "DELETE_FAILED"
                return {}
        del self.outputs[name]
        return {}


@pytest.fixture(autouse=True)
def cloudformation() -> Iterator[CloudFormation]:
    made = CloudFormation()
    calls = ("DescribeStacks", "ListStackResources", "DeleteStack")
    with around_calls(made.answer, *(f"cloudformation.{one}" for one in calls)):
        yield made


@pytest.fixture(autouse=True)
def _empty_folder_and_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(FILE_VARIABLE, raising=False)
    for variable in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(variable, "us-east-1")
    aws.client.cache_clear()
    with mock_aws(), ExitStack() as answers:
        answers.enter_context(answering(("sesv2", "GetAccount"), 200, ACCOUNT))
        quotas = {
            "Quotas": [{"QuotaName": "CreateSchedule throttle limit in transactions per second", "Value": 1000.0}]
        }
        answers.enter_context(answering(("service-quotas", "ListServiceQuotas"), 200, quotas))
        functions = {"AccountLimit": {"ConcurrentExecutions": 1000}}
        answers.enter_context(answering(("lambda", "GetAccountSettings"), 200, functions))
        answers.enter_context(name_server({f"{SES_HOST} A": ["192.0.2.1"]}))
        yield
    aws.client.cache_clear()


def run(*words: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, words, input=stdin, terminal_width=120)


def begun() -> None:
    """Have the file, and an account that CDK knows."""
    assert run("init", stdin=ANSWERS).exit_code == 0
    boto3.client("ssm", region_name=REGION).put_parameter(Name=BOOTSTRAP, Value="28", Type="String")


def checks() -> dict[str, list[Mapping[str, Any]]]:
    """Return the findings of the preflight by the name of their check."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for check in json.loads(run("preflight", "--json").stdout)["checks"]:
        found.setdefault(check["check"], []).append(check)
    return found


def test_init_asks_for_what_a_deployment_needs_and_keeps_it() -> None:
    done = run("init", stdin=ANSWERS)
    assert done.exit_code == 0, done.output
    assert "Next: flow-hitl preflight" in done.output
    text = Path(FILE).read_text()
    for line in ('stage = "evaluation"', f'region = "{REGION}"', f'mail_from = "reviews@{DOMAIN}"'):
        assert line in text


def test_init_never_overwrites_a_choice() -> None:
    run("init", stdin=ANSWERS)
    again = run("init", stdin=ANSWERS.replace("evaluation", "production"))
    assert (again.exit_code, "exists already" in again.output) == (1, True)
    assert 'stage = "evaluation"' in Path(FILE).read_text()


def test_a_slip_is_asked_again() -> None:
    done = run("init", stdin=ANSWERS.replace(DOMAIN, f"not a domain\n{DOMAIN}"))
    assert done.exit_code == 0
    assert "is not a domain such as hitl.example.com" in done.output


def test_without_a_file_the_preflight_says_how_to_begin() -> None:
    looked = run("preflight")
    assert looked.exit_code == 1
    assert "`flow-hitl init`" in looked.output


def test_an_empty_account_that_is_ready() -> None:
    begun()
    looked = run("preflight")
    assert looked.exit_code == 0, looked.output
    assert "PROBLEM" not in looked.output
    assert "Next: flow-hitl deploy" in looked.output
    assert f"{DOMAIN} MX 10 {SES_HOST}" in looked.output


@pytest.mark.parametrize(
    ("name", "operation", "answer", "status", "words"),
    [
        ("SES", ("sesv2", "GetAccount"), ACCOUNT | {"ProductionAccessEnabled": False}, "info", "sandbox"),
        ("SES", ("sesv2", "GetAccount"), ACCOUNT | {"SendingEnabled": False}, "problem", "paused"),
        (
            "functions",
            ("lambda", "GetAccountSettings"),
            {"AccountLimit": {"ConcurrentExecutions": 10}},
            "info",
            "10 func",
        ),
        ("SES", ("sesv2", "GetEmailIdentity"), {"VerifiedForSendingStatus": True}, "ok", "has verified"),
        ("SES", ("sesv2", "GetEmailIdentity"), {"VerifiedForSendingStatus": False}, "info", "has not verified"),
        ("receipt rules", ("ses", "DescribeActiveReceiptRuleSet"), {"Metadata": {"Name": "others"}}, "ok", "stays so"),
    ],
)
def test_what_the_account_is_like_is_told_before_anything_is_made(
    name: str, operation: tuple[str, str], answer: Mapping[str, Any], status: str, words: str
) -> None:
    begun()
    with answering(operation, 200, answer):
        found = checks()[name]
    (told,) = [one for one in found if words in one["fact"]]
    assert told["status"] == status
    assert told["next_step"] or status == "ok"


@pytest.mark.parametrize(
    ("records", "name", "words"),
    [
        ({f"{SES_HOST} A": []}, "region", "receives no email in eu-west-1"),
        (
            {f"{SES_HOST} A": ["192.0.2.1"], f"{DOMAIN} MX": ["10 mail.example.com."]},
            "MX record",
            "mail.example.com today",
        ),
    ],
)
def test_a_region_without_inbound_email_and_a_domain_with_other_email_are_problems(
    records: dict[str, list[str]], name: str, words: str
) -> None:
    begun()
    with name_server(records):
        (found,) = checks()[name]
    assert (found["status"], words in found["fact"]) == ("problem", True)


@pytest.mark.parametrize(("state", "words"), [("ROLLBACK_COMPLETE", "can only delete"), ("UPDATE_IN_PROGRESS", "Wait")])
def test_a_stack_that_cannot_be_updated_is_told_before(state: str, words: str, cloudformation: CloudFormation) -> None:
    begun()
    cloudformation.outputs = {"flow-hitl": {}, "flow-hitl-mail-edge": {}}
    cloudformation.states = dict.fromkeys(cloudformation.outputs, state)
    found = checks()["stack"]
    assert {one["status"] for one in found} == {"problem"}
    assert words in f"{found[0]['fact']} {found[0]['next_step']}"


@pytest.fixture
def cdk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have a program in the place of npx that notes how it is called, and makes both stacks; returns its notes."""
    notes, program = tmp_path / "notes.jsonl", tmp_path / "npx.py"
    program.write_text(f"""
import json, os, sys
noted = {{"words": sys.argv[1:], "cwd": os.getcwd()}}
noted |= {{"file": os.environ["{FILE_VARIABLE}"], "region": os.environ["AWS_REGION"]}}
open({str(notes)!r}, "a").write(json.dumps(noted) + chr(10))
sys.exit(os.path.exists({str(tmp_path / "fail")!r}))
""")
    monkeypatch.setattr(node, "npx", lambda: [sys.executable, str(program)])
    return notes


def stacks(cloudformation: CloudFormation, stage: str = "evaluation") -> None:
    """Make what CDK would: both stacks."""
    cloudformation.outputs = {
        "flow-hitl": {"Stage": stage, "BaseUrl": "https://api.example.com"},
        "flow-hitl-mail-edge": {
            "InboundMxRecord": f"{DOMAIN} MX 10 {SES_HOST}",
            "IdentityDkimRecord1": f"a._domainkey.{DOMAIN} CNAME a.dkim.amazonses.com",
            "IdentityDkimRecord2": "none: SES knows the domain already, by other means",
        },
    }
    cloudformation.states.clear()
    cloudformation.buckets = {"flow-hitl": ["mail"]}
    s3 = boto3.client("s3", region_name=REGION)
    s3.create_bucket(Bucket="mail", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_versioning(Bucket="mail", VersioningConfiguration={"Status": "Enabled"})


def called(notes: Path) -> list[Any]:
    return [json.loads(line) for line in notes.read_text().splitlines()] if notes.exists() else []


def test_deploy_runs_cdk_by_the_nodes_own_npx_with_the_files_options_and_ends_with_the_records(
    cdk: Path, cloudformation: CloudFormation
) -> None:
    begun()
    stacks(cloudformation)
    done = run("deploy", "--yes")
    (call,) = called(cdk)
    assert call["words"][:4] == ["--yes", "aws-cdk@2.1148.1", "deploy", "--all"]
    assert (call["region"], call["file"]) == (REGION, str(Path(FILE).resolve()))
    assert Path(call["cwd"], "cdk.json").is_file()
    assert f"{DOMAIN} MX 10 {SES_HOST}" in done.output
    assert "a.dkim.amazonses.com" in done.output
    assert "none:" not in done.output


def test_an_account_that_cdk_does_not_know_is_bootstrapped_first_if_the_operator_agrees(
    cdk: Path, cloudformation: CloudFormation
) -> None:
    run("init", stdin=ANSWERS)
    stacks(cloudformation)
    assert run("deploy", stdin="n\n").exit_code == 1
    assert called(cdk) == []
    run("deploy", stdin="y\n")
    assert [call["words"][2] for call in called(cdk)] == ["bootstrap", "deploy"]
    assert called(cdk)[0]["words"][3] == f"aws://123456789012/{REGION}"


def test_problems_stop_a_deployment_before_cdk_begins(cdk: Path) -> None:
    begun()
    with answering(("sesv2", "GetAccount"), 200, ACCOUNT | {"SendingEnabled": False}):
        stopped = run("deploy", "--yes")
    assert (stopped.exit_code, called(cdk)) == (1, [])
    assert "Nothing was deployed" in stopped.output


def test_a_failed_deployment_says_so(cdk: Path, tmp_path: Path) -> None:
    begun()
    (tmp_path / "fail").touch()
    failed = run("deploy", "--yes")
    assert failed.exit_code == 1
    assert "CDK could not deploy" in failed.output


def fill() -> None:
    """Leave versions and a mark of deletion in the bucket."""
    s3 = boto3.client("s3", region_name=REGION)
    for body in (b"first", b"second"):
        s3.put_object(Bucket="mail", Key="inbound/mail", Body=body)
    s3.delete_object(Bucket="mail", Key="inbound/mail")


def buckets() -> list[str]:
    return [one["Name"] for one in boto3.client("s3", region_name=REGION).list_buckets()["Buckets"]]


def test_of_an_evaluation_nothing_is_left_and_it_can_be_made_again(cloudformation: CloudFormation) -> None:
    begun()
    for _ in range(2):
        stacks(cloudformation)
        fill()
        done = run("destroy", stdin="flow-hitl\n")
        assert done.exit_code == 0, done.output
        assert (buckets(), cloudformation.outputs) == ([], {})


def test_an_email_that_arrives_while_the_stack_goes_does_not_stop_it(cloudformation: CloudFormation) -> None:
    begun()
    stacks(cloudformation)
    cloudformation.written_meanwhile = ["inbound/late"]
    assert run("destroy", "--yes").exit_code == 0
    assert (buckets(), cloudformation.outputs) == ([], {})


def test_what_cannot_be_deleted_is_told(cloudformation: CloudFormation) -> None:
    begun()
    stacks(cloudformation)
    cloudformation.written_meanwhile = ["one", "two", "three"]
    failed = run("destroy", "--yes")
    assert (failed.exit_code, "could not be deleted" in failed.output) == (1, True)


@pytest.mark.parametrize("stage", ["production", ""])
def test_a_production_stack_and_one_of_unknown_stage_refuse(cloudformation: CloudFormation, stage: str) -> None:
    begun()
    stacks(cloudformation, stage)
    refused = run("destroy", "--yes")
    assert (refused.exit_code, "is in production" in refused.output) == (1, True)
    assert (len(cloudformation.outputs), buckets()) == (2, ["mail"])


def test_another_name_than_the_stacks_deletes_nothing(cloudformation: CloudFormation) -> None:
    begun()
    stacks(cloudformation)
    assert run("destroy", stdin="yes\n").exit_code == 1
    assert (len(cloudformation.outputs), buckets()) == (2, ["mail"])
