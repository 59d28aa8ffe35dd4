"""The routing rules for managers: an ordered list, a form for each rule, and the dry run."""

from dataclasses import replace
from functools import partial

from flow_hitl.bootstrap import current
from flow_hitl.pages.settings.view import ConfirmPage, DryRunView, FilledForm, RulePage, RulesPage
from functions.manager_pages import answered, enter_managing, filled, place_in_list
from functions.routing import Response, Routes
from functions.web import Place, page, read_form

router = Routes()

_MOVES = {"up": -1, "down": 1}


@router.get("/d/<deployment_id>/settings/rules")
def show_rules(deployment_id: str) -> Response:
    return _list_page(enter_managing(router, deployment_id))


@router.post("/d/<deployment_id>/settings/rules")
def move_or_try(deployment_id: str) -> Response:
    place = enter_managing(router, deployment_id)
    form, pages = read_form(router, place.visitor), current().rule_pages
    move = next((name for name in _MOVES if name in form), None)
    if move is None:
        trial, result = pages.try_out(place.member, form.fields)
        return _list_page(place, trial=trial, result=result)
    number = place_in_list(form.text(move)) or 0
    outcome = pages.move(place.member, number, _MOVES[move], filled(form))
    return answered(outcome, partial(_list_page, place), _list_address(place), "moved")


@router.get("/d/<deployment_id>/settings/rules/<rule>")
def show_rule(deployment_id: str, rule: str) -> Response:
    place, number = enter_managing(router, deployment_id), place_in_list(rule)
    return _rule_page(place, number, current().rule_pages.form(place.member, number))


@router.post("/d/<deployment_id>/settings/rules/<rule>")
def save_rule(deployment_id: str, rule: str) -> Response:
    place, number = enter_managing(router, deployment_id), place_in_list(rule)
    form, pages = read_form(router, place.visitor), current().rule_pages
    typed = filled(form)
    if number is None or form.text("do") != "remove":
        outcome, notice = pages.save(place.member, number, typed), "saved" if number else "added"
        return answered(outcome, partial(_rule_page, place, number), _list_address(place), notice)
    if not form.text("sure"):
        return _ask_to_remove(place, number, typed)
    outcome = pages.remove(place.member, number, typed)
    return answered(outcome, partial(_list_page, place), _list_address(place), "removed")


def _list_page(
    place: Place,
    refused: FilledForm | None = None,
    *,
    trial: FilledForm | None = None,
    result: DryRunView | None = None,
) -> Response:
    pages, deployment = current().rule_pages, place.member.deployment
    form = pages.list_form(place.member)
    if refused:
        form = replace(form, conflict=refused.conflict, problems=refused.problems, others=refused.others)
    trial = trial or pages.trial()
    context = RulesPage(
        shell=place.shell("settings"),
        rules=pages.rows(place.member),
        creator=deployment.creator_email,
        form=form,
        trial=trial,
        result=result,
        warnings=current().configuration_warnings.of_rules(deployment),
    )
    return page(context, max(form.status, trial.status))


def _rule_page(place: Place, number: int | None, form: FilledForm) -> Response:
    from flow_hitl.pages.rules.forms import CONDITION_TESTS, condition_rows

    context = RulePage(
        shell=place.shell("settings"),
        number=number,
        title="New rule" if number is None else form.text("name"),
        form=form,
        condition_rows=condition_rows(form.fields),
        tests=CONDITION_TESTS,
        groups=current().rule_pages.groups(place.member),
    )
    return page(context, form.status)


def _ask_to_remove(place: Place, number: int, typed: FilledForm) -> Response:
    name = current().rule_pages.form(place.member, number).text("name")
    context = ConfirmPage(
        shell=place.shell("settings"),
        question=f'Remove the rule "{name}"?',
        consequences=[
            "Open requests stay with whoever they are assigned to.",
            "New requests follow the remaining rules.",
        ],
        button="Remove the rule",
        address=f"{_list_address(place)}/{number}",
        hidden={"do": "remove", "etag": typed.etag, "seen": str(typed.seen)},
    )
    return page(context)


def _list_address(place: Place) -> str:
    return f"/d/{place.deployment_id}/settings/rules"
