"""Logs and metrics, the same in every function. Logs never hold a secret, a token or an email's text."""

import os
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


def count(metric: str, **facts: Any) -> None:
    """Count one occurrence, in CloudWatch's embedded metric format; `facts` stand beside it in the log alone."""
    dimensions = {"service": SERVICE}
    with single_metric(metric, MetricUnit.Count, 1, namespace=NAMESPACE, default_dimensions=dimensions) as counted:
        for name, value in facts.items():
            counted.add_metadata(name, value)
