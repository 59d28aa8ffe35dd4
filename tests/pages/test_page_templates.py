"""The pages of signed-in people: what they must have, and that nothing a stranger wrote comes alive in them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime
from typing import Any, get_args

import pytest

from flow_hitl.contract.shapes import Channel
from flow_hitl.deployments.deployment import DeploymentName, FreeText
from flow_hitl.diagnosis.findings import AnsweredQuestion, AnswerStatus, Finding, FindingStatus, Question
from flow_hitl.mails.contexts import Decision, RequestView
from flow_hitl.pages.contexts import (
    AnswersOption,
    AnswersPage,
    AnswersRow,
    DeploymentRow,
    DeploymentsPage,
    DiagnosisPage,
    FirstStep,
    HelpPage,
    ListColumn,
    ListFilters,
    ListLink,
    ListPlace,
    ListRow,
    Onward,
    ProblemKind,
    ProblemPage,
    RequestPage,
    RequestSheet,
    RequestsPage,
    Shell,
    SignInCodePage,
    SignInLinkPage,
    SignInPage,
    SignInRefusedPage,
    SlaState,
)
from flow_hitl.pages.requests.timeline import TimelineEntry
from flow_hitl.pages.settings.view import ChecksPage
from flow_hitl.people.sign_in_rules import SignInRefusal
from flow_hitl.rendering.rendering import render_page
from flow_hitl.requests.request import HistoryRound, Status
from tests.support.examples import option_views

NOW = datetime(2026, 1, 14, 12, 0, tzinfo=UTC)
HERE, THERE = DeploymentName(1, "Content Review"), DeploymentName(2, "Payments")
SHELL = Shell(
    email="anna@example.com",
    deployment=HERE,
    deployments=(HERE, THERE),
    section="requests",
    manages=True,
    form_token="token",
    notice="Your answer was recorded.",
)
VIEW = RequestView(
    deployment_name="Content Review",
    flow_name="ContentApprovalFlow",
    method_name="review_article",
    title="Review article",
    message="Fit to print?",
    output="# Draft",
    options=option_views("approved", "rejected"),
    free_text=FreeText.ACCEPT,
    state={"amount": 12},
    history=(HistoryRound("generate", "2026-01-14T11:00:00Z", "A *draft*"),),
    assigned_to="anna@example.com",
    assigned_why="the flow asked for you by address",
    deadline_text="If nobody answers by 14 Jan 2026, 13:00 UTC, it is rejected.",
    answer_until=NOW,
    may_pass_on=True,
    test=True,
    metadata={"run": "7f3c"},
)
SHEET = RequestSheet(
    request_id="0192f0c1-7e11-7abc-8def-0123456789ab",
    address="/d/1/requests/0192f0c1-7e11-7abc-8def-0123456789ab",
    request=VIEW,
    status=Status.PENDING,
    assigned_to="anna@example.com",
    created_at=NOW,
    decided_at=None,
    sla_due_at=NOW,
    decision=None,
    resume=None,
    timeline=(TimelineEntry(NOW, "Asked anna@example.com", "the flow named them", "accent"),),
    may_answer=True,
    shown="shown",
    warnings=("a warning",),
    comment="so far",
    delegate_to="ben@example.com",
    problem="Your answer must not be blank.",
)
DECIDED = replace(
    SHEET,
    status=Status.RESPONDED,
    decided_at=NOW,
    decision=Decision(
        outcome="approved", label="Approved", via=Channel.EMAIL, at=NOW, comment="Nice.", by="ben@example.com"
    ),
    resume="The flow has the answer.",
    may_answer=False,
    problem=None,
    beaten=True,
)
ROW = ListRow(
    request_id="0192f0c1-7e11-7abc-8def-0123456789ab",
    address="/d/1/requests/0192f0c1-7e11-7abc-8def-0123456789ab",
    title="Review article",
    method_name="review_article",
    flow_name="ContentApprovalFlow",
    message="Fit to print?",
    assigned_to="anna@example.com",
    created_at=NOW,
    waiting_seconds=60,
    sla="soon",
    sla_seconds=60,
    status="pending",
    outcome="approved",
    by="anna@example.com",
    decided_at=NOW,
    automatic=True,
    test=True,
)
LIST = RequestsPage(
    shell=SHELL,
    view="pending",
    tabs=(ListLink(text="Pending", address="/d/1/requests", current=True, count="1"),),
    columns=(
        ListColumn(text="Waiting", address="/d/1/requests?order=newest", sorted="descending"),
        ListColumn(text="Answer", address="/d/1/requests?order=answer"),
    ),
    filters=ListFilters(
        text="print", method="review", flow="Content", assignee="anna", outcome="approved", order="due"
    ),
    rows=(ROW,),
    place=ListPlace(first=26, last=26, total="78"),
    previous_address="/d/1/requests",
    next_address="/d/1/requests?after=x",
    clear_address="/d/1/requests",
    address="/d/1/requests",
    news_address="/d/1/news",
    mark="0123",
    first_steps=(
        FirstStep(text="Issue an API key", address="/d/1/settings/api-keys", done=True),
        FirstStep(text="Add a routing rule", address="/d/1/settings/rules", done=False),
    ),
    selectable=True,
    partly_sorted=True,
)
ONWARD = Onward(outcome="approved", title="Review", message="Fit to print?", address="/d/1/requests/2", left="6")
ANSWERED = AnswersRow(
    request_id="0192f0c1-7e11-7abc-8def-0123456789ab",
    address="/d/1/requests/0192f0c1-7e11-7abc-8def-0123456789ab",
    title="Review article",
    message="Fit to print?",
    flow_name="ContentApprovalFlow",
    problem=None,
)
FOUND: Any = {"shell": SHELL, "address": "/d/1/requests/1", "flow_name": "Content", "method_name": "review"}
FINDINGS = tuple(Finding("It `is` so.", status, "Do `this` next.") for status in FindingStatus)
PAGES: Sequence[Any] = (
    SignInPage(email="anna", problem="This must be an address.", notice="You are signed out."),
    SignInCodePage(email="anna@example.com", until=NOW, problem="Wrong code."),
    SignInLinkPage(email="anna@example.com"),
    *(SignInRefusedPage(reason=reason) for reason in SignInRefusal),
    DeploymentsPage(
        email="anna@example.com",
        deployments=(DeploymentRow(name=HERE, own="1", pending="2"), DeploymentRow(name=THERE)),
        form_token="token",
    ),
    DeploymentsPage(email="anna@example.com", deployments=(), form_token="token"),
    *(ProblemPage(kind=kind, detail="So it is.", written="My words", minutes=3) for kind in get_args(ProblemKind)),
    LIST,
    replace(LIST, view="history"),
    *(replace(LIST, rows=(replace(ROW, sla=sla, status="cancelled"),)) for sla in get_args(SlaState)),
    replace(LIST, rows=()),
    replace(LIST, rows=(), next_address=None, filters=ListFilters()),
    replace(LIST, rows=(), next_address=None, filters=ListFilters(), shell=replace(SHELL, manages=False)),
    replace(LIST, rows=(), next_address=None, filters=ListFilters(), view="history"),
    RequestPage(shell=SHELL, sheet=SHEET),
    RequestPage(shell=SHELL, sheet=replace(DECIDED, onward=ONWARD)),
    RequestPage(shell=SHELL, sheet=replace(DECIDED, onward=Onward(outcome=None))),
    AnswersPage(
        shell=SHELL,
        rows=(ANSWERED, replace(ANSWERED, problem="It is closed.")),
        options=(AnswersOption(value="approved", label="Approved", tone="positive"),),
    ),
    AnswersPage(shell=SHELL, rows=(ANSWERED,), comment="so far"),
    AnswersPage(shell=SHELL, rows=()),
    AnswersPage(shell=SHELL, rows=(ANSWERED, replace(ANSWERED, problem="It is closed.")), outcome="approved"),
    HelpPage(),
    RequestPage(shell=replace(SHELL, deployments=(HERE,), manages=False), sheet=DECIDED),
    RequestPage(shell=SHELL, sheet=replace(DECIDED, decision=None, status=Status.CANCELLED)),
    RequestPage(shell=SHELL, sheet=replace(SHEET, may_answer=False, request=replace(VIEW, output=None))),
    RequestPage(shell=SHELL, sheet=replace(SHEET, request=replace(VIEW, options=(), output={"a": [1]}))),
    *(
        DiagnosisPage(**FOUND, questions=[AnsweredQuestion(one, status, FINDINGS) for one in Question])
        for status in AnswerStatus
    ),
    ChecksPage(shell=SHELL, to="anna@example.com", problem="This must be a mail address."),
)
HOSTILE = (
    "\"'></textarea></title><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7*7 }}[x](javascript:alert(1))"
)
# Addresses of ours, and words that the code chooses.
_OURS = {
    "address",
    "previous_address",
    "news_address",
    "mark",
    "next_address",
    "clear_address",
    "kind",
    "via",
    "free_text",
    "status",
    "sla",
}
_OURS |= {"view", "sorted", "request_id", "section", "tone", "reason", "resume"}


def poisoned(value: Any) -> Any:
    """Return the value with hostile text in place of every text that someone else may have written."""
    if is_dataclass(value) and not isinstance(value, type):
        changes = {one.name: poisoned(getattr(value, one.name)) for one in fields(value) if one.name not in _OURS}
        return replace(value, **changes)
    if type(value) is str:
        return HOSTILE
    if isinstance(value, dict):
        return dict.fromkeys([HOSTILE, "plain"], poisoned(list(value.values())))
    if isinstance(value, tuple | list):
        return tuple(poisoned(member) for member in value)
    return value


def ids_of(html: str) -> list[str]:
    return re.findall(r'\sid="([^"]*)"', html)


def referred(html: str) -> Iterator[str]:
    for name in ("for", "aria-labelledby", "aria-describedby", "list"):
        for found in re.findall(rf'\s{name}="([^"]*)"', html):
            yield from found.split()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: type(page).__name__)
def test_no_text_is_markup_wherever_it_stands(page: Any) -> None:
    plain, html = render_page(page), render_page(poisoned(page))
    # JSON is lists, facts, or tables.
    shown = {"dl", "dt", "dd", "div", "ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td", "ins", "del", "h3"}
    tags = (
        shown
        | set(re.findall(r"<([a-z0-9]+)", plain))
        | {"a", "br", "details", "option", "p", "pre", "span", "summary"}
    )
    assert set(re.findall(r"<([a-z0-9]+)", html)) <= tags
    assert html.count("<script") == html.count('<script src="/assets/') == 1
    assert not re.search(r"<[^>]*\son[a-z]+\s*=", re.sub(r'"[^"]*"', '""', html))
    assert 'href="javascript:' not in html
    assert str(7777 * 11111) not in html


@pytest.mark.parametrize("page", PAGES, ids=lambda page: type(page).__name__)
def test_every_page_is_whole_and_can_be_found_through(page: Any) -> None:
    html = render_page(page)
    ids = ids_of(html)
    assert len(ids) == len(set(ids))
    assert set(referred(html)) <= set(ids)
    assert html.count("<h1") == html.count("<main") == html.count("<title>") == 1
    assert '<html lang="en">' in html
    assert 'href="#content"' in html
    assert "content" in ids
    assert " style=" not in html
    for control in re.findall(r"<(?:input|textarea|select)[^>]*>", html):
        found = re.search(r'\sid="([^"]*)"', control)
        assert 'type="hidden"' in control or (found and found[1] in set(referred(html))), control


@pytest.mark.parametrize("page", PAGES, ids=lambda page: type(page).__name__)
def test_every_form_of_a_session_carries_its_token(page: Any) -> None:
    if not hasattr(page, "shell") and not isinstance(page, DeploymentsPage):
        return
    for form in re.findall(r'<form method="post".*?</form>', render_page(page), re.DOTALL):
        assert '<input type="hidden" name="csrf" value="token">' in form
