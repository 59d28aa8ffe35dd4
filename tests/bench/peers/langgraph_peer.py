"""LangGraph: an interrupt, kept in SQLite, and a command that resumes it. Prints milliseconds of CPU per review."""

import asyncio
import json
import sys
import tempfile
import time
from importlib.metadata import version
from typing import TypedDict

from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt


class State(TypedDict, total=False):
    asked: dict
    decision: str
    resumed: bool


async def main(asked: dict, warm: int, count: int, folder: str) -> None:
    graph = StateGraph(State)
    graph.add_node("review", lambda state: {"decision": interrupt(state["asked"]["message"])})
    graph.add_node("after", lambda _: {"resumed": True})
    graph.add_edge(START, "review")
    graph.add_edge("review", "after")
    graph.add_edge("after", END)
    async with AsyncSqliteSaver.from_conn_string(f"{folder}/checkpoints.db") as saver:
        await saver.setup()
        flow = graph.compile(checkpointer=saver)
        for number in range(-warm, count):
            if number == 0:
                began = time.process_time()
            thread = {"configurable": {"thread_id": str(number)}}
            waiting = await flow.ainvoke({"asked": asked}, thread, durability="sync")
            assert "__interrupt__" in waiting
            done = await flow.ainvoke(Command(resume="approved"), thread, durability="sync")
            assert done["resumed"]
            assert done["decision"] == "approved"
        taken = (time.process_time() - began) / count * 1000
    sys.stdout.write(json.dumps({"system": f"LangGraph {version('langgraph')}, SQLite", "cpu_ms": taken}) + "\n")
    sys.stdout.flush()


with tempfile.TemporaryDirectory() as directory:
    asyncio.run(main(json.loads(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), directory))
