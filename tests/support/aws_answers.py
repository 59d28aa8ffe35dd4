"""Answers of AWS services that moto does not have, or not as they are documented."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from flow_hitl.platform import aws

ACCOUNT: dict[str, Any] = {
    "SendingEnabled": True,
    "ProductionAccessEnabled": True,
    "EnforcementStatus": "HEALTHY",
    "SendQuota": {"Max24HourSend": 50_000.0, "MaxSendRate": 14.0, "SentLast24Hours": 7.0},
}
IDENTITY: dict[str, Any] = {"VerifiedForSendingStatus": True}
DENIED = {"Error": {"Code": "AccessDeniedException", "Message": "no"}}

_answers: dict[tuple[str, str], list[tuple[SimpleNamespace, Mapping[str, Any]]]] = {}


@contextmanager
def ses_says(account: Mapping[str, Any] = ACCOUNT, identity: Mapping[str, Any] = IDENTITY) -> Iterator[None]:
    """Answer as SES documents it, the innermost of several counting; moto has no GetAccount."""
    with answering(("sesv2", "GetAccount"), 200, account), answering(("sesv2", "GetEmailIdentity"), 200, identity):
        yield


@contextmanager
def answering(operation: tuple[str, str], status: int, answer: Mapping[str, Any]) -> Iterator[None]:
    """Answer an operation of an AWS service in its place, with a document or an error."""
    events, name = aws.client(operation[0]).meta.events, "before-call." + ".".join(operation)
    open_ones = _answers.setdefault(operation, [])
    open_ones.append((SimpleNamespace(status_code=status), answer))

    def handler(**_: Any) -> Any:
        return open_ones[-1]

    events.register(name, handler)
    try:
        yield
    finally:
        events.unregister(name, handler)
        open_ones.pop()
