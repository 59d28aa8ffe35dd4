"""From an empty folder to a stack and back: `init`, `preflight`, `deploy` and `destroy` as they are typed."""

import json
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import boto3
import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner, Result
from moto import mock_aws

from flow_hitl.platform import aws
from infra import node
from infra.cli import first_steps
from infra.cli.main import main
from infra.cli.preflight import BOOTSTRAP
from infra.options_file import FILE, FILE_VARIABLE
from tests.support.aws_answers import ACCOUNT, answering
from tests.support.aws_calls import AwsCall, around_calls
from tests.support.dns_server import name_server

DOMAIN = "hitl.example.com"
REGION: Literal["eu-west-1"] = "eu-west-1"
FEW_FUNCTIONS = {"AccountLimit": {"ConcurrentExecutions": 10}}
ANSWERS = f"evaluation\n{REGION}\n{DOMAIN}\nops@example.com\nnone\nnone\n"
CERTIFICATE = f"arn:aws:acm:{REGION}:123456789012:certificate/0123-abc"
NO_DOMAIN = {"Error": {"Code": "NotFoundException", "Message": "Invalid domain name identifier specified"}}
API_HOST = f"d-1.execute-api.{REGION}.amazonaws.com"
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
        # For API Gateway, moto wants a package that nothing else needs.
        answers.enter_context(answering(("apigatewayv2", "GetDomainName"), 404, NO_DOMAIN))
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


def test_init_keeps_a_hosted_zone_and_a_custom_domain() -> None:
    done = run("init", stdin=ANSWERS.replace("none\nnone", "example.com\nreviews.example.com"))
    assert done.exit_code == 0, done.output
    for line in ('hosted_zone = "example.com"', 'domain = "reviews.example.com"'):
        assert line in Path(FILE).read_text()


def test_init_writes_nothing_that_no_deployment_takes() -> None:
    refused = run("init", stdin=ANSWERS.replace("none\nnone", "none\nhttps://reviews"))
    assert (refused.exit_code, Path(FILE).exists()) == (1, False)
    assert "domain must be such as reviews.example.com" in refused.output


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


def with_options(**options: str) -> None:
    """Have more options in the file."""
    begun()
    with Path(FILE).open("a") as file:
        file.write("".join(f'{name} = "{value}"\n' for name, value in options.items()))


def make_zone(name: str = "example.com") -> str:
    """Make a hosted zone and return its id."""
    made = boto3.client("route53", region_name=REGION).create_hosted_zone(Name=name, CallerReference=uuid4().hex)
    return str(made["HostedZone"]["Id"]).rpartition("/")[2]


def add_record(zone: str, name: str, kind: Literal["MX", "A", "CNAME"], value: str) -> None:
    record: Any = {"Name": name, "Type": kind, "TTL": 60, "ResourceRecords": [{"Value": value}]}
    boto3.client("route53", region_name=REGION).change_resource_record_sets(
        HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
    )


def servers_of(zone: str) -> list[str]:
    found = boto3.client("route53", region_name=REGION).get_hosted_zone(Id=zone)
    return [f"{one}." for one in found["DelegationSet"]["NameServers"]]


def test_a_hosted_zone_that_the_dns_asks_needs_nothing_more() -> None:
    with_options(hosted_zone="example.com", domain="reviews.example.com")
    zone = make_zone()
    with name_server({f"{SES_HOST} A": ["192.0.2.1"], "example.com NS": servers_of(zone)}):
        found = checks()
    for name in ("hosted zone", "MX record", "DMARC", "certificate", "domain"):
        assert [one["status"] for one in found[name]] == ["ok"], found[name]


def test_a_hosted_zone_that_nobody_asks_is_a_problem_with_its_name_servers() -> None:
    with_options(hosted_zone="example.com")
    (server, *_) = servers_of(make_zone())
    (_, delegated) = checks()["hosted zone"]
    assert (delegated["status"], server.rstrip(".") in delegated["next_step"]) == ("problem", True)


def test_a_hosted_zone_that_is_not_there_or_not_the_only_one_is_a_problem() -> None:
    with_options(hosted_zone="example.com")
    (missing,) = checks()["hosted zone"]
    assert "aws route53 list-hosted-zones" in missing["next_step"]
    ids = [make_zone(), make_zone()]
    (two,) = checks()["hosted zone"]
    assert all(one in two["next_step"] for one in ids)
    assert {missing["status"], two["status"]} == {"problem"}


def test_names_outside_of_the_hosted_zone_are_told() -> None:
    with_options(hosted_zone=make_zone("example.org"), domain="reviews.example.com")
    found = checks()
    told = {one["status"]: one["fact"] for one in found["hosted zone"]}
    assert "hitl.example.com is not in example.org" in told["info"]
    assert "reviews.example.com is not in example.org" in str(found["hosted zone"])
    assert f"MX 10 {SES_HOST}" in found["MX record"][0]["next_step"]


def test_an_mx_record_that_only_the_hosted_zone_has_yet_is_found() -> None:
    with_options(hosted_zone=(zone := make_zone()))
    add_record(zone, DOMAIN, "MX", "10 mail.example.com.")
    (found,) = checks()["MX record"]
    assert (found["status"], "is not changed" in found["fact"]) == ("problem", True)


@pytest.mark.parametrize(("kind", "value"), [("A", "192.0.2.9"), ("CNAME", "elsewhere.example.com")])
def test_a_domain_that_leads_elsewhere_is_a_problem(kind: Literal["A", "CNAME"], value: str) -> None:
    with_options(hosted_zone=(zone := make_zone()), domain="reviews.example.com")
    add_record(zone, "reviews.example.com", kind, value)
    (found,) = checks()["domain"]
    assert (found["status"], value in found["fact"]) == ("problem", True)


def test_a_domain_that_leads_here_already_is_fine(cloudformation: CloudFormation) -> None:
    with_options(certificate_arn=CERTIFICATE, domain="reviews.example.com")
    stacks(cloudformation)
    cloudformation.outputs["flow-hitl-mail-edge"]["DomainRecord"] = f"reviews.example.com CNAME {API_HOST}"
    with name_server({f"{SES_HOST} A": ["192.0.2.1"]}):
        (waits,) = checks()["domain"]
    with name_server({f"{SES_HOST} A": ["192.0.2.1"], "reviews.example.com CNAME": [f"{API_HOST}."]}):
        (leads,) = checks()["domain"]
    assert (waits["status"], API_HOST in waits["next_step"], leads["status"]) == ("info", True, "ok")


def test_a_domain_that_the_account_uses_for_other_apis_is_mapped_by_hand() -> None:
    with_options(certificate_arn=CERTIFICATE, domain="api.example.com/hitl")
    with answering(("apigatewayv2", "GetDomainName"), 200, {"DomainName": "api.example.com"}):
        (found,) = checks()["domain"]
    assert found["status"] == "problem"
    for words in ('base_url = "https://api.example.com/hitl"', "create-api-mapping", "--api-mapping-key hitl"):
        assert words in found["next_step"]


RECORD = {"Name": "_1.reviews.example.com.", "Type": "CNAME", "Value": "_2.acm-validations.aws."}


@pytest.mark.parametrize(
    ("status", "listed", "step"),
    [
        ("ISSUED", "reviews.example.com", f'certificate_arn = "{CERTIFICATE}"'),
        ("ISSUED", "*.example.com", f'certificate_arn = "{CERTIFICATE}"'),
        ("PENDING_VALIDATION", "reviews.example.com", "_1.reviews.example.com CNAME _2.acm-validations.aws"),
        ("ISSUED", "other.example.com", "aws acm request-certificate --domain-name reviews.example.com"),
    ],
)
def test_without_a_hosted_zone_the_way_to_a_certificate_is_told_step_by_step(
    status: str, listed: str, step: str
) -> None:
    with_options(domain="reviews.example.com")
    summary = {"CertificateSummaryList": [{"CertificateArn": CERTIFICATE, "DomainName": listed}]}
    described = certificate(status, listed)
    with (
        answering(("acm", "ListCertificates"), 200, summary),
        answering(("acm", "DescribeCertificate"), 200, described),
    ):
        (found,) = checks()["certificate"]
    assert (found["status"], step in found["next_step"]) == ("problem", True)


def certificate(status: str, name: str) -> Mapping[str, Any]:
    options = [{"DomainName": name, "ResourceRecord": RECORD}]
    of_acm = {"CertificateArn": CERTIFICATE, "DomainName": name, "Status": status, "DomainValidationOptions": options}
    return {"Certificate": of_acm}


@pytest.mark.parametrize(
    ("status", "name", "said", "words"),
    [
        ("ISSUED", "reviews.example.com", "ok", "is valid"),
        ("ISSUED", "*.example.com", "ok", "is valid"),
        ("ISSUED", "example.com", "problem", "not for reviews.example.com"),
        ("PENDING_VALIDATION", "reviews.example.com", "problem", "not validated yet"),
        ("EXPIRED", "reviews.example.com", "problem", "EXPIRED"),
    ],
)
def test_a_certificate_that_is_given_must_be_good(status: str, name: str, said: str, words: str) -> None:
    with_options(domain="reviews.example.com", certificate_arn=CERTIFICATE)
    with answering(("acm", "DescribeCertificate"), 200, certificate(status, name)):
        (found,) = checks()["certificate"]
    assert (found["status"], words in found["fact"]) == (said, True)


def test_a_certificate_of_another_region_is_of_no_use() -> None:
    with_options(domain="reviews.example.com", certificate_arn=CERTIFICATE.replace(REGION, "us-east-1"))
    (found,) = checks()["certificate"]
    assert (found["status"], "another region" in found["fact"]) == ("problem", True)


def test_an_old_bootstrap_is_mended_by_the_projects_own_node() -> None:
    begun()
    boto3.client("ssm", region_name=REGION).put_parameter(Name=BOOTSTRAP, Value="5", Type="String", Overwrite=True)
    (found,) = checks()["bootstrap"]
    command = f"{shlex.join(node.npx())} --yes aws-cdk@2.1148.1 bootstrap aws://123456789012/{REGION}"
    assert (found["status"], command in found["next_step"]) == ("problem", True)


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
    # What follows needs tables: see test_cli_first_steps.py.
    monkeypatch.setattr(first_steps, "begin", lambda _target, _creator: None)
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


def test_cdk_gets_the_hosted_zones_id_and_the_end_tells_what_was_made_and_what_is_left(
    cdk: Path, cloudformation: CloudFormation
) -> None:
    with_options(hosted_zone="example.com")
    zone = make_zone()
    stacks(cloudformation)
    edge = cloudformation.outputs["flow-hitl-mail-edge"]
    edge |= {"InboundMxRecordState": "other", "IdentityDkimRecord1State": "made"}
    edge |= {"DmarcRecord": f"_dmarc.{DOMAIN} TXT x", "DmarcRecordState": "there"}
    edge |= {"IdentityMailFromMxRecord": "bounce MX 10 host", "IdentityMailFromMxRecordState": "outside"}
    with name_server({f"{SES_HOST} A": ["192.0.2.1"], "example.com NS": servers_of(zone)}):
        done = run("deploy", "--yes")
    assert done.exit_code == 0, done.output
    (call,) = called(cdk)
    assert call["words"][-2:] == ["-c", f"hosted_zone={zone}"]
    told = done.output.partition("These DNS records are made:")[2]
    made, _, rest = told.partition("Set these DNS records")
    by_hand, _, left = rest.partition("left alone")
    assert "a.dkim.amazonses.com" in made
    assert "bounce MX 10 host" in by_hand
    assert f"{DOMAIN} MX 10" in left
    assert "_dmarc" not in told


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
