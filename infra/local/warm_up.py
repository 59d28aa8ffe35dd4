"""The first, slow call of every function, made before anyone waits for it."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed

import urllib3

from infra.local.aws_client import patient_client
from infra.local.failure import StackFailed
from infra.local.patience import HANG_SECONDS

# One call per function behind the API; each is refused, after the function has started.
API_CALLS = (
    ("GET", "/v1/requests"),
    ("GET", "/v1/deployments/none/settings"),
    ("GET", "/review/none"),
    ("POST", "/v1/callbacks/none"),
    ("GET", "/docs/none"),
)
# What SNS says once to a new subscriber: the one message that may arrive at a queue and asks for nothing.
MESSAGE = {
    "messageId": "warm-up",
    "receiptHandle": "warm-up",
    "body": json.dumps({"notificationType": "AmazonSnsSubscriptionSucceeded"}),
    "attributes": {"ApproximateReceiveCount": "1"},
    "messageAttributes": {},
    "eventSource": "aws:sqs",
}


def warm_up(endpoint_url: str, api_url: str, note: Callable[[str], None]) -> None:
    """Call each function of the stack once, all at the same time, and note how many have answered.

    Raises StackFailed if one does not start.
    """
    client = patient_client("lambda", endpoint_url, max_pool_connections=20)
    mappings = client.list_event_source_mappings()["EventSourceMappings"]
    # The function behind a stream takes an empty batch; those behind queues alone would fail on one.
    streams = {mapping["FunctionArn"] for mapping in mappings if ":dynamodb:" in mapping["EventSourceArn"]}
    workers = sorted({mapping["FunctionArn"] for mapping in mappings})
    pool = urllib3.PoolManager(retries=False, timeout=HANG_SECONDS)

    def call_api(method: str, path: str) -> str:
        return pool.request(method, api_url + path).data.decode()

    def call_worker(arn: str) -> str:
        batch = {"Records": [] if arn in streams else [MESSAGE]}
        answer = client.invoke(FunctionName=arn, Payload=json.dumps(batch).encode())
        return f"{arn}: {answer['Payload'].read().decode()}"

    calls: list[Callable[[], str]] = [lambda arn=arn: call_worker(arn) for arn in workers]  # type: ignore[misc]
    calls += [lambda method=method, path=path: call_api(method, path) for method, path in API_CALLS]  # type: ignore[misc]
    with ThreadPoolExecutor(len(calls)) as executor:
        for count, call in enumerate(as_completed([executor.submit(call) for call in calls]), 1):
            answer = call.result()
            # So the emulator reports a function whose import fails.
            if "Worker init failed" in answer or "Worker process exited" in answer:
                raise StackFailed(f"A function does not start: {answer}")
            note(f"{count} of {len(calls)} functions have started")
