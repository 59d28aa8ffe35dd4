"""The webhooks of a deployment for managers, and their deliveries."""

from functools import partial
from urllib.parse import quote

from flow_hitl.bootstrap import current
from flow_hitl.pages.settings.view import ConfirmPage, FilledForm, SecretPage, WebhookPage, WebhooksPage
from flow_hitl.platform.times import readable_time
from functions.http_api import query
from functions.manager_pages import answered, enter_managing, filled, name_in
from functions.routing import Response, Routes
from functions.web import Form, Place, page, read_form, see_other

router = Routes()


@router.get("/d/<deployment_id>/settings/webhooks")
def show_webhooks(deployment_id: str) -> Response:
    place = enter_managing(router, deployment_id)
    return _list_page(place, current().webhook_pages.new_form(place.member))


@router.post("/d/<deployment_id>/settings/webhooks")
def add_webhook(deployment_id: str) -> Response:
    place = enter_managing(router, deployment_id)
    made = current().webhook_pages.create(place.member, filled(read_form(router, place.visitor)))
    if isinstance(made, FilledForm):
        return _list_page(place, made)
    address = f"{_list_address(place)}/{made.webhook.webhook_id}"
    return _secret_page(place, address, made.secret, "The webhook's signing secret", [])


@router.get("/d/<deployment_id>/settings/webhooks/<webhook_id>")
def show_webhook(deployment_id: str, webhook_id: str) -> Response:
    return _webhook_page(enter_managing(router, deployment_id), name_in(webhook_id))


@router.post("/d/<deployment_id>/settings/webhooks/<webhook_id>")
def change_webhook(deployment_id: str, webhook_id: str) -> Response:
    place = enter_managing(router, deployment_id)
    form, pages = read_form(router, place.visitor), current().webhook_pages
    webhook_id = name_in(webhook_id)
    address = f"{_list_address(place)}/{webhook_id}"
    match form.text("do"):
        case "rotate":
            return _rotate(place, webhook_id, form)
        case "delete":
            return _delete(place, webhook_id, form)
        case "ping":
            pages.ping(place.member, webhook_id)
            return see_other(f"{address}?notice=pinged#deliveries")
        case "redeliver":
            pages.redeliver(place.member, webhook_id, name_in(form.text("delivery")))
            return see_other(f"{address}?notice=redelivered#deliveries")
        case _:
            outcome = pages.save(place.member, webhook_id, filled(form))
            return answered(outcome, partial(_webhook_page, place, webhook_id), address, "saved")


def _rotate(place: Place, webhook_id: str, form: Form) -> Response:
    made = current().webhook_pages.rotate(place.member, webhook_id, filled(form))
    if isinstance(made, FilledForm):
        return _webhook_page(place, webhook_id, rotation=made)
    begins = f"It takes effect {readable_time(made.signs_from)}. Until then, the old one signs."
    moment = "It takes effect now." if made.signs_from <= current().clock.now() else begins
    address = f"{_list_address(place)}/{webhook_id}"
    return _secret_page(place, address, made.secret, "The webhook's new signing secret", [moment])


def _delete(place: Place, webhook_id: str, form: Form) -> Response:
    pages, back = current().webhook_pages, _list_address(place)
    if form.text("sure"):
        pages.delete(place.member, webhook_id)
        return see_other(f"{back}?notice=removed")
    name = pages.sheet(place.member, webhook_id).webhook.name
    context = ConfirmPage(
        shell=place.shell("settings"),
        question=f'Delete the webhook "{name}"?',
        consequences=[
            "Nothing is sent there anymore, and its delivery log is deleted.",
            "The callback URLs it received stop working.",
        ],
        button="Delete the webhook",
        address=f"{back}/{webhook_id}",
        hidden={"do": "delete"},
    )
    return page(context)


def _list_page(place: Place, form: FilledForm) -> Response:
    shell = place.shell("settings")
    context = WebhooksPage(shell=shell, webhooks=current().webhook_pages.rows(place.member), form=form)
    return page(context, form.status)


def _webhook_page(
    place: Place, webhook_id: str, form: FilledForm | None = None, *, rotation: FilledForm | None = None
) -> Response:
    cursor = query(router, "after")
    sheet, address = current().webhook_pages.sheet(place.member, webhook_id, cursor), _list_address(place)
    following = sheet.page.next_cursor
    context = WebhookPage(
        shell=place.shell("settings"),
        webhook=sheet.webhook,
        form=form or sheet.form,
        rotation=rotation or sheet.rotation,
        rotates=sheet.rotates,
        deliveries=sheet.page.deliveries,
        newest_address=f"{address}/{webhook_id}#deliveries" if cursor else None,
        next_address=f"{address}/{webhook_id}?after={quote(following, safe='')}#deliveries" if following else None,
    )
    return page(context, max(context.form.status, context.rotation.status))


def _secret_page(place: Place, address: str, secret: str, title: str, more: list[str]) -> Response:
    context = SecretPage(
        shell=place.shell("settings"),
        title=title,
        secret=secret,
        explanation=[
            "Copy it now. It is shown only once, and stored encrypted.",
            (
                "The receiver uses it to verify that a delivery comes from us: X-Signature is the HMAC-SHA256 of "
                "X-Timestamp, a dot and the body, with this whole text as the key."
            ),
            *more,
        ],
        next_address=address,
        next_text="I have copied it",
    )
    return page(context, 201)


def _list_address(place: Place) -> str:
    return f"/d/{place.deployment_id}/settings/webhooks"
