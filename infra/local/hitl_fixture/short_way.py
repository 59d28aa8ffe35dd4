"""The short way from a client to moto and back: no HTTP request and no HTTP response between them."""

import copy
import json
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from infra.local.hitl_fixture.stack import ACCOUNT

# Of each service, the operations, and what moto calls them.
_OPERATIONS = {
    "dynamodb": {
        "BatchGetItem": "batch_get_item",
        "DeleteItem": "delete_item",
        "GetItem": "get_item",
        "PutItem": "put_item",
        "Query": "query",
        "Scan": "scan",
        "TransactGetItems": "transact_get_items",
        "TransactWriteItems": "transact_write_items",
        "UpdateItem": "update_item",
    },
    "kms": {"Decrypt": "decrypt", "Encrypt": "encrypt"},
    "s3": {"ListObjectVersions": ""},
    "secretsmanager": {"GetSecretValue": "get_secret_value"},
    "sqs": {
        "ChangeMessageVisibility": "change_message_visibility",
        "DeleteMessage": "delete_message",
        "GetQueueAttributes": "get_queue_attributes",
        "ReceiveMessage": "receive_message",
        "SendMessage": "send_message",
    },
}
_BYTES = (b'"B":', b'"BS":', b'"BinaryValue":')


def answer(endpoint: Any, operation: Any, request: Any) -> tuple[Any, dict[str, Any]] | None:
    """Return what `Endpoint.make_request` would, or None for a call that has to go the long way.

    The short way is that of the usual calls, and of listings of S3 that find nothing; but not of calls that a test
    looks at on their way.
    """
    service = operation.service_model.service_name
    if operation.name not in _OPERATIONS.get(service, ()) or _is_watched(endpoint, service, operation.name):
        return None
    if service == "s3":
        found = _empty_listing(request)
    else:
        result = made(service, operation.name, request["body"], request["context"]["client_region"])
        if isinstance(result, str):
            found = _parsed(result, operation.output_shape)
        else:
            found = result and {name: value for name, value in result.items() if name in operation.output_shape.members}
    if found is None:
        return None
    from botocore.awsrequest import AWSResponse
    from botocore.compat import HTTPHeaders

    metadata = {"HTTPStatusCode": 200, "HTTPHeaders": {}, "RetryAttempts": 0}
    return AWSResponse(request["url"], 200, HTTPHeaders(), None), {**found, "ResponseMetadata": metadata}


def _is_watched(endpoint: Any, service: str, operation: str) -> bool:
    """Tell whether somebody but moto wants to see the HTTP request."""
    from moto.core.models import botocore_stubber

    handlers = endpoint._event_emitter._emitter._handlers.prefix_search(f"before-send.{service}.{operation}")
    return any(handler is not botocore_stubber for handler in handlers)


def made(service: str, operation: str, body: bytes, region: str) -> dict[str, Any] | str | None:
    """Make the call and return the answer, or its JSON; None if it is an unusual one, gets bytes, or fails.

    DynamoDB's items may hold bytes: moto keeps them as they come.

    A failed call has changed nothing, so it can be made again, and gets the error as moto puts it.
    """
    from moto.core.exceptions import ServiceException
    from werkzeug.exceptions import HTTPException

    has_bytes = service != "dynamodb" and any(name in body for name in _BYTES)
    if operation not in _OPERATIONS.get(service, ()) or has_bytes:
        return None
    handler = copy.copy(_handler(service))
    handler.current_account, handler.region = ACCOUNT, region
    handler.params, handler.uri_match, handler.querystring = json.loads(body), {}, {}
    handler.body = handler.params if service == "dynamodb" else body.decode()
    try:
        result = getattr(handler, _OPERATIONS[service][operation])()
    except (ServiceException, HTTPException):
        return None
    if isinstance(result, str):
        return result
    return {name: value for name, value in (result.result or {}).items() if value is not None}


@cache
def _handler(service: str) -> Any:
    from moto.dynamodb.responses import DynamoHandler
    from moto.kms.responses import KmsResponse
    from moto.secretsmanager.responses import SecretsManagerResponse
    from moto.sqs.responses import SQSResponse

    handlers: dict[str, Any] = {
        "dynamodb": DynamoHandler,
        "kms": KmsResponse,
        "secretsmanager": SecretsManagerResponse,
        "sqs": SQSResponse,
    }
    return handlers[service]()


def _parsed(body: str, shape: Any) -> dict[str, Any]:
    from botocore.parsers import create_parser

    answered = {"body": body.encode(), "headers": {}, "status_code": 200}
    parsed: dict[str, Any] = create_parser("json").parse(answered, shape)
    return parsed


def _empty_listing(request: Mapping[str, Any]) -> dict[str, Any] | None:
    from moto.s3.models import s3_backends

    asked, url = request["query_string"], urlsplit(request["url"])
    bucket, prefix, after = url.netloc.partition(".")[0], asked.get("prefix", ""), asked.get("key-marker", "")
    found = s3_backends[ACCOUNT]["aws"].buckets.get(bucket)
    if found is None or "version-id-marker" in asked:
        return None
    if any(name.startswith(prefix) and name > after for name in found.keys):
        return None
    most = int(asked.get("max-keys", 1000))
    return {"IsTruncated": False, "Name": bucket, "Prefix": prefix, "KeyMarker": after, "MaxKeys": most}
