"""What a stack costs: while nobody asks anything, and for each review. Rules: numbers in, numbers out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from infra import prices

DAYS = 30
_HOURS = DAYS * 24
# Each queue is asked by five of Lambda's pollers, for 20 seconds at a time (AWS Lambda developer guide, "Using Lambda
# with Amazon SQS").
_POLLS_PER_QUEUE = 5 * 3 * 60 * _HOURS
# What a warm function is billed for, rounded up: most take less. Cold ones take longer, and are few.
_SECONDS = 0.1
_GB = 0.5
_LOG_BYTES = 1_000
"""Of an invocation, with Lambda's own lines."""
_STORED_BYTES = 6_000
"""Of a review, in all tables: head, content, answer, events, and what indexes repeat."""


@dataclass(frozen=True)
class Stack:
    """What a stack has that costs something by the month; the template says how many."""

    alarms: int
    keys: int
    secrets: int
    dashboards: int
    polled_queues: int
    runs_per_hour: int
    """Functions that a schedule calls, by way of a queue: the sweep, the figures, the seal."""


@dataclass(frozen=True)
class Review:
    """What one review does, from its creation until its flow has resumed; a test counts it."""

    write_units: int
    read_units: float
    api_calls: int
    invocations: int
    messages: int
    emails_sent: int = 0
    emails_received: int = 0


STACK = Stack(alarms=88, keys=3, secrets=1, dashboards=1, polled_queues=13, runs_per_hour=26)
BY_EMAIL = Review(40, read_units=15.0, api_calls=1, invocations=7, messages=3, emails_sent=2, emails_received=1)
BY_API = Review(28, read_units=6.5, api_calls=2, invocations=5, messages=1)
"""As the tests count them, who compare these numbers with a stack and a review."""


@dataclass(frozen=True)
class Item:
    """A line of the bill, in dollars."""

    name: str
    dollars: float


def idle_month(stack: Stack) -> Sequence[Item]:
    """Return what a stack costs in a month in which nothing happens, the largest first."""
    runs = stack.runs_per_hour * _HOURS
    return _largest_first(
        Item("alarms", stack.alarms * prices.ALARM_MONTH),
        Item("queues that functions wait for", stack.polled_queues * _POLLS_PER_QUEUE * prices.QUEUE_CALL),
        Item("keys and secrets", stack.keys * prices.KEY_MONTH + stack.secrets * prices.SECRET_MONTH),
        Item("dashboard", stack.dashboards * prices.DASHBOARD_MONTH),
        Item("sweep, figures and seal", runs * (_function() + prices.QUEUED_MESSAGE + 4 * prices.READ_UNIT)),
    )


def of_reviews(review: Review, number: float) -> Sequence[Item]:
    """Return what a number of reviews costs, the largest first; storage is that of the first month."""
    each = (
        Item("writes to the tables", review.write_units * prices.WRITE_UNIT + review.read_units * prices.READ_UNIT),
        Item("functions", review.invocations * _function()),
        Item("API calls", review.api_calls * prices.API_CALL),
        Item("queues", review.messages * prices.QUEUED_MESSAGE),
        Item("emails sent", review.emails_sent * prices.EMAIL_SENT),
        Item("emails received", review.emails_received * _received()),
        Item("storage", _STORED_BYTES / 1e9 * prices.STORED_GB_MONTH),
    )
    return _largest_first(*(Item(one.name, one.dollars * number) for one in each if one.dollars))


def total(items: Sequence[Item]) -> float:
    """Return the sum in dollars."""
    return sum(one.dollars for one in items)


@dataclass(frozen=True)
class Limit:
    """A quota, and how many reviews a day it lets through."""

    name: str
    reviews_a_day: float
    remedy: str


def limits(
    review: Review,
    *,
    requests_per_hour: int,
    mails_per_day: int,
    ses_per_day: float | None,
    remedies: Mapping[str, str],
) -> Sequence[Limit]:
    """Return the quotas that bind, the narrowest first; reviews are taken to come evenly within eight hours.

    `ses_per_day` is None where it is not known.
    """
    found = [Limit("requests_per_hour", requests_per_hour * 8, remedies["requests_per_hour"])]
    if review.emails_sent:
        found.append(Limit("mails_per_day", mails_per_day / review.emails_sent, remedies["mails_per_day"]))
        if ses_per_day is not None:
            found.append(Limit("the quota of SES", ses_per_day / review.emails_sent, remedies["ses"]))
    return sorted(found, key=lambda one: one.reviews_a_day)


def _function() -> float:
    return prices.INVOCATION + _SECONDS * _GB * prices.GB_SECOND + _LOG_BYTES / 1e9 * prices.LOGGED_GB


def _received() -> float:
    """Return the price of an email that comes in: SES, the object, and the notification, which a queue gets."""
    told = prices.NOTIFICATION + prices.QUEUED_MESSAGE
    return prices.EMAIL_RECEIVED + prices.OBJECT_WRITTEN + prices.OBJECT_READ + told


def _largest_first(*items: Item) -> Sequence[Item]:
    return sorted(items, key=lambda one: -one.dollars)
