"""What several of the handlers' tests look at."""

from typing import Any
from urllib.parse import urlsplit

from flow_hitl.bootstrap import current
from flow_hitl.deployments.deployment import Permission
from infra.local.hitl_fixture import Answer, AskedRequest, Hitl

EMIT = ("approved", "rejected")
NEW = {"flow_id": "flow_abc123", "method_name": "review_article", "message": "Publish?", "emit_options": list(EMIT)}


def assert_problem(answer: Answer, status: int, slug: str) -> Any:
    """Check that an answer is this problem document, and return it."""
    assert answer.status == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json
    assert problem["type"] == f"urn:flow-hitl:problem:{slug}"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    return problem


def assert_invalid(answer: Answer, *fields: str) -> Any:
    """Check that an answer is the 422 that names just these fields by JSON pointer, and return it."""
    problem = assert_problem(answer, 422, "validation")
    assert {error["field"] for error in problem["errors"]} == set(fields)
    assert all(error["message"] for error in problem["errors"])
    return problem


def callback(hitl: Hitl, request: AskedRequest, feedback: str = "approved", **fields: Any) -> Answer:
    """Answer by the callback URL, as another application does: without an API key."""
    body = {"feedback": feedback, **fields}
    return hitl.api("POST", urlsplit(request.callback_url).path, body, key=None)


def everything_written(hitl: Hitl) -> dict[str, int]:
    """Count what the stack holds but who called when, to see that a refused call has left nothing behind."""
    dynamodb, s3 = hitl._clients["dynamodb"], hitl._clients["s3"]
    requests = [one["pk"]["S"] for one in dynamodb.scan(TableName="requests")["Items"]]
    counts = {
        "requests": sum(not pk.startswith(("key-use#", "poll#")) for pk in requests),
        "audit": dynamodb.scan(TableName="audit", Select="COUNT")["Count"],
    }
    return {**counts, "content": s3.list_objects_v2(Bucket="content")["KeyCount"], "mails": len(hitl.inbox)}


def api_key(hitl: Hitl, *permissions: Permission, **options: Any) -> str:
    """Issue a key of the test's deployment, by default with all permissions."""
    allowed = frozenset(permissions or Permission)
    return current().manage_deployments.issue_key(hitl.deployment_id, name="k", permissions=allowed, **options).text


def key_of_another_deployment() -> str:
    """Make a second deployment and return a key of it that may do everything there."""
    manage = current().manage_deployments
    other = manage.create(name="Other", creator_email="other@example.com", organization_id=1)
    return manage.issue_key(other.deployment_id, name="k", permissions=frozenset(Permission)).text


def sqs_records(*bodies: str) -> list[dict[str, Any]]:
    """Return messages as a function gets them from a queue."""
    return [
        {
            "messageId": f"message-{number}",
            "receiptHandle": "handle",
            "body": body,
            "attributes": {"ApproximateReceiveCount": "1"},
            "messageAttributes": {},
            "eventSource": "aws:sqs",
        }
        for number, body in enumerate(bodies)
    ]
