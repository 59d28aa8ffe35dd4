"""The template of a release, with its parameters in place of options, deploys and does its work."""

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path
from unittest.mock import patch

import pytest

from infra.app import synthesise
from infra.local import stand_in
from infra.local.assembly import STACK_NAME, context
from infra.local.aws_client import patient_client
from infra.local.deploy import create_stack
from infra.local.emulator import REGION, use_emulator_credentials
from infra.local.inbound import VERDICTS, ReceivedMail, Receiver
from infra.local.running import running_stack
from infra.local.seed import seed
from infra.local.state import Operator, read_operator
from infra.local.warm_up import api_url
from infra.release import template
from tests.e2e.local_client import LocalClient, fresh_address

pytestmark = pytest.mark.e2e

NAME, BUCKET, PREFIX, DOMAIN = "released", "archives", "flow-hitl-1.0.0/", "replies.example.com"


def test_a_request_is_answered_on_a_stack_made_of_a_releases_template(tmp_path: Path) -> None:
    with running_stack(tmp_path / "local", errors=tmp_path / "errors") as running, patch.dict(os.environ):
        use_emulator_credentials()
        endpoint_url = read_operator(running.home).endpoint_url
        outputs = launched(tmp_path / "assembly", endpoint_url)
        own = seed(Operator(endpoint_url, REGION, NAME, outputs))
        local = LocalClient(running.home, running.credentials)
        url = api_url(endpoint_url, outputs["ApiId"])
        released = LocalClient(running.home, replace(running.credentials, base_url=url, api_key=own.api_key))

        reviewer = fresh_address("ann")
        request_id = released.ask(assigned_to_email=reviewer)["request"]["id"]
        mail = local.mail(local.wait_for_mail(reviewer))
        assert str(mail["From"]).endswith(f"<reviews@{DOMAIN}>")
        assert str(mail["Reply-To"]).endswith(f"@{DOMAIN}")
        receive(endpoint_url, outputs, reviewer, str(mail["Reply-To"]), "approved\nfine")
        response = released.response(request_id)
        assert (response["outcome"], response["comment"], response["responder"]) == ("approved", "fine", reviewer)
        assert local.call("GET", f"/v1/requests/{request_id}").status_code == 404, "stacks share nothing"


def launched(folder: Path, endpoint_url: str) -> dict[str, str]:
    """Make the stack as an operator does without CDK: archives into a bucket, the template, parameters."""
    options = context() | {"inbound_domain": template.INBOUND_DOMAIN, "alarm_email": template.ALARM_EMAIL}
    del options["base_url"]
    synthesise(options, folder, checks=False)
    files = json.loads((folder / f"{STACK_NAME}.assets.json").read_text())["files"]
    archives = {digest: file for digest, file in files.items() if file["source"]["packaging"] == "zip"}
    names = {digest: f"{number}-${{Architecture}}.zip" for number, digest in enumerate(archives)}
    core = json.loads((folder / f"{STACK_NAME}.template.json").read_text())
    parameters = {
        "InboundDomain": DOMAIN,
        "AlarmEmail": "ops@example.com",
        "AssetBucket": BUCKET,
        "Architecture": options["architecture"],
    }
    s3 = patient_client("s3", endpoint_url, s3={"addressing_style": "path"})
    s3.create_bucket(Bucket=BUCKET)
    for digest, file in archives.items():
        key = PREFIX + names[digest].replace("${Architecture}", options["architecture"])
        s3.put_object(Bucket=BUCKET, Key=key, Body=stand_in.archive_for(folder / file["source"]["path"]))
    made = template.core_template(core, names, PREFIX)
    s3.put_object(Bucket=BUCKET, Key="core.template.json", Body=json.dumps(made).encode())
    url = f"{endpoint_url}/{BUCKET}/core.template.json"
    return create_stack(patient_client("cloudformation", endpoint_url), NAME, url, parameters)


def receive(endpoint_url: str, outputs: Mapping[str, str], sender: str, recipient: str, text: str) -> None:
    """Have an email arrive at the stack, as the rule of the edge's template stores it."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, recipient, "Re: your answer is needed"
    mail.set_content(text)
    receiver = Receiver(endpoint_url, outputs["MailBucket"], outputs["ReceiptsTopicArn"])
    receiver.accept(ReceivedMail(sender, (recipient,), mail.as_bytes(), dict.fromkeys(VERDICTS, "PASS")))
