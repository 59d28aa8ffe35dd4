"""Both templates are deployed, destroyed, and deployed again, where the emulator has SES, DNS, and certificates too.

Roles are enforced: the custom resources have what their role grants.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from infra.app import synthesise
from infra.local import assembly, stand_in
from infra.local.aws_client import patient_client
from infra.local.deploy import create_stack, deploy
from infra.local.emulator import EDGE_SERVICES, REGION, SERVICES, Emulator, use_emulator_credentials
from infra.local.patience import HANG_SECONDS
from infra.local.state import ROOT
from infra.release import template
from tests.e2e import test_local_release as release
from tests.e2e.test_local_destroy import names

pytestmark = pytest.mark.e2e

NAME, DOMAIN, HOST, ZONE = "edged", "hitl.example.com", "api.example.com", "example.com"
EDGE = f"{NAME}-mail-edge"
DMARC = '"v=DMARC1; p=none"'


@pytest.fixture
def endpoint_url(tmp_path: Path) -> Iterator[str]:
    """Yield the endpoint of an account in which nothing is but what AWS itself brings."""
    assembly.synthesise(tmp_path / "packages", "http://unused.invalid")
    packages = assembly.packages(tmp_path / "packages")
    emulator = Emulator(tmp_path / "home", None, packages, (*SERVICES, *EDGE_SERVICES))
    emulator.start()
    try:
        emulator.wait()
        with patch.dict(os.environ):
            use_emulator_credentials()
            os.environ |= {"AWS_ENDPOINT_URL": emulator.endpoint_url, "AWS_DEFAULT_REGION": REGION}
            yield emulator.endpoint_url
    finally:
        emulator.stop()


def test_both_stacks_leave_nothing_and_can_be_deployed_again_and_what_others_have_stays(
    endpoint_url: str, tmp_path: Path
) -> None:
    zone = made_zone(endpoint_url)
    made = tmp_path / "assembly"
    options = assembly.context() | {"stack_name": NAME, "inbound_domain": DOMAIN, "hosted_zone": zone, "domain": HOST}
    del options["base_url"]
    synthesise(options, made, checks=False)
    empty = account(endpoint_url, zone)

    outputs = deployed(made, endpoint_url)
    assert {value for name, value in outputs.items() if name.endswith("State")} == {"made"}
    full = account(endpoint_url, zone)
    assert set(full["records"]) - set(empty["records"]) == records_of(outputs, full["domains"][HOST])
    assert full["identities"] == {DOMAIN: f"bounce.{DOMAIN}"}
    assert (full["rules"], full["active"]) == ({NAME: [f"{NAME}-replies"]}, NAME)
    assert (full["configuration_sets"], full["certificates"]) == ([NAME], [HOST])
    assert event_topics(endpoint_url, NAME) == [topic for topic in topics(endpoint_url) if "MailEvents" in topic]
    assert stored_by_the_rule(endpoint_url) == {resource(endpoint_url, NAME, "AWS::S3::Bucket", "DataMail")}
    assert mapped(endpoint_url) == [resource(endpoint_url, NAME, "AWS::ApiGatewayV2::Api")]

    destroyed(tmp_path)
    assert account(endpoint_url, zone) == empty

    of_others(endpoint_url, zone)
    before = account(endpoint_url, zone)
    outputs = deployed(made, endpoint_url)
    assert (outputs["RuleSetName"], outputs["DmarcRecordState"]) == ("others", "other")
    assert outputs["IdentityMailFromMxRecord"].startswith("none: SES knows the domain already")
    now = account(endpoint_url, zone)
    assert (now["rules"], now["active"]) == ({"others": [f"{NAME}-replies", "theirs"]}, "others")
    assert now["identities"] == before["identities"]
    assert set(before["records"]) < set(now["records"])

    destroyed(tmp_path)
    assert account(endpoint_url, zone) == before


def test_the_edge_template_of_a_release_is_deployed_with_its_parameters_beside_the_core(
    endpoint_url: str, tmp_path: Path
) -> None:
    core = release.launched(tmp_path / "assembly", endpoint_url)
    made = tmp_path / "assembly" / f"{assembly.STACK_NAME}-mail-edge"
    files = json.loads(made.with_name(f"{made.name}.assets.json").read_text())["files"].values()
    (code,) = [file["source"]["path"] for file in files if file["source"]["packaging"] == "zip"]
    s3 = patient_client("s3", endpoint_url, s3={"addressing_style": "path"})
    archive = stand_in.archive_for(made.parent / code)
    s3.put_object(Bucket=release.BUCKET, Key=f"{release.PREFIX}mail-edge.zip", Body=archive)
    edge = json.loads(made.with_name(f"{made.name}.template.json").read_text())
    body = json.dumps(template.edge_template(edge, "mail-edge.zip", release.PREFIX)).encode()
    s3.put_object(Bucket=release.BUCKET, Key="edge.template.json", Body=body)
    parameters = {"InboundDomain": DOMAIN, "AssetBucket": release.BUCKET, "CoreStack": release.NAME}
    url = f"{endpoint_url}/{release.BUCKET}/edge.template.json"
    outputs = create_stack(patient_client("cloudformation", endpoint_url), "launched-edge", url, parameters)

    assert outputs["InboundMxRecord"] == f"{DOMAIN} MX 10 inbound-smtp.{REGION}.amazonaws.com"
    assert outputs["RuleSetName"] == release.NAME
    assert stored_by_the_rule(endpoint_url) == {core["MailBucket"]}
    identity = patient_client("sesv2", endpoint_url).get_email_identity(EmailIdentity=DOMAIN)
    assert identity["MailFromAttributes"]["MailFromDomain"] == f"bounce.{DOMAIN}"
    assert event_topics(endpoint_url, release.NAME) == [one for one in topics(endpoint_url) if "MailEvents" in one]


def made_zone(endpoint_url: str) -> str:
    made = patient_client("route53", endpoint_url).create_hosted_zone(Name=ZONE, CallerReference="1")
    return str(made["HostedZone"]["Id"].rpartition("/")[2])


def of_others(endpoint_url: str, zone: str) -> None:
    """Have the account know the domain, receive other email, and say something else about the domain."""
    patient_client("sesv2", endpoint_url).create_email_identity(EmailIdentity=DOMAIN)
    ses = patient_client("ses", endpoint_url)
    ses.create_receipt_rule_set(RuleSetName="others")
    stop = {"StopAction": {"Scope": "RuleSet"}}
    ses.create_receipt_rule(RuleSetName="others", Rule={"Name": "theirs", "Enabled": True, "Actions": [stop]})
    ses.set_active_receipt_rule_set(RuleSetName="others")
    record = {"Name": f"_dmarc.{DOMAIN}", "Type": "TXT", "TTL": 60, "ResourceRecords": [{"Value": DMARC}]}
    patient_client("route53", endpoint_url).change_resource_record_sets(
        HostedZoneId=zone,
        ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]},
    )


def deployed(made: Path, endpoint_url: str) -> dict[str, str]:
    """Make both stacks, the core first, and return the outputs of the edge."""
    deploy(made, NAME, endpoint_url)
    return deploy(made, EDGE, endpoint_url)


def destroyed(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from infra.cli.main import main; main()", "--stack", NAME, "destroy", "--yes"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "layers/flow_hitl/python")])},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def account(endpoint_url: str, zone: str) -> dict[str, Any]:
    """Return all that a stack of ours might leave in the account or take from it, except for what CDK brought."""
    ses, ses_v2 = patient_client("ses", endpoint_url), patient_client("sesv2", endpoint_url)
    api, acm = patient_client("apigatewayv2", endpoint_url), patient_client("acm", endpoint_url)
    sets = [one["Name"] for one in ses.list_receipt_rule_sets()["RuleSets"]]
    identities = [one["IdentityName"] for one in ses_v2.list_email_identities()["EmailIdentities"]]
    return {
        "tables, buckets, groups": names(endpoint_url),
        "stacks": [
            one["StackName"]
            for one in patient_client("cloudformation", endpoint_url).list_stacks()["StackSummaries"]
            if one["StackStatus"] != "DELETE_COMPLETE"
        ],
        "functions": patient_client("lambda", endpoint_url).list_functions()["Functions"],
        "roles": patient_client("iam", endpoint_url).list_roles()["Roles"],
        "logs": [
            one["logGroupName"] for one in patient_client("logs", endpoint_url).describe_log_groups()["logGroups"]
        ],
        "topics": topics(endpoint_url),
        "queues": patient_client("sqs", endpoint_url).list_queues().get("QueueUrls", []),
        "identities": {
            one: ses_v2.get_email_identity(EmailIdentity=one)["MailFromAttributes"].get("MailFromDomain")
            for one in identities
        },
        "configuration_sets": ses_v2.list_configuration_sets()["ConfigurationSets"],
        "rules": {
            one: [rule["Name"] for rule in ses.describe_receipt_rule_set(RuleSetName=one)["Rules"]] for one in sets
        },
        "active": ses.describe_active_receipt_rule_set().get("Metadata", {}).get("Name"),
        "records": records(endpoint_url, zone),
        "certificates": [one["DomainName"] for one in acm.list_certificates()["CertificateSummaryList"]],
        "domains": {
            one["DomainName"]: one["DomainNameConfigurations"][0].get("ApiGatewayDomainName", "")
            for one in api.get_domain_names()["Items"]
        },
        "apis": [one["Name"] for one in api.get_apis()["Items"]],
    }


def records(endpoint_url: str, zone: str) -> list[tuple[str, str, str]]:
    """Return name, type, and value of the zone's records."""
    found = patient_client("route53", endpoint_url).list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    return sorted(
        (
            one["Name"].rstrip("."),
            one["Type"],
            one["AliasTarget"]["DNSName"].rstrip(".")
            if "AliasTarget" in one
            else " ".join(each["Value"] for each in one["ResourceRecords"]),
        )
        for one in found
    )


def records_of(outputs: dict[str, str], target: str) -> set[tuple[str, str, str]]:
    """Return the records that the outputs speak of, the domain's as Route 53 has it."""
    lines = [value.split(" ", 2) for name, value in outputs.items() if name.endswith("Record") or name[-1].isdigit()]
    return {(name, kind, value) for name, kind, value in lines if name != HOST} | {(HOST, "A", target)}


def resource(endpoint_url: str, stack: str, kind: str, part: str = "") -> str:
    found = patient_client("cloudformation", endpoint_url).get_paginator("list_stack_resources")
    (one,) = [
        each["PhysicalResourceId"]
        for page in found.paginate(StackName=stack)
        for each in page["StackResourceSummaries"]
        if each["ResourceType"] == kind and part in each["LogicalResourceId"]
    ]
    return str(one)


def topics(endpoint_url: str) -> list[str]:
    return [one["TopicArn"] for one in patient_client("sns", endpoint_url).list_topics()["Topics"]]


def event_topics(endpoint_url: str, name: str) -> list[str]:
    """Return where SES tells of bounces and complaints."""
    found = patient_client("sesv2", endpoint_url).get_configuration_set_event_destinations(ConfigurationSetName=name)
    return [one["SnsDestination"]["TopicArn"] for one in found["EventDestinations"]]


def stored_by_the_rule(endpoint_url: str) -> set[str]:
    """Return the buckets that SES puts the domain's email in."""
    rules = patient_client("ses", endpoint_url).describe_active_receipt_rule_set()["Rules"]
    assert [rule["Recipients"] for rule in rules] == [[DOMAIN]]
    return {action["S3Action"]["BucketName"] for rule in rules for action in rule["Actions"]}


def mapped(endpoint_url: str) -> list[str]:
    """Return the APIs that the custom domain leads to."""
    found = patient_client("apigatewayv2", endpoint_url).get_api_mappings(DomainName=HOST)
    return [one["ApiId"] for one in found["Items"]]
