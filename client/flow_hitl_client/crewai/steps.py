"""What a flow has done so far: every method that has run, for the person who reviews what it does next.

crewai keeps the outputs, without names on some versions and without times on all, and forgets them when a flow pauses.
So each method is noted when it ends. A pause takes the notes along in what it asks, and they are put back when it goes
on.
"""

import json
import weakref
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from typing import Any, Final

from flow_hitl_client.crewai.answers import text_of
from flow_hitl_client.crewai.plain import plain_json, rfc3339
from flow_hitl_client.journal import Pause
from flow_hitl_client.types import HistoryEntry, Response

# The server takes this many, and shows the latest 200,000 characters.
_MOST: Final = 100
_LONGEST_OUTPUT: Final = 10_000
_ALTOGETHER: Final = 150_000
_DEEPEST: Final = 20


class Steps:
    """The methods of one flow that have run; `left_out` is how many more there were before them."""

    def __init__(self, entries: Iterable[HistoryEntry] = (), left_out: int = 0) -> None:
        self.entries = list(entries)
        self.left_out = left_out
        # Whether crewai had an output when the last method ended, so that it has begun anew where it has none.
        self.had_outputs = False

    def add(self, *entries: HistoryEntry) -> None:
        """Note what has run, and forget what is too old to be shown."""
        self.entries += entries
        # One place is for the note that something is left out.
        surplus = len(self.entries) - _MOST + (1 if self.left_out else 0)
        if surplus > 0:
            surplus += 0 if self.left_out else 1
            self.left_out += surplus
            del self.entries[:surplus]

    def shown(self) -> list[HistoryEntry]:
        """Return what the person gets to see, oldest first; what is too much altogether is replaced by its size."""
        room, shown = _ALTOGETHER, list[HistoryEntry]()
        for entry in reversed(self.entries):
            size = len(json.dumps(entry["output"]))
            if size > room:
                note = f"[{size:,} characters, left out because later outputs fill the space.]"
                entry = {**entry, "output": note if size > len(note) else entry["output"]}
            else:
                room -= size
            shown.append(entry)
        if self.left_out:
            note = f"[{self.left_out:,} earlier steps are left out.]"
            shown.append({"method": "earlier_steps", "at": None, "output": note})
        return shown[::-1]


# By id(flow), as flows are not hashable in every crewai; an entry lives as long as its flow.
_of: dict[int, Steps] = {}


def steps_of(flow: Any) -> Steps:
    """Return the notes of a flow."""
    found = _of.get(id(flow))
    return found if found is not None else _put(flow, Steps())


def restore(flow: Any, history: Iterable[HistoryEntry], left_out: int) -> Steps:
    """Give a flow that goes on in a new object the notes that its pause took along."""
    return _put(flow, Steps((entry for entry in history if entry["at"] is not None or not left_out), left_out))


def begin(flow: Any) -> None:
    """Forget everything if the flow was started anew."""
    steps = _of.get(id(flow))
    if steps is not None and steps.had_outputs and not flow._method_outputs:
        _put(flow, Steps())


def step(method: str, output: Any) -> HistoryEntry:
    """Return the note of a method that ends now."""
    return {"method": method, "at": rfc3339(datetime.now(timezone.utc)), "output": shortened(output)}


def shortened(output: Any) -> Any:
    """Return an output as plain JSON, its beginning as text if it is long, or a note if it cannot be shown."""
    try:
        plain = output if isinstance(output, str) else plain_json(_at_rest(output, _DEEPEST))
        text = plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)
        # Half of a pair of surrogates is no text that JSON can hold.
        text = text[: _LONGEST_OUTPUT + 1].encode("utf-8", "replace").decode()
    except Exception:  # whatever the flow's own objects raise: its history must not stop it
        return f"[{type(output).__name__}, which cannot be shown.]"
    if len(text) > _LONGEST_OUTPUT:
        whole = len(plain) if isinstance(plain, str) else len(json.dumps(plain, ensure_ascii=False))
        return f"{text[:_LONGEST_OUTPUT]}\n\n[The first {_LONGEST_OUTPUT:,} of {whole:,} characters.]"
    return text if isinstance(plain, str) else plain


def round_of_result(result: Any) -> HistoryEntry:
    """Return a round of which crewai has the result."""
    output = _round(shortened(result.output), result.outcome, str(result.feedback))
    return {"method": str(result.method_name), "at": rfc3339(result.timestamp), "output": output}


def round_of_body(body: dict[str, Any], response: Response) -> HistoryEntry:
    """Return a round of which we have what was asked."""
    output = _round(shortened(body.get("output")), response["outcome"], text_of(response))
    return {"method": body["method_name"], "at": response["responded_at"], "output": output}


def rounds_of_pauses(pauses: Iterable[Pause]) -> list[HistoryEntry]:
    """Return the rounds of pauses that are decided."""
    return [
        round_of_body(pause.body, pause.decision["response"])
        for pause in pauses
        if pause.decision is not None and pause.decision["response"] is not None
    ]


def _round(output: Any, outcome: str | None, said: str) -> Any:
    """Return what was shown together with what was answered: as text where it was text."""
    answer = outcome or said
    if isinstance(output, str):
        return f"{output}\n\n**{answer}**" + ("" if said == answer else f": {said}")
    return {"output": output, "answer": answer, "comment": "" if said == answer else said}


def _put(flow: Any, steps: Steps) -> Steps:
    if id(flow) not in _of:
        weakref.finalize(flow, _of.pop, id(flow), None)
    _of[id(flow)] = steps
    return steps


def _at_rest(value: Any, depth: int) -> Any:
    """Return the value without iterators: to show one would be to use it up before the flow does."""
    if isinstance(value, Iterator):
        return f"[{type(value).__name__}]"
    if depth and type(value) is dict:
        return {name: _at_rest(member, depth - 1) for name, member in value.items()}
    if depth and type(value) in (list, tuple, set, frozenset):
        return [_at_rest(member, depth - 1) for member in value]
    return value
