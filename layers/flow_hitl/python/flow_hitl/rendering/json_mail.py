"""JSON in an email: facts, tables, and cards as on the page, with inline styles, and as much as there is room for."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, tzinfo
from itertools import islice

from markupsafe import Markup

from flow_hitl.rendering.json_tree import columns_of, member_words, noise_last, nothing_words, value_words
from flow_hitl.rendering.markdown import direction, excerpt, is_branch, one_line

_DEEPEST = 6
_LONGEST_TEXT = 400
_MOST_IN_A_LINE = 20
# The markup of a value takes so much more than the value that the room for characters limits the values, too.
_CHARS_EACH = 25
_TABLE = Markup(
    '<table width="100%" border="0" cellspacing="0" cellpadding="0" '
    'style="margin:0 0 12px;border-collapse:collapse;font-size:14px">'
)
_LABEL = Markup(
    '<th scope="row" class="muted rule" width="34%" valign="top"{} style="padding:6px 10px 6px 0;'
    'border-bottom:1px solid #d5dcd8;font-size:14px;font-weight:400;color:#55625c">{}</th>'
)
_CELL = Markup('<td class="rule" valign="top"{} style="padding:6px 10px 6px 0;border-bottom:1px solid #d5dcd8">{}</td>')
_BELOW = Markup('<tr><td colspan="2" style="padding:4px 0 0 12px">{}</td></tr>')
_HEADING = Markup(
    '<tr><th colspan="2"{} class="muted" style="padding:10px 0 2px;font-size:14px;font-weight:700;'
    'color:#55625c">{}</th></tr>'
)
_COLUMN = Markup(
    '<th scope="col" class="muted rule" valign="bottom"{} style="padding:4px 10px 4px 0;'
    'border-bottom:1px solid #d5dcd8;font-size:13px;font-weight:700;color:#55625c;word-break:normal">{}</th>'
)
_CARD = Markup(
    '<div class="rule" style="margin:0 0 10px;padding:6px 12px 0;border:1px solid #d5dcd8;border-radius:8px">{}</div>'
)
_NOTHING = Markup('<span class="muted" style="color:#55625c">{}</span>')


class MailTree:
    """The HTML of a JSON value with about `room` characters of text, and moments in a zone.

    `was_cut`: the email does not have all of it.
    """

    def __init__(self, value: object, room: int, zone: tzinfo = UTC) -> None:
        self._zone = zone
        self._chars, self._values = room, max(1, room // _CHARS_EACH)
        self.was_cut = False
        self.html = Markup().join(self._of(value, 0, ""))

    def _of(self, value: object, depth: int, name: str) -> Iterator[Markup]:
        if not is_branch(value):
            yield Markup('<div style="margin:0 0 12px">{}</div>').format(self._leaf(value, name))
        elif depth >= _DEEPEST:
            yield Markup('<div style="margin:0 0 12px">{}</div>').format(self._taken(one_line(value)))
        elif isinstance(value, Mapping):
            self._values -= 2
            yield from self._object(value, depth)
        elif (columns := columns_of(value)) is not None:
            yield from self._table(value, columns)
        else:
            yield from self._list(value, depth, name)

    def _object(self, value: Mapping[object, object], depth: int) -> Iterator[Markup]:
        yield _TABLE
        for key, member in noise_last(value):
            if self._is_full():
                break
            label = self._taken(member_words(key))
            if is_branch(member):
                yield _HEADING.format(_side(label, head=True), label)
                yield _BELOW.format(Markup().join(self._of(member, depth + 1, key)))
            else:
                said = self._leaf(member, key)
                yield Markup("<tr>{}{}</tr>").format(
                    _LABEL.format(_side(label, head=True), label), _CELL.format(_side(said.striptags()), said)
                )
        yield Markup("</table>")

    def _list(self, value: Sequence[object], depth: int, name: str) -> Iterator[Markup]:
        cards = any(map(is_branch, value))
        if not cards:
            yield Markup('<ul style="margin:0 0 12px;padding-left:22px">')
        for member in value:
            if self._is_full():
                break
            if cards:
                yield _CARD.format(Markup().join(self._of(member, depth + 1, name)))
            else:
                said = self._leaf(member, name)
                yield Markup("<li{}>{}</li>").format(_side(said.striptags()), said)
        if not cards:
            yield Markup("</ul>")

    def _table(self, rows: Sequence[object], columns: Sequence[str]) -> Iterator[Markup]:
        heads = [self._taken(member_words(column)) for column in columns]
        yield _TABLE
        yield Markup("<tr>{}</tr>").format(
            Markup().join(_COLUMN.format(_side(head, head=True), head) for head in heads)
        )
        for row in rows:
            if self._is_full():
                break
            cells = {str(key): cell for key, cell in row.items()} if isinstance(row, Mapping) else {}
            said = [self._leaf(cells[column], column) if column in cells else Markup() for column in columns]
            yield Markup("<tr>{}</tr>").format(Markup().join(_CELL.format(_side(one.striptags()), one) for one in said))
        yield Markup("</table>")

    def _leaf(self, value: object, name: str) -> Markup:
        self._values -= 1
        nothing = nothing_words(value)
        if nothing is not None:
            return _NOTHING.format(nothing)
        lines = self._taken(value_words(value, name, self._zone)).split("\n")
        return Markup("<br>").join(lines)

    def _taken(self, text: str) -> str:
        shown, was_cut = excerpt(text, min(_LONGEST_TEXT, max(1, self._chars)))
        self._chars -= len(shown) + 2
        self.was_cut = self.was_cut or was_cut
        return shown + "…" if was_cut else shown

    def _is_full(self) -> bool:
        is_full = self._chars <= 0 or self._values <= 0
        self.was_cut = self.was_cut or is_full
        return is_full


def brief(value: object) -> str:
    """Return the beginning of any JSON value in one line: texts as they are, all else in words, with members' names."""
    return one_line(value) if isinstance(value, str) else ", ".join(islice(_brief(value, "", 0), _MOST_IN_A_LINE))


def _brief(value: object, name: str, depth: int) -> Iterator[str]:
    if not is_branch(value) or depth >= _DEEPEST:
        words = one_line(value) if is_branch(value) else nothing_words(value) or one_line(value_words(value, name))
        yield f"{one_line(member_words(name))}: {words}" if name else words
    elif isinstance(value, Mapping):
        for key, member in noise_last(value):
            yield from _brief(member, key, depth + 1)
    elif isinstance(value, Sequence):
        for member in value:
            yield from _brief(member, name, depth + 1)


def _side(text: str, *, head: bool = False) -> Markup:
    """Return the attributes that let a text begin on its side: heads of tables are centered without."""
    if direction(text) == "rtl":
        return Markup(' dir="rtl" align="right"')
    return Markup(' align="left"') if head else Markup()
