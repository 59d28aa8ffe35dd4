"""What AWS bills for a review, by the calls and units of its recording."""

from collections import Counter
from collections.abc import Sequence

from infra import prices
from tests.bench.recording import Invocation

AS_OF = f"{prices.AS_OF}, us-east-1, on demand"
# SQS bills sending, receiving, and deleting a message.
_EACH = {
    "DynamoDB write unit": prices.WRITE_UNIT,
    "DynamoDB read unit": prices.READ_UNIT,
    "SQS request": prices.QUEUE_CALL,
    "HTTP API call": prices.API_CALL,
    "Lambda invocation": prices.INVOCATION,
    "Scheduler invocation": prices.SCHEDULE,
    "S3 PUT": prices.OBJECT_WRITTEN,
    "S3 GET": prices.OBJECT_READ,
    "SNS publication": prices.NOTIFICATION,
    "KMS call": prices.KEY_CALL,
}
PRICES = {name: round(dollars * 1_000_000, 6) for name, dollars in _EACH.items()}
"""Dollars per million."""


def dollars_per_million(review: Sequence[Invocation], write_units: float, read_units: float) -> dict[str, float]:
    """Return what a million of a review cost, by what is billed; without SES and without Lambda's memory and time."""
    calls = Counter(f"{made.service}.{made.operation}" for one in review for made in one.calls)
    functions = Counter(one.function for one in review)
    emails_in = functions["inbound_mail"]
    messages = calls["sqs.SendMessage"] + emails_in + functions["deadline"]
    billed = {
        "DynamoDB write unit": write_units,
        "DynamoDB read unit": read_units,
        "SQS request": 3 * messages,
        "HTTP API call": sum("rawPath" in one.event for one in review),
        "Lambda invocation": len(review),
        "Scheduler invocation": calls["scheduler.CreateSchedule"],
        # SES stores each email that comes in, and tells of it by SNS.
        "S3 PUT": calls["s3.PutObject"] + emails_in,
        "S3 GET": calls["s3.GetObject"],
        "SNS publication": emails_in,
        "KMS call": sum(number for name, number in calls.items() if name.startswith("kms.")),
    }
    return {name: number * PRICES[name] for name, number in billed.items() if number}
