"""Logs and metrics, the same everywhere. Logs hold no secret, token, or address, and nothing people wrote.

Every line has what it is about: `correlation_id` (of the call, or of the queue's message), and as soon as they are
known `request_id` and `deployment_id`.
"""

import logging
import os
import re
import traceback
from typing import Any

from aws_lambda_powertools import Logger, single_metric
from aws_lambda_powertools.metrics import MetricUnit

SERVICE_VARIABLE = "POWERTOOLS_SERVICE_NAME"
SERVICE = os.environ.get(SERVICE_VARIABLE) or "flow-hitl"
"""The stack's name: two stacks of one account must not ring each other's alarms."""
NAMESPACE = "FlowHitl"
AUDIT_EVENT_CHANGED = "AuditEventChanged"
CONTENT_HELD = "ContentHeld"
CREATOR_UNREACHABLE = "CreatorUnreachable"
EVENT_NOT_COUNTED = "EventNotCounted"
FIGURES_KEPT = "FiguresKept"
MAIL_UNCERTAIN = "MailUncertain"
MESSAGE_KEEPS_FAILING = "MessageKeepsFailing"
QUOTA_NEARLY_USED = "QuotaNearlyUsed"
SWEEP_ENDED = "SweepEnded"
SWEEP_FOUND = "SweepFound"
USAGE_NOT_COUNTED = "UsageNotCounted"

logger = Logger(service=SERVICE)

_about: dict[str, Any] = {}
# Only what AWS says of its own errors is told, for other messages may quote what was read.
_TELLING = ("botocore.",)
_ADDRESS = re.compile(r"[^\s@<>\"'(]+@[^\s@<>\"')]+")


def begin(correlation_id: str) -> None:
    """Begin with another call or message: what was known of the one before is forgotten."""
    _about.clear()
    _about["correlation_id"] = correlation_id


def about(**ids: Any) -> None:
    """Have each line from now on name what it is about."""
    _about.update(ids)


class _Lines(logging.Filter):
    """Adds to each line what it is about, and takes out of tracebacks what may quote people."""

    def filter(self, record: logging.LogRecord) -> bool:
        for name, value in _about.items():
            if not hasattr(record, name):
                setattr(record, name, value)
        if record.exc_info and record.exc_info[1] is not None:
            told = _told(record.exc_info[1])
            record.exc_info = None
            record.__dict__ |= {"exception": told, "exception_name": told.splitlines()[-1].partition(":")[0]}
        return True


def _told(error: BaseException) -> str:
    """Return a traceback with the kind of each error, and the message of AWS's alone, without addresses."""
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    kind = type(error)
    name = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
    says = f": {_ADDRESS.sub('<address>', str(error))}" if name.startswith(_TELLING) else ""
    own = f"{''.join(traceback.format_tb(error.__traceback__))}{name}{says}"
    return f"{_told(before)}\n\nwhich led to\n\n{own}" if before is not None else own


logger.addFilter(_Lines())


def count(metric: str, **facts: Any) -> None:
    """Count one occurrence, in CloudWatch's embedded metric format; `facts` stand beside it in the log alone."""
    dimensions = {"service": SERVICE}
    with single_metric(metric, MetricUnit.Count, 1, namespace=NAMESPACE, default_dimensions=dimensions) as counted:
        for name, value in facts.items():
            counted.add_metadata(name, value)
