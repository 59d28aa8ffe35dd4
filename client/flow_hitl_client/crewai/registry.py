"""The flows that a resumer can resume."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from crewai.flow.flow import Flow  # type: ignore[import-not-found]

from flow_hitl_client.errors import FlowHitlClientError


class UnknownFlow(FlowHitlClientError):
    """The resumer's registry has no such flow."""


@dataclass(frozen=True)
class Entry:
    """A flow class, and its constructor's arguments."""

    flow_class: type[Any]
    arguments: Mapping[str, Any] = field(default_factory=dict)


class Registry:
    """The flows of an app: `registry = Registry(ContentApprovalFlow, ExpenseFlow)`.

    List every class whose flows may be waiting. A paused flow is found by the name of its class, whatever its module,
    because a script's own module is called `__main__`.
    """

    def __init__(self, *flow_classes: type[Any], persistence: Any = None) -> None:
        """Register the classes; `persistence` is the one that you start the flows with, if any."""
        self.persistence = persistence
        self._entries: dict[str, list[Entry]] = {}
        for flow_class in flow_classes:
            self.add(flow_class)

    def add(self, flow_class: type[Any], **arguments: Any) -> None:
        """Register one class with the arguments that its constructor needs."""
        if not is_flow_class(flow_class):
            raise TypeError(f"{flow_class!r} is not a crewai Flow class")
        self._entries.setdefault(flow_class.__name__, []).append(Entry(flow_class, arguments))

    @property
    def names(self) -> list[str]:
        """The names of all classes."""
        return sorted(self._entries)

    def find(self, path: str) -> Entry:
        """Return the entry for a stored `module.Class`; raises UnknownFlow."""
        entries = self._entries.get(path.rpartition(".")[2], [])
        if len(entries) > 1:
            entries = [one for one in entries if f"{one.flow_class.__module__}.{one.flow_class.__name__}" == path]
        if len(entries) != 1:
            known = ", ".join(sorted(self._entries)) or "nothing"
            raise UnknownFlow(f"the registry does not have {path}, or has it more than once; it has {known}")
        return entries[0]


def is_flow_class(value: Any) -> bool:
    """Tell whether it is a class of flows."""
    return isinstance(value, type) and issubclass(value, Flow)


def registry_of(app: Any) -> Registry:
    """Return the registry that `app` is or describes: a Registry, a flow class, a list of them, or a module of them."""
    if isinstance(app, Registry):
        return app
    if isinstance(app, type):
        return Registry(app)
    if isinstance(app, ModuleType):
        app = [value for value in vars(app).values() if is_flow_class(value) and value.__module__ == app.__name__]
    if isinstance(app, Mapping):
        app = app.values()
    if isinstance(app, Iterable):
        return Registry(*app)
    raise TypeError(f"{app!r} is neither a Registry nor a crewai Flow class nor a list of them")
