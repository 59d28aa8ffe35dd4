"""Calls of the handlers' own client straight into moto, past HTTP and botocore."""

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any
from unittest.mock import patch

from infra.local.hitl_fixture import short_way
from infra.local.hitl_fixture.stack import REGION


@contextmanager
def answered_by_moto(*, shortly: bool = False) -> Iterator[None]:
    """Have moto answer what `JsonClient` sends, by the short way where it can."""
    from flow_hitl.platform.json_client import Answer, Connection, JsonClient

    def exchange(connection: Any, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Any:
        if shortly and method == "POST":
            service, operation = connection.endpoint.host.partition(".")[0], headers.get("x-amz-target", "")
            found = short_way.made(service, operation.partition(".")[2], body, REGION)
            if found is not None:
                return Answer(
                    200, {}, (found if isinstance(found, str) else json.dumps(found, default=_in_json)).encode()
                )
        return _exchange(connection, method, path, headers, body)

    # Nobody checks signatures here, and this is the longest part of one.
    unsigned = patch.object(JsonClient, "_signature", lambda *_: "not signed")
    with patch.object(Connection, "exchange", exchange), unsigned:
        yield


def _in_json(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _exchange(connection: Any, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Any:
    from moto.core.request import Request
    from werkzeug.exceptions import HTTPException

    from flow_hitl.platform.json_client import Answer

    url = connection.endpoint.url.rstrip("/") + path
    request = Request.from_primitives(method, url, headers, body)
    try:
        status, found, answer = _handler(connection.endpoint.host, path.partition("?")[0])(request, url, headers)
    except HTTPException as error:
        status, found, answer = error.code, error.get_headers(), error.get_body()
    named = {str(name).lower(): str(value) for name, value in dict(found).items()}
    return Answer(int(status), named, answer.encode() if isinstance(answer, str) else answer)


@cache
def _handler(host: str, path: str) -> Callable[..., Any]:
    from moto import backend_index, backends
    from moto.core.models import DEFAULT_ACCOUNT_ID

    url = f"https://{host}{path}"
    for service, pattern in backend_index.backend_url_patterns:
        # Two versions of a service may share a host.
        if pattern.match(url):
            regions = backends.get_backend(service)[DEFAULT_ACCOUNT_ID]
            # S3 has one for all regions.
            urls = regions["aws" if service == "s3" else "us-east-1"].urls
            for its_pattern, handler in urls.items():
                if re.match(its_pattern, url):
                    found: Callable[..., Any] = handler
                    return found
    raise LookupError(url)
