"""Members and API keys for managers."""

from collections.abc import Callable
from functools import partial

from flow_hitl.bootstrap import current
from flow_hitl.deployments.deployment import Deployment, Permission
from flow_hitl.pages.settings.view import ApiKeysPage, ConfirmPage, FilledForm, MemberPage, MembersPage, SecretPage
from flow_hitl.platform.errors import NotFound
from functions.http_api import query
from functions.manager_pages import answered, enter_managing, filled
from functions.routing import Response, Routes
from functions.web import Place, page, read_form, see_other

router = Routes()


@router.get("/d/<deployment_id>/settings/members")
def show_members(deployment_id: str) -> Response:
    place, pages = enter_managing(router, deployment_id), current().access_pages
    email = query(router, "member")
    if email is None:
        return _members_page(place, pages.new_member_form(place.member))
    return _member_page(place, email, pages.member_form(place.member, email))


@router.post("/d/<deployment_id>/settings/members")
def change_members(deployment_id: str) -> Response:
    place = enter_managing(router, deployment_id)
    form, pages = read_form(router, place.visitor), current().access_pages
    typed, email = filled(form), form.text("member")
    if not email:
        outcome = pages.add_member(place.member, typed)
        return _after(place, outcome, partial(_members_page, place), "added")
    if form.text("do") != "remove":
        outcome = pages.save_member(place.member, email, typed)
        return _after(place, outcome, partial(_member_page, place, email), "saved")
    if not form.text("sure"):
        return _ask_to_remove(place, email, typed)
    outcome = pages.remove_member(place.member, email, typed)
    return _after(place, outcome, partial(_member_page, place, email), "removed")


@router.get("/d/<deployment_id>/settings/api-keys")
def show_keys(deployment_id: str) -> Response:
    place = enter_managing(router, deployment_id)
    return _keys_page(place, current().access_pages.key_form(place.member))


@router.post("/d/<deployment_id>/settings/api-keys")
def change_keys(deployment_id: str) -> Response:
    place = enter_managing(router, deployment_id)
    form, pages = read_form(router, place.visitor), current().access_pages
    key_id, back = form.text("key_id"), f"/d/{place.deployment_id}/settings/api-keys"
    if not key_id:
        issued = pages.issue_key(place.member, filled(form))
        return _keys_page(place, issued) if isinstance(issued, FilledForm) else _key_page(place, issued.text, back)
    if not form.text("sure"):
        return _ask_to_revoke(place, key_id, back)
    pages.revoke_key(place.member, key_id)
    return see_other(f"{back}?notice=revoked")


def _members_page(place: Place, form: FilledForm) -> Response:
    context = MembersPage(
        shell=place.shell("settings"),
        creator=place.member.deployment.creator_email,
        members=current().access_pages.members(place.member),
        form=form,
    )
    return page(context, form.status)


def _member_page(place: Place, email: str, form: FilledForm) -> Response:
    return page(MemberPage(shell=place.shell("settings"), email=email, form=form), form.status)


def _after(
    place: Place, outcome: FilledForm | Deployment, again: Callable[[FilledForm], Response], notice: str
) -> Response:
    """Show a refused form again, else the list; managers who removed their own permission leave the settings."""
    if isinstance(outcome, Deployment) and Permission.MANAGE not in outcome.permissions_of(place.visitor.email):
        return see_other("/d")
    return answered(outcome, again, f"/d/{place.deployment_id}/settings/members", notice)


def _ask_to_remove(place: Place, email: str, typed: FilledForm) -> Response:
    address = f"/d/{place.deployment_id}/settings/members"
    context = ConfirmPage(
        shell=place.shell("settings"),
        question=f"Remove {email} from the members?",
        consequences=[
            "They can no longer sign in to this deployment or answer from their aliases.",
            "Requests assigned to them stay assigned, and they can still answer those by email.",
        ],
        button="Remove the member",
        address=address,
        hidden={"do": "remove", "member": email, "etag": typed.etag, "seen": str(typed.seen)},
    )
    return page(context)


def _keys_page(place: Place, form: FilledForm) -> Response:
    shell = place.shell("settings")
    return page(ApiKeysPage(shell=shell, keys=current().access_pages.keys(place.member), form=form), form.status)


def _key_page(place: Place, text: str, back: str) -> Response:
    context = SecretPage(
        shell=place.shell("settings"),
        title="New API key",
        secret=text,
        explanation=[
            "Copy it now. It is shown only once, and we store only its hash.",
            "Send it with each call in the header Authorization: Bearer, followed by the key.",
        ],
        next_address=back,
        next_text="I have copied it",
    )
    return page(context, 201)


def _ask_to_revoke(place: Place, key_id: str, back: str) -> Response:
    key = place.member.deployment.api_keys.get(key_id)
    if key is None:
        raise NotFound("There is no such API key.")
    context = ConfirmPage(
        shell=place.shell("settings"),
        question=f'Revoke the API key "{key.name}"?',
        consequences=[
            "Calls with this key are refused from now on.",
            "This cannot be undone, but you can issue a new key.",
        ],
        button="Revoke the key",
        address=back,
        hidden={"key_id": key_id},
    )
    return page(context)
