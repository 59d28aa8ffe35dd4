"""The geometry of the charts, which a template draws as SVG.

Widths are in percent and heights in pixels, so that a chart fills its place and letters keep their size.
"""

import math
from collections.abc import Sequence
from typing import Literal

from flow_hitl.platform.records import dataclass

Anchor = Literal["start", "middle", "end"]
Tone = Literal[
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "rest",
    "good",
    "bad",
    "heat0",
    "heat1",
    "heat2",
    "heat3",
    "yes1",
    "yes2",
    "yes3",
    "no1",
    "no2",
    "no3",
    "else1",
    "else2",
    "else3",
    "else4",
    "else5",
    "else6",
]

TONES: tuple[Tone, ...] = ("first", "second", "third", "fourth", "fifth")
"""The tones of series of equal rank, in order; further ones are "rest"."""
_HEATS: tuple[Tone, ...] = ("heat0", "heat1", "heat2", "heat3")

_TEXT = 14
_PLOT = 160
_ROW, _BAR = 44, 14
_MOST_LINES = 4
_MOST_LABELS = 5
_NAME_CHARS = 30
_SCALE_WIDTH = 8.0
_DAYS_WIDTH = 10.0
_HEAT_ROW = 24


@dataclass(frozen=True)
class Box:
    """A rectangle with its tooltip, and where a click on it leads."""

    x: float
    y: float
    width: float
    height: float
    tone: Tone
    tip: str
    href: str = ""


@dataclass(frozen=True)
class Label:
    """A text at its baseline."""

    x: float
    y: float
    text: str
    anchor: Anchor = "start"
    strong: bool = False


@dataclass(frozen=True)
class Chart:
    """All shapes of a chart; `lines` are the heights of its grid lines, which start at `lines_from` percent."""

    height: int
    boxes: tuple[Box, ...]
    labels: tuple[Label, ...]
    lines: tuple[float, ...] = ()
    lines_from: float = 0


@dataclass(frozen=True)
class Slot:
    """One position in a column chart: its label, and its values with their tooltips; `href` is that of the first."""

    name: str
    values: Sequence[tuple[int, str]]
    href: str = ""


@dataclass(frozen=True)
class ChartPart:
    """A piece of a row's bar."""

    value: float
    tone: Tone
    tip: str
    href: str = ""


@dataclass(frozen=True)
class ChartRow:
    """A row of a bar chart: its name, the text at its end, and the pieces of its bar."""

    name: str
    text: str
    parts: Sequence[ChartPart]


def columns(slots: Sequence[Slot]) -> Chart:
    """Return columns side by side, on a scale from 0."""
    highest = max((value for slot in slots for value, _ in slot.values), default=0)
    step = _step(highest)
    top = max(1, -(-highest // step)) * step
    base = _TEXT + _PLOT
    boxes: list[Box] = []
    labels: list[Label] = []
    slot_width = (100 - _SCALE_WIDTH) / max(1, len(slots))
    gap = slot_width * (0.15 if len(slots) > 1 else 0.4)
    for place, slot in enumerate(slots):
        width = (slot_width - 2 * gap) / len(slot.values)
        for number, (value, tip) in enumerate(slot.values):
            height = value / top * _PLOT
            x = _SCALE_WIDTH + place * slot_width + gap + number * width
            shape = (_round(x), _round(base - height), _round(width), _round(height))
            boxes.append(Box(*shape, TONES[number], tip, slot.href if number == 0 else ""))
    every = max(1, math.ceil(len(slots) / _MOST_LABELS))
    for place in range(0, len(slots), every):
        middle = _SCALE_WIDTH + (place + 0.5) * slot_width
        anchor: Anchor = "end" if middle > 95 else "middle"
        x = 100.0 if anchor == "end" else middle
        labels.append(Label(_round(x), base + _TEXT + 2, slots[place].name, anchor))
    heights = [(value, base - value / top * _PLOT) for value in range(step, top + 1, step)]
    labels += [Label(_SCALE_WIDTH - 1.5, _round(y + 4), _short(value), "end") for value, y in heights]
    lines = (base, *(_round(y) for _, y in heights))
    return Chart(base + _TEXT + 6, tuple(boxes), tuple(labels), lines, _SCALE_WIDTH)


def rows(given: Sequence[ChartRow], *, whole: float | None = None) -> Chart:
    """Return bars below each other, each under its name; a bar of `whole` fills the width, by default every bar."""
    boxes: list[Box] = []
    labels: list[Label] = []
    for place, row in enumerate(given):
        y = place * _ROW + _TEXT
        labels.append(Label(0, y, _cut(row.name)))
        labels.append(Label(100, y, row.text, "end", strong=True))
        full = whole if whole is not None else sum(part.value for part in row.parts)
        x = 0.0
        for part in row.parts:
            width = part.value / full * 100 if full else 0.0
            boxes.append(Box(_round(x), y + 6, _round(width), _BAR, part.tone, part.tip, part.href))
            x += width
    return Chart(len(given) * _ROW, tuple(boxes), tuple(labels))


def week(hours: Sequence[Sequence[int]], days: Sequence[str]) -> Chart:
    """Return a field for each hour of each day, darker for more; days go down, hours across."""
    most = max((count for day in hours for count in day), default=0)
    width = (100 - _DAYS_WIDTH) / 24
    boxes: list[Box] = []
    labels: list[Label] = []
    for row, (name, counts) in enumerate(zip(days, hours, strict=True)):
        y = row * _HEAT_ROW
        labels.append(Label(0, y + 16, name[:3]))
        for hour, count in enumerate(counts):
            tip = f"{name}, {hour:02}:00 to {hour + 1:02}:00: {count:,}"
            tone = _HEATS[math.ceil(count / most * (len(_HEATS) - 1))] if most else _HEATS[0]
            boxes.append(Box(_round(_DAYS_WIDTH + hour * width), y, _round(width * 0.9), _HEAT_ROW - 3, tone, tip))
    below = len(days) * _HEAT_ROW + _TEXT
    labels += [Label(_round(_DAYS_WIDTH + hour * width), below, f"{hour:02}") for hour in range(0, 24, 3)]
    return Chart(below + 4, tuple(boxes), tuple(labels))


def _step(highest: int) -> int:
    """Return the distance between grid lines, 1, 2, or 5 times a power of ten, for at most four of them."""
    power = 1
    while True:
        for factor in (1, 2, 5):
            if highest <= factor * power * _MOST_LINES:
                return factor * power
        power *= 10


def _short(number: int) -> str:
    """Return a round number in short: `500`, `20k`, `1M`."""
    for unit, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= unit:
            return f"{number / unit:g}{letter}"
    return str(number)


def _cut(name: str) -> str:
    return name if len(name) <= _NAME_CHARS else f"{name[: _NAME_CHARS - 1]}…"


def _round(value: float) -> float:
    return round(value, 2)
