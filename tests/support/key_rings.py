"""Key rings for tests of what is signed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass
class FixedKeys:
    """A key ring that holds just what it is given."""

    active: str = "1"
    keys: Mapping[str, bytes] = field(default_factory=lambda: {"1": b"first key", "2": b"second key"})

    def active_id(self) -> str:
        return self.active

    def key(self, key_id: str) -> bytes | None:
        return self.keys.get(key_id)

    def refresh(self) -> bool:
        return False

    def read_since(self, _moment: datetime) -> bool:
        return True

    def all_keys(self) -> Mapping[str, bytes]:
        return self.keys
