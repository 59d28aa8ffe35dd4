"""Logs and metrics, the same in every function. What is logged never holds a secret, a token or a mail's text."""

from aws_lambda_powertools import Logger, single_metric
from aws_lambda_powertools.metrics import MetricUnit

SERVICE = "flow-hitl"
NAMESPACE = "FlowHitl"
AUDIT_EVENT_CHANGED = "AuditEventChanged"

logger = Logger(service=SERVICE)


def count(metric: str) -> None:
    """Count one occurrence, in CloudWatch's embedded metric format."""
    with single_metric(metric, MetricUnit.Count, 1, namespace=NAMESPACE, default_dimensions={"service": SERVICE}):
        pass
