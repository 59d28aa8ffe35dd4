"""Flow HITL for flows: ask a person, wait, continue with the answer.

`Client` and `AsyncClient` call the API; `flow_hitl_client.webhooks` receives and answers webhooks;
`flow_hitl_client.signature` verifies them; `flow_hitl_client.crewai` (extra `[crewai]`) connects `@human_feedback`.
"""

from flow_hitl_client.aio import AsyncClient
from flow_hitl_client.client import Client
from flow_hitl_client.errors import (
    AlreadyResponded,
    AlreadyResumed,
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
from flow_hitl_client.receipts import Receipt, ReceiptInvalid, verify_receipt
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
    "AlreadyResumed",
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
    "Receipt",
    "ReceiptInvalid",
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
    "verify_receipt",
]
