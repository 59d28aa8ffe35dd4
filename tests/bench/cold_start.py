"""One cold start: `python -I -S cold_start.py START.json`, a fresh process that imports a function and runs it once.

It prints, as JSON, the milliseconds of CPU of the import and of the first call, and the modules that are imported then.
Without a function it is the floor: boto3 and a client.
"""

import json
import os
import sys
import time
from datetime import datetime
from typing import Any


def main(start: dict[str, Any]) -> None:
    known = set(sys.modules)
    sys.path[:0] = start["path"]
    os.environ.clear()
    os.environ.update(start["environment"])
    began = time.process_time()
    if "function" not in start:
        import boto3

        boto3.client("dynamodb")
        said: dict[str, Any] = {"import": _since(began)}
    else:
        from importlib import import_module

        handler = import_module(f"functions.{start['function']}").handler
        imported = _since(began)
        began = time.process_time()
        _stand_in(start)
        out, sys.stdout = sys.stdout, sys.stderr
        result = handler(start["event"], _Context)
        sys.stdout = out
        answered = {name: result[name] for name in ("statusCode", "batchItemFailures") if name in result}
        said = {"import": imported, "first": _since(began), "answered": answered}
    sys.stdout.write(json.dumps({**said, "modules": sorted(set(sys.modules) - known)}) + "\n")


def _since(began: float) -> float:
    return (time.process_time() - began) * 1000


def _stand_in(start: dict[str, Any]) -> None:
    """Have AWS calls ask for their recorded answers, and the clock show the recorded time."""
    from flow_hitl.bootstrap import Application, use
    from flow_hitl.platform import aws
    from flow_hitl.platform.environment import Settings
    from flow_hitl.platform.json_client import Connection, JsonClient
    from flow_hitl.platform.system_clock import RandomIds

    expected, others = list(start["answers"]), start["others"]
    call, exchange, make = JsonClient.call, Connection.exchange, aws._boto3_client
    operations = [""]

    def answer_to(operation: str) -> str:
        for each in expected:
            if each[0] == operation:
                expected.remove(each)
                return str(each[1])
        return str(others[operation])

    def named_call(self: Any, operation: str, parameters: Any) -> Any:
        operations[0] = operation
        return call(self, operation, parameters)

    def named_exchange(self: Any, method: str, path: str, headers: Any, body: bytes) -> Any:
        return exchange(self, method, path, {**headers, "x-answer": answer_to(operations[0])}, body)

    def watched(*names: Any, **options: Any) -> Any:
        client = make(*names, **options)

        def name(request: Any, event_name: str, **_: Any) -> None:
            request.headers["x-answer"] = answer_to(event_name.rpartition(".")[2])

        client.meta.events.register("before-send", name)
        return client

    JsonClient.call, Connection.exchange, aws._boto3_client = named_call, named_exchange, watched  # type: ignore[method-assign]
    now = datetime.fromisoformat(start["now"])

    class Clock:
        def now(self) -> datetime:
            return now

        def sleep(self, seconds: float) -> None:
            pass

    use(Application(Settings.from_environment(), Clock(), RandomIds(), lambda: 0.0))


class _Context:
    function_name = "bench"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:1:function:bench"
    aws_request_id = "1"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 29_000


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:  # noqa: PTH123 - pathlib would be imported before it counts
        main(json.load(file))
