"""The flows' side of Flow HITL: ask a person, wait, go on with the answer.

`Client` and `AsyncClient` speak the HTTP contract, `flow_hitl_client.webhooks` reads and answers what is pushed to you,
`flow_hitl_client.signature` checks it, and `flow_hitl_client.crewai` (extra `[crewai]`) joins all to CrewAI's
`@human_feedback`.
"""

from flow_hitl_client.aio import AsyncClient
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
    RequestPage,
    Response,
    Resume,
    ResumeEvent,
    ResumeStatus,
    WebhookEvent,
    WebhookRequest,
)

__all__ = [
    "AlreadyResponded",
    "AsyncClient",
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
    "RequestPage",
    "Response",
    "Resume",
    "ResumeEvent",
    "ResumeStatus",
    "ServerUnreachable",
    "StillPending",
    "TooLarge",
    "Unauthorized",
    "ValidationFailed",
    "WebhookEvent",
    "WebhookRequest",
]
