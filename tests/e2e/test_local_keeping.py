"""What is kept on the local stack is exported and forgotten, with the template's own functions and rights."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from flow_hitl.bootstrap import Application
from flow_hitl.deployments.deployment import Permission
from flow_hitl.people.access import Operator
from flow_hitl.platform.system_clock import RandomIds, SystemClock, jitter
from flow_hitl.requests.attachments import object_of
from flow_hitl.requests.opening.open_request import NewRequest
from infra.local.emulator import use_emulator_credentials
from infra.outputs import settings_from_outputs
from tests.e2e.local_client import LocalClient, eventually, fresh_address

pytestmark = pytest.mark.e2e

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@pytest.fixture
def own(local: LocalClient) -> LocalClient:
    return local.on_a_deployment_of_its_own()


def answered_by_email(local: LocalClient, reviewer: str) -> str:
    """Let a request with an attachment be answered by email; return its id when all of its events are there."""
    attachment = {"name": "invoice.png", "media_type": "image/png", "content": PNG}
    request_id = local.ask(assigned_to_email=reviewer, attachments=[attachment])["request"]["id"]
    mail = local.mail(local.wait_for_mail(reviewer))
    local.send(reviewer, str(mail["Reply-To"]), "approved\nfine")
    local.wait_for_event(request_id, "confirmation_sent")
    return str(request_id)


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_everything_is_exported(own: LocalClient, tmp_path: Path) -> None:
    request_id = answered_by_email(own, fresh_address("exported"))
    path = tmp_path / "export"
    ran = own.command("export", str(path), "--deployment", str(own.credentials.deployment_id))
    assert ran.returncode == 0, ran.stderr
    folder = path / f"deployment-{own.credentials.deployment_id}"
    (request,) = lines(folder / "requests.jsonl")
    assert (request["id"], request["output"], request["response"]["feedback"]) == (request_id, "# Hello", "approved")
    assert (folder / request["attachments"][0]["file"]).read_bytes().startswith(b"\x89PNG")
    (email,) = lines(folder / "emails.jsonl")
    assert b"approved\r\nfine" in (folder / email["file"]).read_bytes()
    assert {one["subject"] for one in lines(folder / "audit/events-00001.jsonl")} >= {f"request#{request_id}"}
    checked = subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=path, check=False)
    assert checked.returncode == 0


def test_what_is_old_enough_is_erased_by_the_hourly_run(local: LocalClient) -> None:
    """Its request is of three weeks ago: it was opened and canceled by the same code under a clock of then."""
    with long_ago(local) as application:
        deployment = application.manage_deployments.create(name="Old", creator_email="o@example.com", organization_id=1)
        issued = application.manage_deployments.issue_key(
            deployment.deployment_id, name="old", permissions=frozenset(Permission)
        )
        attachment = {"name": "invoice.png", "media_type": "image/png", "content": PNG}
        wish = {"flow_id": "flow_1", "method_name": "pay", "message": "Pay 4711?", "attachments": [attachment]}
        opened = application.open_request.open(
            deployment, NewRequest.model_validate_json(json.dumps(wish)), opened_by="old"
        )
        request_id = opened.request.head.request_id
        application.cancel_request(Operator(deployment), request_id)
        key = object_of(request_id, opened.request.content.attachments[0])
    own = LocalClient(local.home, replace(local.credentials, api_key=issued.text))
    settings = f"/v1/deployments/{deployment.deployment_id}/settings"
    wanted = {"keep_content_days": 15, "keep_emails_days": 1}
    assert own.call("PUT", settings, wanted, headers={"If-Match": "*"}).status_code == 200
    own.aws("sqs").send_message(QueueUrl=own.operator.outputs["RetentionQueueUrl"], MessageBody="{}")
    eventually(lambda: own.request(request_id)["content_erased_at"], "the content is erased")
    assert own.request(request_id)["message"] == ""
    # The objects follow the record.
    bucket = own.operator.outputs["ContentBucket"]
    eventually(lambda: own.aws("s3").list_objects_v2(Bucket=bucket, Prefix=key)["KeyCount"] == 0, "the file is gone")


def test_one_persons_data_are_erased(own: LocalClient) -> None:
    reviewer, other = fresh_address("forgotten"), fresh_address("other")
    people = {"groups": [{"name": "finance", "members": [reviewer, other]}]}
    settings = f"/v1/deployments/{own.credentials.deployment_id}/settings"
    assert own.call("PUT", settings, people, headers={"If-Match": "*"}).status_code == 200
    request_id = own.ask(assigned_to_email="group:finance")["request"]["id"]
    mail = own.mail(own.wait_for_mail(reviewer))
    # Who was not asked yet is not told that it was answered.
    own.wait_for_mail(other)
    own.send(reviewer, str(mail["Reply-To"]), "approved\nfine")
    own.wait_for_event(request_id, "confirmation_sent")
    own.wait_for_mail(other, after=1)
    listed = own.command("erase", reviewer)
    assert listed.returncode == 0, listed.stderr
    assert f"content and emails of request {request_id}" in listed.stdout
    assert own.request(request_id)["message"] != ""
    erased = own.command("erase", reviewer, "--yes", "--json")
    assert erased.returncode == 0, erased.stderr
    assert json.loads(erased.stdout)["requests"] == [request_id]
    assert own.request(request_id)["message"] == ""
    records = own.aws("dynamodb").query(
        TableName=own.operator.outputs["RequestsTable"],
        KeyConditionExpression="pk = :pk AND begins_with(sk, :effect)",
        ExpressionAttributeValues={":pk": {"S": request_id}, ":effect": {"S": "effect#"}},
    )["Items"]
    assert [one["sk"]["S"] for one in records if "@" in one["sk"]["S"]] == []
    (answer,) = [one for one in own.timeline(request_id) if one["kind"] == "response_submitted"]
    emails = own.aws("s3").list_objects_v2(Bucket=own.operator.outputs["MailBucket"]).get("Contents", ())
    assert answer["data"]["verification"]["mail"] not in str([one["Key"] for one in emails])
    again = json.loads(own.command("erase", reviewer, "--json").stdout)
    assert (again["requests"], again["records"]) == ([], 0)


class _ThreeWeeksAgo(SystemClock):
    def now(self) -> datetime:
        return super().now() - timedelta(days=21)


@contextmanager
def long_ago(local: LocalClient) -> Iterator[Application]:
    """Yield the services of the stack as they were three weeks ago."""
    with patch.dict(os.environ):
        use_emulator_credentials()
        os.environ |= {"AWS_ENDPOINT_URL": local.operator.endpoint_url, "AWS_DEFAULT_REGION": local.operator.region}
        yield Application(settings_from_outputs(local.operator.outputs), _ThreeWeeksAgo(), RandomIds(), jitter)
