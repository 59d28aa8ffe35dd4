"""DBOS: a workflow that receives a message, kept in SQLite. Prints milliseconds of CPU per review."""

import asyncio
import json
import os
import sys
import tempfile
import time
from importlib.metadata import version

from dbos import DBOS, SetWorkflowID

folder = tempfile.mkdtemp()
DBOS(
    config={
        "name": "bench",
        "system_database_url": f"sqlite:///{folder}/dbos.sqlite",
        "run_admin_server": False,
        "log_level": "ERROR",
    }
)


@DBOS.step()
async def after() -> str:
    return "resumed"


@DBOS.workflow()
async def review(asked: dict) -> str:
    decision = await DBOS.recv_async("decision", timeout_seconds=600)
    return f"{await after()}: {decision}"


async def main(asked: dict, warm: int, count: int) -> None:
    DBOS.launch()
    for number in range(-warm, count):
        if number == 0:
            began = time.process_time()
        with SetWorkflowID(f"review{number}"):
            flow = await DBOS.start_workflow_async(review, asked)
        await DBOS.send_async(f"review{number}", "approved", "decision")
        assert await flow.get_result() == "resumed: approved"
    taken = (time.process_time() - began) / count * 1000
    sys.stdout.write(json.dumps({"system": f"DBOS {version('dbos')}, SQLite", "cpu_ms": taken}) + "\n")
    sys.stdout.flush()


asyncio.run(main(json.loads(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
os._exit(0)
