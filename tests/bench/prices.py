"""What AWS bills for a review, by the calls and units of its recording."""

from collections import Counter
from collections.abc import Sequence

from tests.bench.recording import Invocation

AS_OF = "November 2026, us-east-1, on demand"
# Dollars per million. SQS bills sending, receiving, and deleting a message.
PRICES = {
    "DynamoDB write unit": 0.625,
    "DynamoDB read unit": 0.125,
    "SQS request": 0.40,
    "HTTP API call": 1.00,
    "Lambda invocation": 0.20,
    "Scheduler invocation": 1.00,
    "S3 PUT": 5.00,
    "S3 GET": 0.40,
    "SNS publication": 0.50,
    "KMS call": 3.00,
}


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
