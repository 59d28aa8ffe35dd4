"""Accept findings of cdk-nag beside the construct they are about, with the reason."""

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct


def accept(construct: IConstruct, reason: str, *findings: str) -> None:
    """Accept findings, such as `AwsSolutions-IAM5[Resource::*]`, on a construct and those below it."""
    Validations.of(construct).acknowledge(*(Acknowledgment(id=finding, reason=reason) for finding in findings))
