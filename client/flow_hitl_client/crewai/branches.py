"""The running branches of a flow: a pause must not cut off the others.

crewai stops a flow at the first pause, drops every other branch, and stores one pause per flow. So a branch that pauses
waits until all others have ended or paused too. Everything runs in the flow's event loop, without locks.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_current: ContextVar["Branch | None"] = ContextVar("flow_hitl_branch", default=None)
# By id(flow), as flows are not hashable in every crewai; an entry lives as long as the flow has a running branch.
_runs: dict[int, "_Run"] = {}


class _Run:
    """The running branches of one flow, and the pauses that wait to be raised together."""

    def __init__(self) -> None:
        self.branches: set[Branch] = set()
        self.paused: list[Any] = []

    def check(self) -> None:
        """Release all pauses if nothing else is running."""
        parents = {branch.parent for branch in self.branches}
        leaves = [branch for branch in self.branches if branch not in parents]
        if leaves and all(branch.rest for branch in leaves):
            for branch in leaves:
                if branch.rest and not branch.rest.done():
                    branch.rest.set_result(None)


class Branch:
    """A start method or listener, and everything that follows from it."""

    def __init__(self, flow: Any, run: _Run, parent: "Branch | None") -> None:
        self.flow = flow
        self.run = run
        self.parent = parent
        self.task = asyncio.current_task()
        self.rest: asyncio.Future[None] | None = None

    async def pause(self, pending: Any) -> None:
        """Return when every branch rests; `pending.flow_hitl_group` then holds all pauses."""
        if hasattr(pending, "flow_hitl_group"):
            return  # it already waited in a branch below
        pending.flow_hitl_group = self.run.paused
        self.run.paused.append(pending)
        # Branches that crewai started together with this one may not have begun yet.
        await asyncio.sleep(0)
        self.rest = asyncio.get_running_loop().create_future()
        try:
            self.run.check()
            await self.rest
        except BaseException:
            self.run.paused.remove(pending)
            raise


@contextmanager
def branch(flow: Any) -> Iterator[Branch]:
    """Note that a branch of the flow runs in this block."""
    parent = _current.get()
    if parent is not None and parent.flow is not flow:
        parent = None  # a flow that runs inside of another one
    run = _runs.setdefault(id(flow), _Run())
    this = Branch(flow, run, parent)
    run.branches.add(this)
    token = _current.set(this)
    try:
        yield this
    finally:
        _current.reset(token)
        run.branches.discard(this)
        if run.branches:
            run.check()
        else:
            _runs.pop(id(flow), None)


def current() -> Branch | None:
    """Return the branch that this code runs in, also in the thread that crewai runs a method in."""
    return _current.get()
