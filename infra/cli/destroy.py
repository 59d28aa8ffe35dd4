"""`flow-hitl destroy`: an evaluation is deleted with everything in it; a production stack is not."""

import time
from collections.abc import Callable, Iterator

import click

from flow_hitl.platform.aws import client
from infra.cli.errors import OperatorError
from infra.cli.preflight import stack_state
from infra.cli.target import CommandTarget, with_target

_LOOK_SECONDS = 5.0
_ATTEMPTS = 3


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask for the stack's name.")
@with_target
def destroy(target: CommandTarget, yes: bool) -> None:
    """Delete an evaluation: both stacks, its emails, requests, and audit log.

    A production stack is refused: its data must outlive a mistake.
    """
    if target.local:
        raise click.UsageError("The local stack ends with Ctrl-C, and its data with it.")
    name, stage = target.stack_name, target.outputs.get("Stage")
    if stage != "evaluation":
        raise OperatorError(
            f"{name} is in production, and was not touched.",
            "Its data outlives mistakes: deleted in CloudFormation, it leaves its tables and buckets.",
        )
    if not yes and click.prompt(f"Everything in {name} will be gone. Type its name to go on") != name:
        raise OperatorError("That is not its name; nothing was deleted.", "Run the command again.")
    # Email first, so that nothing arrives in a bucket that was emptied.
    for stack in (f"{name}-mail-edge", name):
        _delete(stack)
    click.echo(
        f"Deleted {name}. Its encryption keys are gone in 30 days, the shortest that this stack asks AWS for; the CDK "
        "bootstrap of the account stays. Remove its DNS records that you have set yourself."
    )
    click.echo("\nNext: nothing, or flow-hitl deploy to begin anew.", err=True)


def _delete(stack: str) -> None:
    """Empty a stack's buckets and delete it, again if something was written meanwhile; raises OperatorError."""
    for _ in range(_ATTEMPTS):
        if stack_state(stack) is None:
            return
        for bucket in _resources(stack, "AWS::S3::Bucket"):
            click.echo(f"Emptying {bucket} …")
            _empty(bucket)
        click.echo(f"Deleting {stack} …")
        client("cloudformation").delete_stack(StackName=stack)
        _wait(lambda: (state := stack_state(stack)) is None or not state.endswith("_IN_PROGRESS"), stack)
    if stack_state(stack) is not None:
        raise OperatorError(f"{stack} could not be deleted.", "Its events in the CloudFormation console say why.")


def _resources(stack: str, kind: str) -> Iterator[str]:
    for page in client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack):
        for resource in page["StackResourceSummaries"]:
            if resource["ResourceType"] == kind and resource["ResourceStatus"] != "DELETE_COMPLETE":
                yield resource["PhysicalResourceId"]


def _empty(bucket: str) -> None:
    """Delete every version of every object, a thousand at once."""
    s3 = client("s3")
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        objects = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found]
        if objects:
            s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})


def _wait(is_done: Callable[[], bool], stack: str) -> None:
    looks = 0
    while not is_done():
        looks += 1
        if looks % 6 == 0:
            click.echo(f"  still deleting {stack} …")
        time.sleep(_LOOK_SECONDS)
