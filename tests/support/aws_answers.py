"""Answers of AWS services that moto does not have, or not as they are documented."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

from tests.support.aws_calls import AwsCall, around_calls

ACCOUNT: dict[str, Any] = {
    "SendingEnabled": True,
    "ProductionAccessEnabled": True,
    "EnforcementStatus": "HEALTHY",
    "SendQuota": {"Max24HourSend": 50_000.0, "MaxSendRate": 14.0, "SentLast24Hours": 7.0},
}
IDENTITY: dict[str, Any] = {"VerifiedForSendingStatus": True}
DENIED = {"Error": {"Code": "AccessDeniedException", "Message": "no"}}


@contextmanager
def ses_says(account: Mapping[str, Any] = ACCOUNT, identity: Mapping[str, Any] = IDENTITY) -> Iterator[None]:
    """Answer as SES documents it, the innermost of several counting; moto has no GetAccount."""
    with answering(("sesv2", "GetAccount"), 200, account), answering(("sesv2", "GetEmailIdentity"), 200, identity):
        yield


@contextmanager
def answering(operation: tuple[str, str], status: int, answer: Mapping[str, Any]) -> Iterator[None]:
    """Answer an operation of an AWS service in its place, with a document or an error."""

    def said(call: AwsCall, _: Callable[[], Any]) -> Any:
        if status >= 300:
            raise ClientError(answer, call.operation)  # type: ignore[arg-type]
        return answer

    with around_calls(said, ".".join(operation)):
        yield
