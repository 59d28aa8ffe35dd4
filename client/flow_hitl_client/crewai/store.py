"""The persistence that a flow pauses into: it stores first, then asks."""

import logging
import os
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from crewai.flow.async_feedback import HumanFeedbackPending, PendingFeedbackContext  # type: ignore[import-not-found]
from crewai.flow.persistence import FlowPersistence, SQLiteFlowPersistence  # type: ignore[import-not-found]
from pydantic import PrivateAttr

from flow_hitl_client.client import Client
from flow_hitl_client.crewai import asking, versions
from flow_hitl_client.crewai.answers import text_of
from flow_hitl_client.crewai.plain import plain_json, stored_state_of
from flow_hitl_client.crewai.steps import steps_of
from flow_hitl_client.errors import Forbidden, ProblemError, ServerUnreachable, Unauthorized
from flow_hitl_client.journal import Journal, Pause, default_path, make_file
from flow_hitl_client.types import Request

_log = logging.getLogger("flow_hitl_client")


class FlowStore(SQLiteFlowPersistence):  # type: ignore[misc] # the base class is unknown where crewai is not installed
    """crewai's SQLite persistence in a file that does not depend on the working directory."""


def flow_store(path: str | os.PathLike[str] | None = None) -> FlowStore:
    """Return the store for paused flows, by default FLOW_HITL_FLOWS or ~/.flow-hitl/flows.db.

    crewai's own default depends on the working directory, so a process started elsewhere would not find the flow.
    """
    chosen = Path(path or default_path()).absolute()
    make_file(chosen)
    return FlowStore(str(chosen))


@dataclass(frozen=True)
class Asker:
    """Sends the requests of stored pauses."""

    client: Client
    journal: Journal
    wishes: asking.Wishes
    say: Callable[[str], None]

    def ask(self, pause: Pause) -> Request | None:
        """Send one; return None if the server cannot be reached, and a resumer sends it later.

        Raises the ProblemError of a refusal; the request is not sent again unless the key was at fault.
        """
        try:
            created = asking.create(self.client, pause.body)
        except (Unauthorized, Forbidden):
            raise
        except (ServerUnreachable, ProblemError) as error:
            if isinstance(error, ProblemError) and error.status < 500 and error.status != 429:
                self.journal.refused(pause.request_id, str(error))
                raise
            _log.warning("the request of flow %s could not be sent yet: %s", pause.flow_id, error)
            return None
        self.journal.asked(pause.request_id)
        self.say(asking.waiting(created, pause.flow_class.rpartition(".")[2]))
        return created["request"]

    def ask_again(self, pauses: Sequence[Pause]) -> list[HumanFeedbackPending]:
        """Replace these pauses, whose answers nothing could interpret, by new requests, and send them."""
        follow_ups = []
        for pause in pauses:
            (request, response), context = pause.answered, pause.snapshot["context"]
            body = asking.again(pause.body, context["message"], request, response)
            request_id = body["request_id"]
            metadata = {**context["metadata"], asking.METADATA_KEY: {"request_id": request_id}}
            said = text_of(response, pause.snapshot.get("said", ""))
            snapshot = {**pause.snapshot, "context": {**context, "metadata": metadata}, "said": said}
            follow_up = replace(pause, request_id=request_id, body=body, snapshot=snapshot, status="stored")
            self.journal.replace(pause, follow_up, asking.asked_again(body))
            follow_ups.append(follow_up)
        pendings = []
        for follow_up in follow_ups:
            pending = HumanFeedbackPending(
                context=context_of(follow_up.snapshot), callback_info={"request_id": follow_up.request_id}
            )
            asked = self.ask(follow_up)
            if asked is not None:
                pending.callback_info["request"] = asked
            pendings.append(pending)
        return pendings


class StoreThenAsk(FlowPersistence):  # type: ignore[misc] # see FlowStore
    """A flow's persistence with the journal beside it: stores a pause in both, then asks."""

    _inner: Any = PrivateAttr(default=None)
    _asker: Any = PrivateAttr(default=None)
    _resuming: Any = PrivateAttr(default=None)
    _held_back: Any = PrivateAttr(default=None)

    def __init__(self, inner: Any, asker: Asker, *, resuming: tuple[dict[str, Any], Any] | None = None) -> None:
        """Wrap `inner`; with `resuming` (state, pause), load that, and hold new pauses until `commit`."""
        super().__init__()
        self._inner = inner
        self._asker = asker
        self._resuming = resuming
        self._held_back = []

    def init_db(self) -> None:
        """Do nothing: `inner` has done it."""

    def save_state(self, flow_uuid: str, method_name: str, state_data: Any) -> None:
        """Store a state, as `inner` does."""
        self._inner.save_state(flow_uuid, method_name, state_data)

    def load_state(self, flow_uuid: str) -> Any:
        """Load a state, as `inner` does."""
        return self._inner.load_state(flow_uuid)

    def load_pending_feedback(self, flow_uuid: str) -> Any:
        """Return the state and the pause to go on with."""
        return self._resuming or self._inner.load_pending_feedback(flow_uuid)

    def clear_pending_feedback(self, flow_uuid: str) -> None:
        """Forget crewai's pause; the journal's stays until the flow has resumed."""
        self._inner.clear_pending_feedback(flow_uuid)

    def save_pending_feedback(self, flow_uuid: str, context: Any, state_data: Any) -> None:
        """Store the pauses of this moment, and ask."""
        pending = getattr(context, "flow_hitl_pending", None)
        if pending is None:
            self._inner.save_pending_feedback(flow_uuid, context, state_data)  # another provider's pause
            return
        group = getattr(pending, "flow_hitl_group", [pending])
        self._held_back += [one for one in group if hasattr(one, "flow_hitl_flow")]
        if self._resuming is None:
            self.commit()

    def commit(self) -> list[Any]:
        """Store the held pauses, ask for each, and return them (HumanFeedbackPending)."""
        pendings: list[Any] = self._held_back
        self._held_back = []
        if not pendings:
            return []
        flow = pendings[0].flow_hitl_flow
        journal: Journal = self._asker.journal
        state = stored_state_of(flow)
        steps = steps_of(flow)
        group_id = str(uuid.uuid4())
        pauses = []
        for pending in pendings:
            context = pending.context
            request_id = pending.callback_info["request_id"]
            body = asking.body_of(context, flow, request_id, steps.shown(), self._asker.wishes)
            # A new dictionary: the old one belongs to the decorator, and so to every instance of the flow.
            context.metadata = {**context.metadata, asking.METADATA_KEY: {"request_id": request_id}}
            snapshot = {
                "context": context.to_dict(),
                "state": state,
                "joins": versions.joins_of(flow),
                "steps_left_out": steps.left_out,
            }
            pauses.append(
                Pause(
                    request_id=request_id,
                    group_id=group_id,
                    flow_id=context.flow_id,
                    flow_class=context.flow_class,
                    body=body,
                    snapshot=plain_json(snapshot, nan="constants"),
                )
            )
        journal.store(pauses)
        for pending in pendings:
            self._inner.save_pending_feedback(pending.context.flow_id, pending.context, state)
        for pause, pending in zip(pauses, pendings, strict=True):
            request = self._asker.ask(pause)
            if request is not None:
                pending.callback_info["request"] = request
            elif self._resuming is None:
                self._asker.say(f"Flow {pause.flow_id} is stored; `flow-hitl-client resume` asks as soon as it can.")
        return pendings


def context_of(snapshot: Mapping[str, Any]) -> Any:
    """Return the stored pause as crewai's own object."""
    return PendingFeedbackContext.from_dict(dict(snapshot["context"]))


def opened(store: Any) -> tuple[Any, Journal]:
    """Return the persistence and its journal for a path, a persistence, or None."""
    if isinstance(store, StoreThenAsk):
        return store._inner, store._asker.journal
    if isinstance(store, FlowPersistence):
        return store, Journal(store.db_path if isinstance(store, FlowStore) else None)
    persistence = flow_store(store)
    return persistence, Journal(persistence.db_path)
