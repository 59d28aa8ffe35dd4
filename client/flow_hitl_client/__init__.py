"""The flows' side of Flow HITL: ask a person, wait, go on with the answer.

`Client` speaks the HTTP contract, `flow_hitl_client.signature` checks what is pushed to you, and
`flow_hitl_client.crewai` (extra `[crewai]`) joins it to CrewAI's `@human_feedback`.
"""

from flow_hitl_client.client import Client
from flow_hitl_client.errors import (
    AlreadyResponded,
    Expired,
    FlowHitlClientError,
    Forbidden,
    IdempotencyMismatch,
    NotConfigured,
    NotFound,
    NotPending,
    ProblemError,
    RateLimited,
    ServerUnreachable,
    StillPending,
    TooLarge,
    Unauthorized,
    ValidationFailed,
)
from flow_hitl_client.types import (
    AutoResponse,
    AutoResponseOverride,
    CreatedRequest,
    Decisions,
    FreeText,
    HistoryEntry,
    Problem,
    Request,
    Response,
    Resume,
    ResumeStatus,
)

__all__ = [
    "AlreadyResponded",
    "AutoResponse",
    "AutoResponseOverride",
    "Client",
    "CreatedRequest",
    "Decisions",
    "Expired",
    "FlowHitlClientError",
    "Forbidden",
    "FreeText",
    "HistoryEntry",
    "IdempotencyMismatch",
    "NotConfigured",
    "NotFound",
    "NotPending",
    "Problem",
    "ProblemError",
    "RateLimited",
    "Request",
    "Response",
    "Resume",
    "ResumeStatus",
    "ServerUnreachable",
    "StillPending",
    "TooLarge",
    "Unauthorized",
    "ValidationFailed",
]
