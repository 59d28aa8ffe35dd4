"""Deploy a synthesized stack to the AWS emulator, without the CDK command line."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import WaiterError

from infra.local import stand_in
from infra.local.aws_client import patient_client
from infra.local.patience import HANG_SECONDS

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_s3 import S3Client

BOOTSTRAP_VERSION_PARAMETER = "/cdk-bootstrap/hnb659fds/version"
BOOTSTRAP_VERSION = "30"
# Between two looks at whether the stack is there.
CREATED_SECONDS = 0.1


class DeploymentError(Exception):
    """The emulator could not create the stack; the message lists the failed resources and why."""


def deploy(assembly_dir: Path, stack_name: str, endpoint_url: str) -> dict[str, str]:
    """Upload the assets, create the stack, and return its outputs; raises DeploymentError."""
    sts = patient_client("sts", endpoint_url)
    account = sts.get_caller_identity()["Account"]
    patient_client("ssm", endpoint_url).put_parameter(
        Name=BOOTSTRAP_VERSION_PARAMETER, Value=BOOTSTRAP_VERSION, Type="String", Overwrite=True
    )
    s3 = patient_client("s3", endpoint_url, s3={"addressing_style": "path"})
    uploaded = _upload_assets(s3, assembly_dir, stack_name, account, sts.meta.region_name)
    cloudformation = patient_client("cloudformation", endpoint_url)
    template_name = f"{stack_name}.template.json"
    outputs = create_stack(cloudformation, stack_name, f"{endpoint_url}/{uploaded[template_name]}")
    _lock_objects(s3, cloudformation, stack_name, json.loads((assembly_dir / template_name).read_text()))
    return outputs


def _upload_assets(s3: "S3Client", assembly_dir: Path, stack_name: str, account: str, region: str) -> dict[str, str]:
    """Upload what the stack's manifest lists, including the template; return `<bucket>/<key>` by source path."""
    manifest = json.loads((assembly_dir / f"{stack_name}.assets.json").read_text())
    uploaded: dict[str, str] = {}
    buckets: set[str] = set()
    for asset in manifest["files"].values():
        source = asset["source"]
        path = assembly_dir / source["path"]
        body = stand_in.archive_for(path) if source["packaging"] == "zip" else path.read_bytes()
        for destination in asset["destinations"].values():
            bucket = destination["bucketName"].replace("${AWS::AccountId}", account).replace("${AWS::Region}", region)
            if bucket not in buckets:
                s3.create_bucket(Bucket=bucket)
                buckets.add(bucket)
            s3.put_object(Bucket=bucket, Key=destination["objectKey"], Body=body)
            uploaded[source["path"]] = f"{bucket}/{destination['objectKey']}"
    return uploaded


def create_stack(
    cloudformation: "CloudFormationClient",
    stack_name: str,
    template_url: str,
    parameters: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Create a stack and return its outputs; raises DeploymentError."""
    cloudformation.create_stack(
        StackName=stack_name,
        TemplateURL=template_url,
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in (parameters or {}).items()],
    )
    try:
        cloudformation.get_waiter("stack_create_complete").wait(
            StackName=stack_name,
            WaiterConfig={"Delay": CREATED_SECONDS, "MaxAttempts": int(HANG_SECONDS / CREATED_SECONDS)},  # type: ignore[typeddict-item]
        )
    except WaiterError as error:
        raise DeploymentError("\n".join(_failures(cloudformation, stack_name)) or str(error)) from error
    stack = cloudformation.describe_stacks(StackName=stack_name)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def _lock_objects(
    s3: "S3Client", cloudformation: "CloudFormationClient", stack_name: str, template: dict[str, Any]
) -> None:
    """Set the template's Object Lock, which the emulator ignores."""
    for logical_id, resource in template["Resources"].items():
        lock = resource.get("Properties", {}).get("ObjectLockConfiguration")
        if resource["Type"] == "AWS::S3::Bucket" and lock:
            found = cloudformation.describe_stack_resource(StackName=stack_name, LogicalResourceId=logical_id)
            bucket = found["StackResourceDetail"].get("PhysicalResourceId", "")
            s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=lock)


def _failures(cloudformation: "CloudFormationClient", stack_name: str) -> list[str]:
    events = cloudformation.describe_stack_events(StackName=stack_name)["StackEvents"]
    return [
        f"{event.get('LogicalResourceId')}: {event.get('ResourceStatusReason', '')}"
        for event in events
        if "FAILED" in event.get("ResourceStatus", "")
    ]
