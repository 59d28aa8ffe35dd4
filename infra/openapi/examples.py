"""One example of each document, of one story: an article is to be approved. The tests hold them against the schemas."""

import base64
import hashlib
from typing import Any

from flow_hitl.platform.errors import Internal

Document = dict[str, Any]

_REQUEST_ID = "0192f0c1-7e11-7abc-8def-0123456789ab"
_WEBHOOK_ID = "wh_5d1f0c8e9a7b4c3d8e2f1a0b9c8d7e6f"
_DELIVERY_ID = "dlv_0069678a40c3a1f0e2d4b5968778695a4b"
_KEY_ID = "3f9a1c07"
_EXPORT_ID = "exp_0069678a40c3a1f0e2d4b5968778695a4b3c2d1e0f"

PATH_NAMES: Document = {
    "request_id": _REQUEST_ID,
    "deployment_id": 456,
    "email": "ana@example.com",
    "key_id": _KEY_ID,
    "webhook_id": _WEBHOOK_ID,
    "delivery_id": _DELIVERY_ID,
    "export_id": _EXPORT_ID,
    "token": "eyJyIjoiMDE5MmYwYzEifQ.c2lnbmF0dXJl",
    "name": "start.js",
}
"""An example of each name in a path."""

CURSOR = "eyJhZnRlciI6IjAiLCJzaG93biI6W119"

# One transparent pixel.
_IMAGE = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
NEW_REQUEST: Document = {
    "flow_id": "flow_abc123",
    "flow_name": "ContentApprovalFlow",
    "method_name": "review_article",
    "title": "Spring sale article",
    "message": "Please review this article for publication.",
    "output": "# Spring sale\n\nEverything must go.",
    "emit_options": ["approved", "rejected", "request_changes"],
    "options": {
        "request_changes": {"label": "Ask for changes", "hint": "The writer revises it.", "comment": "required"}
    },
    "state": {"article_id": 12345, "category": "technology", "sales_rep_email": "alice@example.com"},
    "metadata": {"requested_by": "john@example.com"},
    "history": [{"method": "generate_content", "at": "2026-01-14T11:58:00Z", "output": "First draft"}],
    "receipt": True,
    "editable": True,
    "response_schema": {
        "type": "object",
        "properties": {
            "channel": {
                "type": "string",
                "enum": ["blog", "newsletter"],
                "title": "Where to publish",
                "default": "blog",
            },
            "publish_on": {"type": "string", "format": "date"},
            "budget": {"type": "number", "minimum": 0, "maximum": 5000, "description": "For the campaign, in euros"},
        },
        "required": ["channel"],
    },
    "questions": True,
    "attachments": [{"name": "banner.gif", "media_type": "image/gif", "content": base64.b64encode(_IMAGE).decode()}],
    "resume_url": "https://flows.example.com/hitl/resume",
    "auto_response": {"timeout_minutes": 60, "default_outcome": "rejected"},
}

PENDING: Document = {
    "id": _REQUEST_ID,
    "status": "pending",
    **{name: value for name, value in NEW_REQUEST.items() if name not in ("resume_url", "auto_response")},
    "options": {
        "approved": {"label": "Approved", "hint": None, "tone": "positive", "comment": "optional"},
        "rejected": {"label": "Rejected", "hint": None, "tone": "negative", "comment": "optional"},
        "request_changes": {
            "label": "Ask for changes",
            "hint": "The writer revises it.",
            "tone": "neutral",
            "comment": "required",
        },
    },
    "thread": [],
    "attachments": [
        {
            "name": "banner.gif",
            "media_type": "image/gif",
            "size": len(_IMAGE),
            "sha256": hashlib.sha256(_IMAGE).hexdigest(),
            "url": f"https://hitl.example.com/v1/attachments/{PATH_NAMES['token']}",
        }
    ],
    "created_at": "2026-01-14T12:00:00Z",
    "assigned_to_email": "alice@example.com",
    "assigned_by": "assign_from_input",
    "routing_rule": "Articles to their owner",
    "auto_response": {"timeout_minutes": 60, "default_outcome": "rejected", "due_at": "2026-01-14T13:00:00Z"},
    "sla_due_at": "2026-01-14T12:45:00Z",
    "approval_ttl_minutes": 1440,
    "warnings": [],
    "test": False,
    "response": None,
    "resume": None,
    "content_erased_at": None,
}
_RESPONSE: Document = {
    "outcome": "approved",
    "feedback": "Approved.",
    "comment": "Great article!",
    "responded_via": "email",
    "responder": "alice@example.com",
    "responder_verified": True,
    "source": None,
    "responded_at": "2026-01-14T12:30:00Z",
    "response_seconds": 1800,
    "valid_until": "2026-01-15T12:30:00Z",
    "output": "# Spring sale\n\nSelected items must go.",
    "data": {"channel": "newsletter", "publish_on": "2026-01-20"},
    "receipt": "eyJhbGciOiJFUzI1NiJ9.eyJvdXRjb21lIjoiYXBwcm92ZWQifQ.c2lnbmF0dXJl",
}
RESPONDED: Document = {
    **PENDING,
    "status": "responded",
    "response": _RESPONSE,
    "resume": {"status": "delivered", "attempts": 1, "last_status": 200},
}
RECEIPT_KEYS: Document = {
    "keys": [
        {
            "kty": "EC",
            "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
            "kid": "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752",
            "use": "sig",
            "alg": "ES256",
            "retired_at": None,
        }
    ]
}
QUESTION: Document = {"text": "Does the sale include last year's models?"}
QUESTION_ANSWER: Document = {"text": "No, only those of this season."}
_QUESTION: Document = {
    "id": "7c9e6679f4b24c5d9d1f0a8b6e3c2d10",
    "kind": "question",
    "text": QUESTION["text"],
    "at": "2026-01-14T12:10:00Z",
    "by": "alice@example.com",
}
ASKED: Document = {**PENDING, "thread": [_QUESTION]}
TALKED: Document = {
    **PENDING,
    "thread": [
        _QUESTION,
        {
            "id": "0f8fad5bd9cb469fa16570867728950e",
            "kind": "answer",
            "text": QUESTION_ANSWER["text"],
            "at": "2026-01-14T12:15:00Z",
            "by": None,
        },
    ],
}
CANCELLED: Document = {**PENDING, "status": "cancelled"}
REASSIGNED: Document = {**PENDING, "assigned_to_email": "bob@example.com", "assigned_by": "reassignment"}
RESUMED: Document = {**RESPONDED, "resume": {"status": "resumed", "attempts": 1, "last_status": 200}}

CALLBACK_URL = f"https://hitl.example.com/v1/callbacks/{PATH_NAMES['token']}"
DASHBOARD_URL = f"https://hitl.example.com/d/456/requests/{PENDING['id']}"
OPENED: Document = {"request": PENDING, "callback_url": CALLBACK_URL, "dashboard_url": DASHBOARD_URL}
REQUESTS: Document = {"requests": [PENDING], "next_cursor": None}
DECISIONS: Document = {"decisions": [RESPONDED], "cursor": CURSOR}

REASSIGNMENT: Document = {"assigned_to_email": "bob@example.com"}
RESUME_REPORT: Document = {"status": "resumed", "detail": None, "once": True}

TIMELINE: Document = {
    "events": [
        {
            "subject": f"request#{_REQUEST_ID}",
            "seq": 2,
            "event_id": "01b44f1c8a9d4e0f9a3b2c1d0e9f8a7b",
            "kind": "notification_sent",
            "at": "2026-01-14T12:00:01Z",
            "actor": "flow-hitl",
            "data": {"to": "alice@example.com", "message_id": "010f019bbc2d7c11-3b2a"},
            "prev_hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "hash": "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752",
        }
    ]
}

DIAGNOSIS: Document = {
    "diagnosis": {
        "request_id": _REQUEST_ID,
        "questions": [
            {
                "question": "mail_not_sent",
                "status": "problem",
                "findings": [
                    {
                        "fact": "Email notifications are off in the settings of this deployment.",
                        "status": "problem",
                        "next_step": "Set email_notifications to true, then reassign the request.",
                    }
                ],
            },
            {"question": "reply_not_processed", "status": "waiting", "findings": []},
            {"question": "flow_not_resumed", "status": "not_applicable", "findings": []},
        ],
    }
}
NEW_TEST_REQUEST: Document = {"to": "ana@example.com"}
TEST_REQUEST: Document = {
    **PENDING,
    "flow_id": "test",
    "flow_name": None,
    "method_name": "test_request",
    "message": "Please answer this test.",
    "output": None,
    "editable": False,
    "response_schema": None,
    "questions": False,
    "attachments": [],
    "receipt": False,
    "emit_options": ["It works", "Something is wrong"],
    "options": {
        value: {"label": value, "hint": None, "tone": "neutral", "comment": "optional"}
        for value in ("It works", "Something is wrong")
    },
    "state": {},
    "metadata": {},
    "history": [],
    "assigned_to_email": "ana@example.com",
    "assigned_by": "request",
    "routing_rule": None,
    "auto_response": None,
    "test": True,
}

CALLBACK_ANSWER: Document = {
    "feedback": "Approved. Great article!",
    "source": "my_custom_app",
    "outcome": "approved",
    "output": "# Spring sale\n\nSelected items must go.",
    "data": {"channel": "newsletter", "publish_on": "2026-01-20"},
    "responder": "alice@example.com",
}
ACCEPTED: Document = {
    "status": "accepted",
    "request": {
        **RESPONDED,
        "response": {
            **_RESPONSE,
            "feedback": "Approved. Great article!",
            "comment": "",
            "responded_via": "api",
            "responder_verified": False,
            "source": "my_custom_app",
        },
        "resume": {"status": "waiting", "attempts": 0, "last_status": None},
    },
}
CONTENT: Document = {
    **{name: NEW_REQUEST[name] for name in ("message", "output", "state", "metadata")},
}

SETTINGS: Document = {
    "email_notifications": True,
    "sla_target_minutes": 45,
    "auto_response": {"enabled": True, "timeout_minutes": 60, "default_outcome": "rejected"},
    "reply_token_days": 7,
    "free_text": "accept",
    "reminders": [{"minutes_before_timeout": 15}, {"share_of_sla": 0.5}],
    "require_dmarc_pass": False,
    "forbid_self_approval": False,
    "allowed_assignee_domains": ["example.com"],
    "groups": [{"name": "finance", "members": ["ana@example.com", "bo@example.com"]}],
    "allow_delegation": True,
    "waiting_alert_minutes": 15,
    "approval_ttl_minutes": 1440,
    "keep_content_days": 365,
    "keep_emails_days": 14,
}
CHANGED_SETTINGS: Document = {**SETTINGS, "warnings": []}

RULES: Document = {
    "rules": [
        {
            "name": "Large sums to the board",
            "match": {"method_name": "approve_*", "condition": {"state.amount": {"gt": 10000}}},
            "assign_to_email": "group:finance",
            "assign_from_input": None,
            "sla_target_minutes": 240,
            "approval_ttl_minutes": 480,
        },
        {
            "name": "Articles to their owner",
            "match": {"method_name": "review_*"},
            "assign_to_email": None,
            "assign_from_input": "sales_rep_email",
        },
    ]
}
CHANGED_RULES: Document = {**RULES, "warnings": []}
DRY_RUN: Document = {"method_name": "review_article", "state": {"sales_rep_email": "alice@example.com"}}
DRY_RUN_RESULT: Document = {
    "assigned_to_email": "alice@example.com",
    "assigned_by": "assign_from_input",
    "routing_rule": "Articles to their owner",
    "reasons": [
        'rule "Articles to their owner" matches review_article by review_*',
        "assign_from_input: sales_rep_email in the state",
    ],
    "considered": [
        {
            "name": "Large sums to the board",
            "matched": False,
            "reason": "review_article does not fit approve_*",
        },
        {
            "name": "Articles to their owner",
            "matched": True,
            "reason": 'rule "Articles to their owner" matches review_article by review_*',
        },
        {
            "name": "The rest to the editors",
            "matched": False,
            "reason": 'not reached: the rule "Articles to their owner" before it matches',
        },
    ],
    "sla_target_minutes": 45,
    "auto_response": {"timeout_minutes": 60, "default_outcome": "rejected"},
    "approval_ttl_minutes": 1440,
}

NEW_MEMBER: Document = {
    "permissions": ["respond_to_human_feedback"],
    "aliases": ["ana@mail.example.com"],
    "timezone": "Europe/Berlin",
}
MEMBER: Document = {"email": PATH_NAMES["email"], **NEW_MEMBER}
MEMBERS: Document = {"members": [MEMBER]}

NEW_KEY: Document = {"name": "production", "permissions": ["create_requests"], "expires_at": "2099-01-14T12:00:00Z"}
KEY: Document = {
    "id": _KEY_ID,
    **NEW_KEY,
    "created_at": "2026-01-14T12:00:00Z",
    "last_used_at": "2026-01-15T08:00:00Z",
}
KEYS: Document = {"api_keys": [KEY]}
ISSUED_KEY: Document = {"api_key": {**KEY, "last_used_at": None}, "key": f"hitl_456_{_KEY_ID}_…"}

_FIGURES: Document = {
    "created": 2,
    "responded": 1,
    "cancelled": 0,
    "average_response_seconds": 1800.0,
    "median_response_seconds": 1796.2,
    "sla_met": 1,
    "sla_missed": 0,
    "sla_compliance": 1.0,
    "auto_responded": 0,
    "auto_response_share": 0.0,
    "outcomes": [{"outcome": "approved", "count": 1, "share": 1.0}],
}
ANALYTICS: Document = {
    "from": "2026-01-14",
    "to": "2026-01-14",
    "group_by": "reviewer",
    "totals": _FIGURES,
    "groups": [{"reviewer": "alice@example.com", **_FIGURES}],
    "others": None,
    "review_types": [{"method": "review_article", **_FIGURES}],
    "volume_by_day": [{"day": "2026-01-14", "created": 2, "responded": 1}],
    "volume_by_hour_of_week": [[2 if (day, hour) == (2, 12) else 0 for hour in range(24)] for day in range(7)],
    "up_to_date": True,
    "pending_now": 1,
    "overdue": 0,
    "alerts": [{"kind": "waiting", "requests": 1, "minutes": 15, "text": "1 request waiting > 15 min"}],
    "median_error": 0.0244,
}

AUDIT_LOG: Document = {**TIMELINE, "next_cursor": None}
VERIFICATION: Document = {
    "from": "2026-01-14T00:00:00Z",
    "to": "2026-01-15T00:00:00Z",
    "verified": False,
    "findings": [
        {
            "kind": "edited",
            "record": f"request#{_REQUEST_ID} event 2",
            "detail": "does not match its hash",
            "subject": f"request#{_REQUEST_ID}",
            "seq": 2,
            "doubtful_from": None,
            "digest": None,
            "file": None,
        }
    ],
    "events": 12,
    "chains": 3,
    "digests": 1,
    "unsealed_events": 0,
    "erased_contents": 0,
    "sealed_until": "2026-01-15T00:00:00Z",
    "next_cursor": None,
    "conclusion": "These records were changed after they were written.",
}
NEW_EXPORT: Document = {"from": "2026-01-14T00:00:00Z", "to": "2026-01-15T00:00:00Z", "format": "csv"}
_EXPORT: Document = {
    "id": _EXPORT_ID,
    "state": "pending",
    **NEW_EXPORT,
    "requested_by": f"api_key/{_KEY_ID}",
    "requested_at": "2026-01-16T09:00:00Z",
    "events": 0,
    "digests": 0,
    "sealed_until": None,
    "unsealed_events": 0,
    "reason": None,
    "finished_at": None,
    "kept_until": "2026-01-23T09:00:00Z",
    "manifest_sha256": None,
    "files": [],
}
STARTED_EXPORT: Document = {"export": _EXPORT}
_MANIFEST_SHA256 = "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"
EXPORT: Document = {
    "export": {
        **_EXPORT,
        "state": "done",
        "events": 12,
        "digests": 1,
        "sealed_until": "2026-01-15T00:00:00Z",
        "finished_at": "2026-01-16T09:00:05Z",
        "manifest_sha256": _MANIFEST_SHA256,
        "files": [
            {
                "name": "manifest.json",
                "kind": "manifest",
                "bytes": 1466,
                "sha256": _MANIFEST_SHA256,
                "url": "https://exports.example.com/manifest.json?signature=c2lnbmF0dXJl",
            }
        ],
    }
}

NEW_WEBHOOK: Document = {
    "name": "Approvals app",
    "url": "https://app.example.com/hooks/flow-hitl",
    "events": ["new_request", "response_submitted"],
    "active": True,
}
WEBHOOK: Document = {
    "id": _WEBHOOK_ID,
    **NEW_WEBHOOK,
    "created_at": "2026-01-14T12:00:00Z",
    "secret_signs_from": "2026-01-14T12:00:00Z",
}
WEBHOOKS: Document = {"webhooks": [WEBHOOK]}
CREATED_WEBHOOK: Document = {"webhook": WEBHOOK, "secret": "whsec_…"}
WEBHOOK_PATCH: Document = {"active": False}
PATCHED_WEBHOOK: Document = {"webhook": {**WEBHOOK, **WEBHOOK_PATCH}}
ROTATION: Document = {"signs_from": "2026-01-21T12:00:00Z"}
ROTATED: Document = {"secret": "whsec_…", "signs_from": "2026-01-21T12:00:00Z"}

DELIVERY: Document = {
    "id": _DELIVERY_ID,
    "webhook_id": _WEBHOOK_ID,
    "event": "new_request",
    "request_id": _REQUEST_ID,
    "status": "delivered",
    "http_status": 204,
    "reason": "HTTP 204",
    "duration_ms": 87,
    "response": "",
    "attempts": 1,
    "at": "2026-01-14T12:00:00Z",
    "finished_at": "2026-01-14T12:00:01Z",
    "redelivery_of": None,
}
DELIVERIES: Document = {"deliveries": [DELIVERY], "next_cursor": None}
_TO_COME: Document = {
    **DELIVERY,
    **dict.fromkeys(("http_status", "reason", "duration_ms", "response", "finished_at")),
    "status": "pending",
    "attempts": 0,
}
PING: Document = {"delivery": {**_TO_COME, "event": "test", "request_id": None}}
REDELIVERY: Document = {"delivery": {**_TO_COME, "redelivery_of": "dlv_0069678a3b00112233445566778899aabb"}}

WEBHOOK_PAYLOAD: Document = {
    "event": "new_request",
    "request": {
        name: PENDING[name]
        for name in (
            "id",
            "flow_id",
            "method_name",
            "message",
            "emit_options",
            "state",
            "metadata",
            "created_at",
            "output",
            "title",
            "options",
        )
    },
    "deployment": {"id": 456, "name": "Content Review Flow", "organization_id": 789},
    "callback_url": CALLBACK_URL,
    "assigned_to_email": "alice@example.com",
}
RESUME_PAYLOAD: Document = {"event": "response_submitted", "request": RESPONDED}
QUESTION_PAYLOAD: Document = {"event": "question_asked", "request": {**ASKED, "question": _QUESTION}}

DETAILS = {
    "malformed-json": "This is no JSON in UTF-8: expected value at line 1 column 1.",
    "unauthorized": "Send the header `Authorization: Bearer hitl_…` with an API key of your deployment.",
    "forbidden": 'The API key "production" may not do this; it needs manage_human_feedback.',
    "not-found": "There is no such request.",
    "already-responded": "This request was answered before; the first answer counts.",
    "already-resumed": "Somebody else has claimed the resumption of this flow: leave it to them. If they can no longer "
    "do it, report resume_failed; then claim it again.",
    "questions-off": "This request takes no questions.",
    "no-question": "The question has been answered; the first answer counts.",
    "not-pending": "This request is cancelled; it takes no answer.",
    "expired": "This link has expired. Ask for a redelivery.",
    "precondition-failed": "This was changed since you read it. Read it again, apply your change, and send that.",
    "too-large": "A body may be at most 1 MiB (1,048,576 bytes), and a request's attachments 3 MiB more; host larger "
    "content elsewhere and link to it.",
    "validation": "/emit_options/0: must not be blank",
    "idempotency-mismatch": "This id or Idempotency-Key stands for a request with another body.",
    "precondition-required": "Send the ETag of what you have read as `If-Match`, or `If-Match: *` to replace "
    "whatever is there.",
    "rate-limited": "This deployment may use 1,000 requests per hour, and has. Try again after 2026-01-14T13:00:00Z, "
    "or ask your operator to raise the quota (flow-hitl deployment quota).",
    "internal": Internal().detail,
}
"""What each problem says, by its slug."""

MEMBERS_OF_PROBLEMS: Document = {
    "responded_via": "email",
    "responded_at": "2026-01-14T12:30:00Z",
    "outcome": "approved",
    "request_status": "cancelled",
    "quota": "requests_per_hour",
    "limit": 1000,
    "retry_after": 1200,
    "errors": [{"field": "/emit_options/0", "message": "must not be blank"}],
}
"""What problems carry beside the usual four."""
