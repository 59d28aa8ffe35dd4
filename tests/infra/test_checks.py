"""cdk-nag runs, and what we accepted of its findings stays a short list."""

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_s3 as s3

from infra.app import add_checks
from tests.infra.conftest import Assembly

ACCEPTED = {
    "AwsSolutions-APIG4",
    "AwsSolutions-IAM5",
    "AwsSolutions-L1",
    "AwsSolutions-S1",
    "AwsSolutions-SMG4",
    "AwsSolutions-SQS3",
    "Serverless-LambdaDLQ",
    "Serverless-LambdaEventSourceMappingDestination",
    "Serverless-LambdaLatestVersion",
    "Serverless-LambdaStarPermissions",
    "Serverless-LambdaTracing",
    "Serverless-SNSRedrivePolicy",
    "Serverless-SQSRedrivePolicy",
}
# Content, attachments, mail, exports and three kinds of seals by prefix, schedules by group, the sandbox's recipients,
# and what DynamoDB and SES have no ARNs for.
WILDCARDS = 10


def test_an_accepted_finding_is_one_of_these(assembly: Assembly) -> None:
    assert {finding.partition("[")[0] for finding in _accepted(assembly)} == ACCEPTED


def test_there_are_no_more_wildcards(assembly: Assembly) -> None:
    wildcards = {finding for finding in _accepted(assembly) if finding.startswith("AwsSolutions-IAM5[")}
    assert len(wildcards) == WILDCARDS, wildcards


def test_every_acceptance_says_why(assembly: Assembly) -> None:
    assert all(len(reason) > 30 for reason in _reasons(assembly))


def test_a_finding_that_nobody_accepted_fails_the_synth(tmp_path: object) -> None:
    app = App(outdir=str(tmp_path), analytics_reporting=False)
    s3.Bucket(Stack(app, "Careless"), "Open")
    add_checks(app)
    with pytest.raises(RuntimeError, match="AwsSolutions-S1"):
        app.synth()


def _accepted(assembly: Assembly) -> list[str]:
    return [finding.partition("::")[2] for rules in _rules(assembly) for finding in rules]


def _reasons(assembly: Assembly) -> list[str]:
    return [reason for rules in _rules(assembly) for reason in rules.values()]


def _rules(assembly: Assembly) -> list[dict[str, str]]:
    """Return what each construct accepted, from finding to reason, as CDK noted it in the assembly."""
    return [
        entry["data"]
        for stack in (assembly.core, assembly.mail_edge)
        for entries in stack.metadata.values()
        for entry in entries
        if entry["type"] == "aws:cdk:acknowledged-rules"
    ]
