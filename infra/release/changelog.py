"""Which version is released, and when: both stand in the changelog."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime

_HEADING = re.compile(r"^## (?P<version>\S+)(?: \((?P<day>[^)]*)\))?\s*$", re.MULTILINE)


class NotReady(Exception):
    """Nothing can be released; the message says what to do first."""


@dataclass(frozen=True)
class Release:
    """A version, its day, and what the changelog says about it."""

    version: str
    day: date
    notes: str

    @property
    def epoch(self) -> int:
        """The beginning of its day, in seconds: the time of every file in it."""
        return int(datetime(self.day.year, self.day.month, self.day.day, tzinfo=UTC).timestamp())


def read_release(changelog: str, version: str) -> Release:
    """Return the section of a version; raises NotReady."""
    headings = list(_HEADING.finditer(changelog))
    for number, heading in enumerate(headings):
        if heading["version"] != version:
            continue
        try:
            day = date.fromisoformat(heading["day"] or "")
        except ValueError:
            raise NotReady(f"CHANGELOG.md must say when {version} is released: ## {version} (2027-01-31)") from None
        end = headings[number + 1].start() if number + 1 < len(headings) else len(changelog)
        notes = changelog[heading.end() : end].strip()
        if not notes:
            raise NotReady(f"CHANGELOG.md says nothing about {version}.")
        return Release(version, day, notes)
    raise NotReady(
        f"CHANGELOG.md has no section for {version}, the version in pyproject.toml. "
        f"Rename `## Unreleased` to `## {version} (2027-01-31)`, with its day."
    )
