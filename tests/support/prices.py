"""What AWS takes for what a test has counted: us-east-1, on demand, arm64, in dollars."""

from dataclasses import dataclass

AS_OF = "2026-11"
_MILLION = 1_000_000
GB_SECOND = 0.0000133334
INVOCATION = 0.20 / _MILLION
API_CALL = 1.00 / _MILLION
READ_UNIT = 0.125 / _MILLION
WRITE_UNIT = 0.625 / _MILLION


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
