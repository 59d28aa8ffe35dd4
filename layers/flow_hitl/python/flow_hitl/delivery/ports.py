"""What carries an effect to its worker."""

from typing import Protocol

from flow_hitl.audit.effects import Effect


class EffectQueue(Protocol):
    def send(self, effect: Effect) -> None: ...
