"""What must be equal in the end, as a table."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """One count: what it must be, or at most, and what it is."""

    what: str
    wanted: int
    found: int
    at_most: bool = False

    @property
    def holds(self) -> bool:
        return self.found <= self.wanted if self.at_most else self.found == self.wanted


@dataclass(frozen=True)
class Tally:
    """All counts, and what went wrong on purpose."""

    lines: Sequence[Line]
    trouble: Sequence[tuple[str, str]]

    @property
    def holds(self) -> bool:
        """Tell whether what came out is what went in."""
        return all(line.holds for line in self.lines)

    def written(self) -> str:
        """Return two tables in Markdown."""
        rows = [("counted", "must be", "is", "")]
        for line in self.lines:
            wanted = f"at most {line.wanted:,}" if line.at_most else f"{line.wanted:,}"
            rows.append((line.what, wanted, f"{line.found:,}", "" if line.holds else "WRONG"))
        return f"{_table(rows)}\n\n{_table([('meanwhile', ''), *self.trouble])}\n"


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])
