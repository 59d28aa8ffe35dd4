"""The settings of a deployment for managers, each part with its own form."""

from functools import partial

from flow_hitl.bootstrap import current
from flow_hitl.deployments.settings import SettingsPart
from flow_hitl.pages.settings.view import (
    AdvancedPage,
    AutoResponsePage,
    ConfirmPage,
    EmailPage,
    FilledForm,
    GroupPage,
    SlaPage,
)
from flow_hitl.platform.errors import NotFound
from functions.manager_pages import answered, enter_managing, filled, place_in_list
from functions.routing import Response, Routes
from functions.web import Place, page, read_form, see_other

router = Routes()

_ADVANCED_PARTS = ("answers", "people", "reminders")


@router.get("/d/<deployment_id>/settings")
def start(deployment_id: str) -> Response:
    return see_other(_address(enter_managing(router, deployment_id), "email"))


def _serve(part: SettingsPart) -> None:
    """Add the routes of a part that has a page of its own."""

    @router.get(f"/d/<deployment_id>/settings/{part}")
    def show(deployment_id: str) -> Response:
        return _part_page(enter_managing(router, deployment_id), part)

    @router.post(f"/d/<deployment_id>/settings/{part}")
    def save(deployment_id: str) -> Response:
        place = enter_managing(router, deployment_id)
        typed = filled(read_form(router, place.visitor))
        outcome = current().settings_pages.save(place.member, part, typed)
        return answered(outcome, partial(_part_page, place, part), _address(place, part), "saved")


for own_page in (SettingsPart.EMAIL, SettingsPart.SLA, SettingsPart.AUTO_RESPONSE):
    _serve(own_page)


@router.get("/d/<deployment_id>/settings/advanced")
def show_advanced(deployment_id: str) -> Response:
    return _advanced_page(enter_managing(router, deployment_id))


@router.post("/d/<deployment_id>/settings/advanced")
def save_advanced(deployment_id: str) -> Response:
    place = enter_managing(router, deployment_id)
    form = read_form(router, place.visitor)
    part = form.text("part")
    if part not in _ADVANCED_PARTS:
        raise NotFound("There is no such settings section.")
    outcome = current().settings_pages.save(place.member, SettingsPart(part), filled(form))
    return answered(outcome, partial(_advanced_page, place, part), _address(place, "advanced"), "saved")


@router.get("/d/<deployment_id>/settings/advanced/<group>")
def show_group(deployment_id: str, group: str) -> Response:
    place, number = enter_managing(router, deployment_id), place_in_list(group)
    return _group_page(place, number, current().settings_pages.group_form(place.member, number))


@router.post("/d/<deployment_id>/settings/advanced/<group>")
def save_group(deployment_id: str, group: str) -> Response:
    place, number = enter_managing(router, deployment_id), place_in_list(group)
    form, pages = read_form(router, place.visitor), current().settings_pages
    typed, back = filled(form), _address(place, "advanced")
    if number is None or form.text("do") != "remove":
        outcome, notice = pages.save_group(place.member, number, typed), "saved" if number else "added"
        return answered(outcome, partial(_group_page, place, number), back, notice)
    if not form.text("sure"):
        return _ask_to_remove(place, number, typed)
    outcome = pages.remove_group(place.member, number, typed)
    return answered(outcome, partial(_advanced_page, place, "groups"), back, "removed")


def _part_page(place: Place, part: SettingsPart, refused: FilledForm | None = None) -> Response:
    pages, warnings = current().settings_pages, current().configuration_warnings
    form = refused or pages.form(place.member, part)
    shell, deployment = place.shell("settings"), place.member.deployment
    match part:
        case SettingsPart.EMAIL:
            return page(EmailPage(shell=shell, form=form, warnings=warnings.of_email(deployment)), form.status)
        case SettingsPart.SLA:
            return page(SlaPage(shell=shell, form=form), form.status)
        case _:
            doubts, outcomes = warnings.of_auto_response(deployment), pages.outcomes(place.member)
            context = AutoResponsePage(shell=shell, form=form, warnings=doubts, outcomes=outcomes)
            return page(context, form.status)


def _advanced_page(place: Place, part: str = "", refused: FilledForm | None = None) -> Response:
    from flow_hitl.pages.settings.forms import reminder_rows

    pages = current().settings_pages
    forms = {
        name: pages.form(place.member, SettingsPart(name)) for name in _ADVANCED_PARTS if name != part or not refused
    }
    if refused:
        forms[part] = refused
    context = AdvancedPage(
        shell=place.shell("settings"),
        answers=forms["answers"],
        people=forms["people"],
        reminders=forms["reminders"],
        reminder_rows=reminder_rows(forms["reminders"].fields),
        groups=pages.groups(place.member),
        groups_form=forms.get("groups"),
    )
    return page(context, refused.status if refused else 200)


def _group_page(place: Place, number: int | None, form: FilledForm) -> Response:
    title = "New group" if number is None else form.text("name") or form.text("address")
    return page(GroupPage(shell=place.shell("settings"), number=number, title=title, form=form), form.status)


def _ask_to_remove(place: Place, number: int, typed: FilledForm) -> Response:
    group = current().settings_pages.group_form(place.member, number)
    name = group.text("name") or group.text("address")
    context = ConfirmPage(
        shell=place.shell("settings"),
        question=f'Remove the group "{name}"?',
        consequences=[
            "Requests already assigned to the group stay with its people.",
            "Routing rules that still refer to it send their requests to the deployment's creator.",
        ],
        button="Remove the group",
        address=f"{_address(place, 'advanced')}/{number}",
        hidden={"do": "remove", "etag": typed.etag, "seen": str(typed.seen)},
    )
    return page(context)


def _address(place: Place, name: str) -> str:
    return f"/d/{place.deployment_id}/settings/{name}"
