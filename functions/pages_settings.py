"""The settings of a deployment for managers, each part with its own form."""

from collections.abc import Mapping, Sequence
from functools import partial

from flow_hitl.bootstrap import current
from flow_hitl.deployments.settings import SettingsPart
from flow_hitl.pages.settings.view import (
    AnsweringPage,
    AutoResponsePage,
    ConfirmPage,
    EmailPage,
    FilledForm,
    GroupPage,
    GroupsPage,
    RetentionPage,
    SlaPage,
)
from flow_hitl.platform.errors import NotFound
from functions.manager_pages import answered, enter_managing, filled, place_in_list
from functions.routing import Response, Routes
from functions.web import Place, page, read_form, see_other

router = Routes()

# The parts of each page, each with a form of its own.
_PAGES: Mapping[str, Sequence[SettingsPart]] = {
    "email": (SettingsPart.EMAIL, SettingsPart.REMINDERS),
    "sla": (SettingsPart.SLA,),
    "auto-response": (SettingsPart.AUTO_RESPONSE,),
    "answers": (SettingsPart.ANSWERS, SettingsPart.PEOPLE),
    "retention": (SettingsPart.RETENTION,),
}


@router.get("/d/<deployment_id>/settings")
def start(deployment_id: str) -> Response:
    return see_other(_address(enter_managing(router, deployment_id), "email"))


def _serve(name: str) -> None:
    """Add the routes of a page with forms of parts."""

    @router.get(f"/d/<deployment_id>/settings/{name}")
    def show(deployment_id: str) -> Response:
        return _part_page(enter_managing(router, deployment_id), name)

    @router.post(f"/d/<deployment_id>/settings/{name}")
    def save(deployment_id: str) -> Response:
        place = enter_managing(router, deployment_id)
        form = read_form(router, place.visitor)
        part = next((one for one in _PAGES[name] if one.value == (form.text("part") or _PAGES[name][0].value)), None)
        if part is None:
            raise NotFound("There is no such settings section.")
        outcome = current().settings_pages.save(place.member, part, filled(form))
        return answered(outcome, partial(_part_page, place, name, part), _address(place, name), "saved")


for own_page in _PAGES:
    _serve(own_page)


@router.get("/d/<deployment_id>/settings/advanced")
def lead_on(deployment_id: str) -> Response:
    """Redirect a bookmark from when several pages were one."""
    return see_other(_address(enter_managing(router, deployment_id), "answers"))


@router.get("/d/<deployment_id>/settings/groups")
def show_groups(deployment_id: str) -> Response:
    return _groups_page(enter_managing(router, deployment_id))


@router.get("/d/<deployment_id>/settings/groups/<group>")
def show_group(deployment_id: str, group: str) -> Response:
    place, number = enter_managing(router, deployment_id), place_in_list(group)
    return _group_page(place, number, current().settings_pages.group_form(place.member, number))


@router.post("/d/<deployment_id>/settings/groups/<group>")
def save_group(deployment_id: str, group: str) -> Response:
    place, number = enter_managing(router, deployment_id), place_in_list(group)
    form, pages = read_form(router, place.visitor), current().settings_pages
    typed, back = filled(form), _address(place, "groups")
    if number is None or form.text("do") != "remove":
        outcome, notice = pages.save_group(place.member, number, typed), "saved" if number else "added"
        return answered(outcome, partial(_group_page, place, number), back, notice)
    if not form.text("sure"):
        return _ask_to_remove(place, number, typed)
    outcome = pages.remove_group(place.member, number, typed)
    return answered(outcome, partial(_groups_page, place), back, "removed")


def _part_page(
    place: Place, name: str, part: SettingsPart | None = None, refused: FilledForm | None = None
) -> Response:
    from flow_hitl.pages.settings.forms import reminder_rows

    pages, warnings = current().settings_pages, current().configuration_warnings
    forms = [refused if refused and one is part else pages.form(place.member, one) for one in _PAGES[name]]
    shell, deployment, status = place.shell("settings"), place.member.deployment, refused.status if refused else 200
    match name:
        case "email":
            form, reminders = forms
            doubts, number = warnings.of_email(deployment), reminder_rows(reminders.fields)
            return page(
                EmailPage(shell=shell, form=form, reminders=reminders, reminder_rows=number, warnings=doubts), status
            )
        case "answers":
            form, people = forms
            return page(AnsweringPage(shell=shell, form=form, people=people), status)
        case "retention":
            return page(RetentionPage(shell=shell, form=forms[0]), status)
        case "sla":
            return page(SlaPage(shell=shell, form=forms[0]), status)
        case _:
            doubts, outcomes = warnings.of_auto_response(deployment), pages.outcomes(place.member)
            return page(AutoResponsePage(shell=shell, form=forms[0], warnings=doubts, outcomes=outcomes), status)


def _groups_page(place: Place, refused: FilledForm | None = None) -> Response:
    groups = current().settings_pages.groups(place.member)
    context = GroupsPage(shell=place.shell("settings"), groups=groups, form=refused)
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
        address=f"{_address(place, 'groups')}/{number}",
        hidden={"do": "remove", "etag": typed.etag, "seen": str(typed.seen)},
    )
    return page(context)


def _address(place: Place, name: str) -> str:
    return f"/d/{place.deployment_id}/settings/{name}"
