"""CrewAI: a flow that waits for feedback, kept in SQLite, and resumed in a new object. Prints CPU per review."""

import asyncio
import json
import os
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

folder = tempfile.mkdtemp()
os.environ |= {
    "HOME": folder,
    "CREWAI_STORAGE_DIR": folder,
    "CREWAI_DISABLE_TELEMETRY": "true",
    "CREWAI_TRACING_ENABLED": "false",
    "CREWAI_DISABLE_VERSION_CHECK": "true",
    "OTEL_SDK_DISABLED": "true",
}

from crewai.flow import human_feedback  # noqa: E402
from crewai.flow.async_feedback import HumanFeedbackPending, HumanFeedbackProvider  # noqa: E402
from crewai.flow.flow import Flow, listen, start  # noqa: E402
from crewai.flow.persistence import SQLiteFlowPersistence  # noqa: E402

resumed = []


class Later(HumanFeedbackProvider):
    def request_feedback(self, context, flow):  # noqa: ARG002 - its interface
        raise HumanFeedbackPending(context=context)


class Review(Flow):
    @start()
    @human_feedback(message="Please review", provider=Later())
    def review(self):
        return self.state["asked"]

    @listen(review)
    def after(self, _):
        resumed.append(self.state["id"])


async def main(asked: dict, warm: int, count: int) -> None:
    kept = SQLiteFlowPersistence(str(Path(folder) / "flows.db"))
    for number in range(-warm, count):
        if number == 0:
            began = time.process_time()
        flow = Review(persistence=kept, suppress_flow_events=True)
        waiting = await flow.kickoff_async(inputs={"id": f"flow{number}", "asked": asked})
        assert isinstance(waiting, HumanFeedbackPending)
        again = Review.from_pending(f"flow{number}", kept, suppress_flow_events=True)
        await again.resume_async("approved")
        assert resumed[-1] == f"flow{number}"
    taken = (time.process_time() - began) / count * 1000
    sys.stdout.write(json.dumps({"system": f"CrewAI {version('crewai')}, SQLite", "cpu_ms": taken}) + "\n")
    sys.stdout.flush()


asyncio.run(main(json.loads(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
