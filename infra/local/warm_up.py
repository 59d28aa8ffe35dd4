"""The slow first call of every function, made before anyone waits for it."""

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed

import urllib3

from infra.local.aws_client import patient_client
from infra.local.failure import StackFailed
from infra.local.patience import HANG_SECONDS

# What SNS sends once to a new subscriber: every worker ignores it.
MESSAGE = {
    "messageId": "warm-up",
    "receiptHandle": "warm-up",
    "body": json.dumps({"notificationType": "AmazonSnsSubscriptionSucceeded"}),
    "attributes": {"ApproximateReceiveCount": "1"},
    "messageAttributes": {},
    "eventSource": "aws:sqs",
}


def api_url(endpoint_url: str, api_id: str) -> str:
    """Return where the emulator serves an HTTP API."""
    return f"{endpoint_url}/_aws/execute-api/{api_id}/$default"


def warm_up(endpoint_url: str, api_id: str, note: Callable[[str], None]) -> None:
    """Call each function once, all at the same time, and note how many have answered; raises StackFailed."""
    client = patient_client("lambda", endpoint_url, max_pool_connections=20)
    mappings = client.list_event_source_mappings()["EventSourceMappings"]
    # The functions behind a stream take an empty batch; those behind queues would fail on one.
    streams = {mapping["FunctionArn"] for mapping in mappings if ":dynamodb:" in mapping["EventSourceArn"]}
    workers = sorted({mapping["FunctionArn"] for mapping in mappings})
    api = patient_client("apigatewayv2", endpoint_url)
    routes = api.get_paginator("get_routes").paginate(ApiId=api_id).search("Items[]")
    # One route of each function; the call is refused, after the function has started.
    keys = {route["Target"]: route["RouteKey"] for route in routes if route["RouteKey"] != "$default"}
    pool = urllib3.PoolManager(retries=False, timeout=HANG_SECONDS)

    def call_api(route_key: str) -> str:
        method, path = route_key.split()
        path = re.sub(r"{\w+}", "none", path)
        return pool.request(method, api_url(endpoint_url, api_id) + path).data.decode()

    def call_worker(arn: str) -> str:
        batch = {"Records": [] if arn in streams else [MESSAGE]}
        answer = client.invoke(FunctionName=arn, Payload=json.dumps(batch).encode())
        return f"{arn}: {answer['Payload'].read().decode()}"

    calls: list[Callable[[], str]] = [lambda arn=arn: call_worker(arn) for arn in workers]  # type: ignore[misc]
    calls += [lambda key=key: call_api(key) for key in keys.values()]  # type: ignore[misc]
    with ThreadPoolExecutor(len(calls)) as executor:
        for count, call in enumerate(as_completed([executor.submit(call) for call in calls]), 1):
            answer = call.result()
            # So the emulator reports a function whose import fails.
            if "Worker init failed" in answer or "Worker process exited" in answer:
                raise StackFailed(f"A function does not start. Fix it and start again: {answer}")
            note(f"{count} of {len(calls)} functions have started")
