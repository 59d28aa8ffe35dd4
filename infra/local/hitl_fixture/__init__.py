"""The `hitl` pytest fixture: all of Flow HITL in the test's process, on moto, with a clock that the test turns.

The real handlers and adapters run against moto's DynamoDB, SQS, S3, SES, Scheduler, Secrets Manager, and KMS. The
fixture plays the audit stream, the queues, and the schedules between them. No threads, no ports, no waiting.

    def test_the_flow_archives_what_is_rejected(hitl):
        request = hitl.ask("Publish?", emit=["approved", "rejected"])
        hitl.reply("rejected\\nwrong price")
        assert request.outcome == "rejected"
        assert request.response["comment"] == "wrong price"
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest

from infra.local.hitl_fixture.actors import AskedRequest, Browser
from infra.local.hitl_fixture.between import sqs_record
from infra.local.hitl_fixture.clock import START
from infra.local.hitl_fixture.hitl import Hitl, made_once
from infra.local.hitl_fixture.moto_transport import answered_by_moto
from infra.local.hitl_fixture.quick_moto import quick_moto
from infra.local.hitl_fixture.seen import Answer, Mail
from infra.local.hitl_fixture.stack import REGION

__all__ = [
    "START",
    "Answer",
    "AskedRequest",
    "Browser",
    "Hitl",
    "Mail",
    "hitl",
    "hitl_on_moto",
    "made_once",
    "sqs_record",
]


@pytest.fixture
def hitl() -> Iterator[Hitl]:
    """Flow HITL on moto, with one deployment whose creator is creator@example.com."""
    with hitl_on_moto() as started:
        yield started


@contextmanager
def hitl_on_moto() -> Iterator[Hitl]:
    """Yield what the fixture does, for tests that need a fresh one several times."""
    from moto import mock_aws

    from flow_hitl import bootstrap

    environment = {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
        "POWERTOOLS_METRICS_DISABLED": "true",
        "POWERTOOLS_LOG_LEVEL": "ERROR",
    }
    with patch.dict(os.environ, environment), quick_moto(), mock_aws(), answered_by_moto(shortly=True):
        started = Hitl.start()
        clock = started.clock
        # moto's queues hide, delay, and expire messages by their own clock: make it the test's.
        with (
            patch("moto.sqs.models.unix_time", lambda: clock.now().timestamp()),
            patch("moto.sqs.models.unix_time_millis", lambda: clock.now().timestamp() * 1000),
            patch("moto.sqs.models.SQSBackend.change_message_visibility", _change_visibility),
            patch("moto.s3.models.S3Backend.list_object_versions", _versions_after_the_marker()),
            # moto has one server: nobody needs to wait until all of them are asked.
            patch("flow_hitl.delivery.dead_letter_queues.WAIT_SECONDS", 0),
        ):
            try:
                yield started
            finally:
                bootstrap.use(None)


def _versions_after_the_marker() -> Callable[..., Any]:
    """Return moto's list of versions, but from behind the marker: moto leaves out the first one there."""
    from moto.s3.models import S3Backend

    list_versions = S3Backend.list_object_versions

    def versions(backend: Any, bucket_name: str, key_marker: str | None = None, **which: Any) -> Any:
        if not key_marker or which.get("version_id_marker"):
            return list_versions(backend, bucket_name, key_marker=key_marker, **which)
        found, prefixes, markers, *_ = list_versions(backend, bucket_name, **{**which, "max_keys": 1_000_000})
        behind = [[one for one in every if one.name > key_marker] for every in (found, markers)]
        return behind[0], prefixes, behind[1], None, None

    return versions


def _change_visibility(backend: Any, queue_name: str, receipt_handle: str, visibility_timeout: int) -> None:
    """Hide a message for up to twelve hours from now: SQS counts them from each receipt, moto from the sending."""
    from moto.sqs.exceptions import InvalidParameterValue, ReceiptHandleIsInvalid

    if not 0 <= visibility_timeout <= 12 * 3600:
        raise InvalidParameterValue(f"Value {visibility_timeout} for parameter VisibilityTimeout is invalid.")
    for message in backend.get_queue(queue_name)._messages:
        if message.had_receipt_handle(receipt_handle):
            message.change_visibility(visibility_timeout)
            return
    raise ReceiptHandleIsInvalid
