"""A reader's place in the decisions feed, as a cursor that fits a URL.

Entries are ordered by key. For a while after the time in a key, entries before it may still become visible. Of these
recent entries, the newest are remembered one by one, and older ones in groups: a group knows the sum of its entries, so
the difference reveals a late one.
"""

import base64
import hashlib
import math
import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from itertools import pairwise
from typing import Any

from flow_hitl.platform.records import dataclass

FIRST = "0"
"""The key before all others."""

_KEY = re.compile(r"[0-9-]{10}T[0-9:]{8}\.[0-9]{6}#[0-9a-f-]{36}")
_HASH_CHARACTERS = 8
_MODULUS = 1 << 48
# The newest entries are single; beyond this number, the oldest of them form a group.
_MOST_SINGLE = 400
_GROUP = 200
_MOST_GROUPS = 24
# Older cursors have this many single entries and no groups.
_MOST_TAKEN = 500
_CHECKED_AT_ONCE = 5


@dataclass(frozen=True)
class EntryGroup:
    """Shown entries up to a key, by their sum; None if all are to be shown again."""

    end: str
    total: int | None


@dataclass(frozen=True)
class Check:
    """The stretch to look at again: groups with these numbers, after `above` and up to `below`."""

    numbers: range
    above: str
    below: str

    @property
    def most(self) -> int:
        """How many entries are worth reading: twice as many as were shown."""
        return 2 * _GROUP * len(self.numbers)


@dataclass(frozen=True)
class FeedPlace:
    """A place in the feed: everything up to `after` was shown, then `groups`, then single entries by hash.

    `turn` counts looks at groups, so that each gets its turn.
    """

    after: str = FIRST
    groups: tuple[EntryGroup, ...] = ()
    shown: tuple[str, ...] = ()
    turn: int = 0

    @classmethod
    def of(cls, document: Any) -> "FeedPlace | None":
        """Return the place in a cursor's document, None if it is not ours."""
        match document:
            case {"after": str(after), "shown": [*listed]}:
                # From before there were groups.
                hashes = tuple(map(str, listed))
                place = cls(after, (), hashes)
            case {"after": str(after), "groups": [*listed], "shown": str(text), "turn": int(turn)}:
                groups = tuple(group for one in listed if (group := _group(one)))
                hashes = tuple(text[at : at + _HASH_CHARACTERS] for at in range(0, len(text), _HASH_CHARACTERS))
                place = cls(after, groups, hashes, turn % _MODULUS)
                if len(groups) != len(listed):
                    return None
            case _:
                return None
        ends = [place.after, *(group.end for group in place.groups)]
        in_order = all(one < two for one, two in pairwise(ends))
        keys = all(map(_KEY.fullmatch, ends[1:])) and (after == FIRST or _KEY.fullmatch(after))
        small = len(place.groups) <= 2 * _MOST_GROUPS and len(place.shown) <= _MOST_TAKEN
        return place if in_order and keys and small else None

    def to_document(self) -> Mapping[str, Any]:
        """Return the cursor's document."""
        groups = [[group.end, group.total] for group in self.groups]
        return {"after": self.after, "groups": groups, "shown": "".join(self.shown), "turn": self.turn}

    @property
    def singles_after(self) -> str:
        """The key after which entries are remembered one by one."""
        return self.groups[-1].end if self.groups else self.after

    @property
    def room(self) -> int:
        """How many more entries can be shown before the oldest have settled."""
        return max(0, (_MOST_GROUPS - len(self.groups)) * _GROUP + _MOST_SINGLE - len(self.shown))

    def check(self, settled: str) -> Check | None:
        """Return which groups to look at now; those before `settled` go first."""
        if not self.groups:
            return None
        first = 0
        if self.groups[0].end >= settled:
            first = _CHECKED_AT_ONCE * (self.turn % math.ceil(len(self.groups) / _CHECKED_AT_ONCE))
        numbers = range(first, min(first + _CHECKED_AT_ONCE, len(self.groups)))
        above = self.groups[first - 1].end if first else self.after
        return Check(numbers, above, self.groups[numbers[-1]].end)

    def checked(
        self, check: Check, keys: Sequence[str], complete: bool, settled: str, limit: int
    ) -> tuple["FeedPlace", list[str]]:
        """Return the place after a look at some groups, and the late keys to show, up to `limit`.

        `keys` are all that are there, in order, or only the first of them if not `complete`.
        """
        after, groups, wanted = self.after, list(self.groups), list[str]()
        above = check.above
        for number in check.numbers:
            group = self.groups[number]
            inside = [key for key in keys if above < key <= group.end]
            above = group.end
            whole = complete or (bool(keys) and keys[-1] >= group.end)
            first = number == 0 or groups[number - 1].total == _GONE
            is_settled = group.end < settled
            if group.total is None:
                # Shown again from the front; nothing after it is looked at before that is done.
                wanted += inside[: limit - len(wanted)]
                done = whole and (not inside or wanted[-1:] == inside[-1:])
                after = group.end if done else (wanted[-1] if wanted else after)
                groups[number] = EntryGroup(group.end, _GONE if done else None)
                break
            late = _missing(inside, group.total) if whole else None
            if late is None:
                if is_settled and first:
                    groups[number] = EntryGroup(group.end, None)
                    break
                continue
            taken = late[: limit - len(wanted)]
            wanted += taken
            total = (group.total + sum(map(_number, taken))) % _MODULUS
            if is_settled and first and taken == late:
                after, total = group.end, _GONE
            groups[number] = EntryGroup(group.end, total)
        kept = tuple(group for group in groups if group.total != _GONE)
        return replace(self, after=after, groups=kept, turn=self.turn + 1), wanted

    def showing(self, keys: Sequence[str], shown_now: Set[str], settled: str) -> "FeedPlace":
        """Return the place after showing some of the entries after `singles_after`.

        `keys` are those that were read, in order.
        """
        before = set(self.shown)
        seen = [key for key in keys if key in shown_now or short(key) in before]
        hole = next((key for key in keys if key not in shown_now and short(key) not in before), None)
        front = [key for key in seen if hole is None or key < hole]
        after, groups = self.after, list(self.groups)
        if not groups:
            done = [key for key in front if key < settled]
            after = done[-1] if done else after
            front, seen = front[len(done) :], seen[len(done) :]
        while len(seen) > _MOST_SINGLE and len(front) >= _GROUP:
            groups.append(EntryGroup(front[_GROUP - 1], sum(map(_number, front[:_GROUP])) % _MODULUS))
            front, seen = front[_GROUP:], seen[_GROUP:]
        return replace(self, after=after, groups=tuple(groups), shown=tuple(map(short, seen[:_MOST_SINGLE])))


# The total of a group that is finished.
_GONE = -1


def short(key: str) -> str:
    """Return a key's hash, as in the cursor."""
    return base64.urlsafe_b64encode(_digest(key)).decode()


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()[:6]


def _number(key: str) -> int:
    return int.from_bytes(_digest(key), "big")


def _missing(keys: Sequence[str], total: int) -> list[str] | None:
    """Return the keys missing from the total, two at most; None if that cannot explain the difference."""
    numbers = {key: _number(key) for key in keys}
    over = (sum(numbers.values()) - total) % _MODULUS
    if over == 0:
        return []
    by_number = {number: key for key, number in numbers.items()}
    if over in by_number:
        return [by_number[over]]
    for key, number in numbers.items():
        other = by_number.get((over - number) % _MODULUS)
        if other is not None and other != key:
            return sorted((key, other))
    return None


def _group(document: Any) -> EntryGroup | None:
    match document:
        case [str(end), None]:
            return EntryGroup(end, None)
        case [str(end), int(total)] if 0 <= total < _MODULUS:
            return EntryGroup(end, total)
    return None
