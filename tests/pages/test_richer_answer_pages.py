"""Edit and approve, and typed answers, on the page behind a link and on the page of signed-in people."""

from html import unescape
from typing import Any

import pytest

from infra.local.hitl_fixture import AskedRequest, Hitl
from tests.support.asserts import EMIT, callback

SCHEMA = {
    "type": "object",
    "properties": {
        "amount": {"type": "number", "minimum": 0, "title": "Amount paid"},
        "cost_center": {"type": "string", "enum": ["A 1", "B 2"]},
        "urgent": {"type": "boolean", "default": True},
        "pay_on": {"type": "string", "format": "date"},
        "note": {"type": "string", "default": "none"},
    },
    "required": ["amount", "cost_center", "urgent"],
}
OUTPUT = {"invoice": "INV-1", "lines": [{"price": 12, "taxed": True}], "paid": None}


class Reviewer:
    """Somebody who answers on one of the two pages."""

    def __init__(self, hitl: Hitl, request: AskedRequest, *, signed_in: bool) -> None:
        self.hitl, self.path = hitl, f"/d/{hitl.deployment_id}/requests/{request.id}"
        self.browser = hitl.signed_in("creator@example.com") if signed_in else None
        self.url = hitl.review_url(next(mail for mail in hitl.inbox if "/review/" in mail.text))

    def look(self) -> str:
        answer = self.browser.get(self.path) if self.browser else self.hitl.page("GET", self.url)
        return answer.text

    def answer(self, **form: str) -> Any:
        form = {"outcome": "approved", "comment": "", "shown": "", **form}
        if self.browser is None:
            return self.hitl.page("POST", self.url, form)
        self.look()
        return self.browser.post(self.path, form)


@pytest.fixture(params=[False, True], ids=["by link", "signed in"])
def reviewing(request: pytest.FixtureRequest) -> Any:
    return lambda hitl, asked: Reviewer(hitl, asked, signed_in=request.param)


def test_the_form_has_the_right_widgets_and_the_flow_gets_the_values(hitl: Hitl, reviewing: Any) -> None:
    asked = hitl.ask(emit=EMIT, response_schema=SCHEMA)
    reviewer = reviewing(hitl, asked)
    page = reviewer.look()
    assert 'type="number"' in page
    assert 'type="date"' in page
    assert "Amount paid" in page
    assert '<option value="A 1">A 1</option>' in page
    assert '<option value="yes" selected>Yes</option>' in page
    assert ">\nnone</textarea>" in page
    reviewer.answer(**{"field-0": "12.5", "field-1": "B 2", "field-2": "no", "field-3": "", "field-4": ""})
    assert asked.response["data"] == {"amount": 12.5, "cost_center": "B 2", "urgent": False, "note": ""}


def test_wrong_values_come_back_with_what_is_wrong_and_what_was_written(hitl: Hitl, reviewing: Any) -> None:
    asked = hitl.ask(emit=EMIT, response_schema=SCHEMA)
    refused = reviewing(hitl, asked).answer(
        comment="My words", **{"field-0": "much", "field-1": "A 1", "field-2": "yes", "field-4": "mine"}
    )
    assert refused.status == 422
    assert "Nothing was recorded yet" in refused.text
    assert "must be a number, at least 0" in refused.text
    assert 'value="much"' in refused.text
    assert ">\nmine</textarea>" in refused.text
    assert ">\nMy words</textarea>" in refused.text
    assert asked.status == "pending"


def test_an_edited_value_goes_to_the_flow_and_the_timeline_shows_the_difference(hitl: Hitl, reviewing: Any) -> None:
    asked = hitl.ask(emit=EMIT, output=OUTPUT, editable=True)
    reviewer = reviewing(hitl, asked)
    assert "Edit before you answer" in reviewer.look()
    reviewer.answer(**{"output-0": "INV-2", "output-1": "11.5", "output-2": "true"})
    assert asked.response["output"] == {"invoice": "INV-2", "lines": [{"price": 11.5, "taxed": True}], "paid": None}
    sheet = hitl.signed_in("creator@example.com").get(reviewer.path).text
    assert '<del dir="auto">invoice: INV-1</del>' in sheet
    assert '<ins dir="auto">invoice: INV-2</ins>' in sheet
    assert "lines › 1 › price: 11.5" in sheet
    assert "taxed: " not in sheet.partition("What was changed")[2].partition("</details>")[0]


def test_what_a_browser_changes_by_itself_is_no_edit(hitl: Hitl, reviewing: Any) -> None:
    asked = hitl.ask(emit=EMIT, output="# Draft\n\nTwo lines\n", editable=True)
    reviewing(hitl, asked).answer(**{"output-0": "# Draft\r\n\r\nTwo lines\r\n"})
    assert asked.response["output"] is None


def test_an_edited_text_is_shown_line_by_line(hitl: Hitl, reviewing: Any) -> None:
    asked = hitl.ask(emit=EMIT, output="# Draft\n\nMuch text", editable=True)
    reviewer = reviewing(hitl, asked)
    reviewer.answer(**{"output-0": "# Draft\r\n\r\nLess text"})
    assert asked.response["output"] == "# Draft\n\nLess text"
    sheet = hitl.signed_in("creator@example.com").get(reviewer.path).text
    assert '<del dir="auto">Much text</del>' in sheet
    assert '<ins dir="auto">Less text</ins>' in sheet


def test_a_number_stays_a_number(hitl: Hitl, reviewing: Any) -> None:
    asked = hitl.ask(emit=EMIT, output=OUTPUT, editable=True)
    refused = reviewing(hitl, asked).answer(**{"output-1": "twelve"})
    assert refused.status == 422
    assert "must be a number such as" in refused.text
    assert 'value="twelve"' in refused.text
    assert asked.status == "pending"


def test_an_option_to_confirm_has_the_form_too(hitl: Hitl) -> None:
    hitl.ask(emit=EMIT, response_schema=SCHEMA, output="# Draft", editable=True)
    page = hitl.page("GET", hitl.review_url() + "?answer=approved").text
    assert 'name="field-0"' in page
    assert 'name="output-0"' in page


def test_other_requests_have_neither(hitl: Hitl, reviewing: Any) -> None:
    asked = hitl.ask(emit=EMIT, output="# Draft")
    reviewer = reviewing(hitl, asked)
    assert "Edit before you answer" not in reviewer.look()
    reviewer.answer(**{"output-0": "# Other", "field-0": "x"})
    assert (asked.response["output"], asked.response["data"]) == (None, None)


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7*7 }}",
    "' autofocus onfocus='x",
    "\u202egnp",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_content_is_shown_as_text(hitl: Hitl, reviewing: Any, text: str) -> None:
    field = {"type": "string", "title": text[:60], "description": text, "default": text}
    schema = {
        "type": "object",
        "properties": {text.replace(":", "")[:60]: field} if text.isprintable() else {"a": field},
    }
    asked = hitl.ask(emit=EMIT, output={text: text, "many": [f"{text}\n{text}"]}, editable=True, response_schema=schema)
    reviewer = reviewing(hitl, asked)
    for shown in (reviewer.look(), hitl.inbox[0].html):
        assert "<script>alert" not in shown
        assert "<img src=x" not in shown
        assert "onfocus='x" not in shown.replace("&#39;", "")
        assert "{{ 7*7 }}" in unescape(shown) or text != "{{ 7*7 }}"
    callback(hitl, asked, output={text: "changed", "many": [text]}, data={next(iter(schema["properties"])): text})
    decided = hitl.signed_in("creator@example.com").get(reviewer.path).text
    assert "<script>alert" not in decided
    assert "<img src=x" not in decided


def test_only_the_same_values_are_said_to_be_the_answer_that_counts(hitl: Hitl, reviewing: Any) -> None:
    asked = hitl.ask(emit=EMIT, output=OUTPUT, editable=True, response_schema=SCHEMA)
    reviewer = reviewing(hitl, asked)
    values = {"field-0": "12.5", "field-1": "B 2", "field-2": "no", "field-3": "", "field-4": ""}
    edits = {"output-0": "INV-1", "output-1": "12", "output-2": "true"}
    reviewer.answer(**values, **edits)
    assert asked.status == "responded"
    counts = "Your answer counts"
    assert counts in reviewer.answer(**values, **edits).text
    assert counts not in reviewer.answer(**{**values, "field-0": "99"}, **edits).text
    assert counts not in reviewer.answer(**values, **{**edits, "output-0": "INV-2"}).text


# --- how the fields of a list stand


ROWS = [{"question": f"Is {number} done?", "is_final": True, "share": 0.5} for number in range(1, 31)]


def rows_of(page: str) -> str:
    """Return the part of the page that has the fields of a list."""
    assert page.count('<section class="rows">') == 1
    return page.partition('<section class="rows">')[2].partition("</section>")[0]


def test_a_list_of_objects_is_a_table_of_fields(hitl: Hitl, reviewing: Any) -> None:
    output = {"vendor": "ACME", "answers": [*ROWS, {"question": None, "share": 1, "more": "x"}], "note": "n"}
    asked = hitl.ask(emit=EMIT, output=output, editable=True)
    reviewer = reviewing(hitl, asked)
    page = reviewer.look()
    assert len(page.encode()) < 60_000
    table = rows_of(page)
    assert table.count("<tr>") == 32
    for head in ("Question", "Is final", "Share", "More"):
        assert f'<th scope="col" dir="auto">{head}</th>' in table
    assert '<th scope="row">30</th>' in table
    assert 'aria-label="answers › 30 › question"' in table
    assert '<td data-label="Question"><span class="hint">–</span></td>' in table
    assert "ACME" not in table
    assert table.count("<select ") == 30
    assert reviewer.answer(**{"output-1": "Is it?", "output-90": "x"}).status == 422
    reviewer.answer(**{"output-1": "Is it?", "output-2": "false", "output-90": "0.75"})
    changed = asked.response["output"]
    assert changed["answers"][0] == {"question": "Is it?", "is_final": False, "share": 0.5}
    assert changed["answers"][29]["share"] == 0.75
    assert changed["answers"][30] == output["answers"][30]


def test_what_is_wrong_stands_in_the_cell_with_what_was_written(hitl: Hitl, reviewing: Any) -> None:
    asked = hitl.ask(emit=EMIT, output={"answers": ROWS[:2]}, editable=True)
    refused = reviewing(hitl, asked).answer(**{"output-2": "half"})
    cell = rows_of(refused.text).partition('<td data-label="Share">')[2].partition("</td>")[0]
    assert 'value="half"' in cell
    assert 'aria-invalid="true"' in cell
    assert 'aria-describedby="output-2-error"' in cell
    assert '<p class="error" id="output-2-error">must be a number such as' in cell


@pytest.mark.parametrize(
    "row",
    [
        {"question": "Why?", "answer": "Because. " * 30},
        {"question": "Why?", "source": {"title": "Handbook", "page": 4}},
        {"text": "two\nlines"},
        {name: name for name in ("a", "b", "c", "d", "e", "f")},
    ],
)
def test_objects_that_fit_no_table_are_cards(hitl: Hitl, reviewing: Any, row: dict[str, Any]) -> None:
    asked = hitl.ask(emit=EMIT, output=[row, row, row], editable=True)
    cards = rows_of(reviewing(hitl, asked).look())
    assert "<table" not in cards
    assert '<legend dir="auto">Rows 3</legend>' in cards
    first = cards.partition("<legend")[2].partition("</fieldset>")[0]
    for name in row:
        assert f">{name}</label>" in first or f">{name} › " in first


@pytest.mark.parametrize("output", [{"tags": ["a", "b"]}, [{"only": 1}], {"mixed": [{"a": 1}, 2]}, {"a": {"b": 1}}, 12])
def test_all_else_stands_one_below_the_other(hitl: Hitl, reviewing: Any, output: Any) -> None:
    asked = hitl.ask(emit=EMIT, output=output, editable=True)
    page = reviewing(hitl, asked).look()
    assert 'class="rows"' not in page
    assert '<label for="output-0">' in page


def test_what_a_list_holds_and_calls_its_members_is_no_markup(hitl: Hitl, reviewing: Any) -> None:
    bad = '"><script>alert(1)</script>'
    asked = hitl.ask(emit=EMIT, output={bad: [{bad: bad}, {bad: bad}]}, editable=True)
    assert "<script>alert" not in reviewing(hitl, asked).look()
    hitl.ask(emit=EMIT, output={bad: [{bad: bad * 9}, {bad: {bad: bad}}]}, editable=True)
    assert "<script>alert" not in reviewing(hitl, asked).look()
