"""Our client of AWS and boto3 keep the same contract on the emulator."""

import os
from typing import Any
from unittest.mock import patch

import pytest

from flow_hitl.platform import aws
from tests.e2e.local_client import LocalClient
from tests.support.aws_contract import CHECKS, Check, Stand

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("choice", ["json", "boto3"])
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_contract_on_the_emulator(local: LocalClient, check: Check, choice: Any) -> None:
    environment = {
        "AWS_ENDPOINT_URL": local.operator.endpoint_url,
        "AWS_DEFAULT_REGION": local.operator.region,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    with patch.dict(os.environ, environment):
        check(Stand(lambda service: aws.client.__wrapped__(service, choice), local.aws))
