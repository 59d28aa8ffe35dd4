"""What AWS takes for what a test has counted: us-east-1, on demand, arm64, in dollars."""

from dataclasses import dataclass

from infra.prices import API_CALL, GB_SECOND, INVOCATION, READ_UNIT, WRITE_UNIT


@dataclass(frozen=True)
class Spent:
    """Calls of the HTTP API, the seconds that a function of this memory ran for them, and its reads and writes."""

    calls: int
    seconds: float
    memory_mib: int
    reads: int
    writes: int

    @property
    def dollars(self) -> float:
        """Return the price, with a unit for each read and write: those are of records below 4 and 1 KB."""
        return (
            self.calls * (API_CALL + INVOCATION)
            + self.seconds * self.memory_mib / 1024 * GB_SECOND
            + self.reads * READ_UNIT
            + self.writes * WRITE_UNIT
        )
