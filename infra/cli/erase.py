"""`flow-hitl erase`: one person's data are listed, and with --yes erased."""

import click

from infra.cli.errors import OperatorError
from infra.cli.output import show
from infra.cli.target import CommandTarget, with_target

_REMAINS = (
    (
        "the audit log, which proves who was asked and who decided, and what it binds: the heads and answers of "
        "requests. Each event is part of the hash of the next and of signed digests: without it, nobody could tell an "
        "erasure from a manipulation"
    ),
    "figures per reviewer, which are counted from the log",
    "backups of the tables, for 35 days, and received emails that belong to no request, for 30 days",
)


@click.command()
@click.argument("address", metavar="ADDRESS")
@click.option("--yes", "really", is_flag=True, help="Erase it. Without this, it is only listed.")
@with_target
def erase(target: CommandTarget, address: str, really: bool) -> None:
    """Erase what is kept of a person: contents of requests, emails and their records, memberships, and suppression.

    Contents are erased of every decided request that was theirs, or has their address in it. Pending requests are named
    and stay: pass them on, or cancel them, and run it again. It may be interrupted and repeated.
    """
    from flow_hitl.platform.address import is_mail_address
    from flow_hitl.retention.erase_person import Apart, Configuration, Named, Walked

    if not is_mail_address(address):
        raise OperatorError(f"{address} is not an email address.", "Give one such as ann@example.com.")
    configurations, requests, apart = list[Configuration](), list[Named](), Apart(is_suppressed=False)
    for found in target.application.erase_person(address, really=really):
        match found:
            case Configuration():
                configurations.append(found)
            case Named():
                requests.append(found)
            case Walked():
                if not target.as_json:
                    click.echo(
                        f"Deployment {found.deployment_id}: {found.requests:,} requests looked through", err=True
                    )
            case Apart():
                apart = found
    erasable = [one for one in requests if one.is_left]
    kept = [one for one in requests if one.why_kept is not None]
    document = {
        "address": address,
        "erased": really,
        "configurations": [
            {
                "deployment_id": one.deployment_id,
                "members": one.members,
                "aliases": one.aliases,
                "groups": list(one.groups),
                "by_hand": list(one.by_hand),
            }
            for one in configurations
        ],
        "requests": [one.request_id for one in erasable],
        "kept_requests": [{"id": one.request_id, "why": one.why_kept} for one in kept],
        "records": sum(one.records for one in erasable),
        "discarded_emails": apart.discarded,
        "suppressed": apart.is_suppressed,
        "remains": list(_REMAINS),
    }
    show(target, document, "\n".join(_lines(document)), _next(target, document))


def _lines(document: dict[str, object]) -> list[str]:
    says = "Erased" if document["erased"] else "Would be erased"
    configurations: list[dict[str, object]] = document["configurations"]  # type: ignore[assignment]
    requests: list[str] = document["requests"]  # type: ignore[assignment]
    kept: list[dict[str, str]] = document["kept_requests"]  # type: ignore[assignment]
    lines = [f"{says} of {document['address']}:"]
    lines += [f"  content and emails of request {one}" for one in requests]
    for one in configurations:
        named = [name for name in ("members", "aliases", "groups") if one[name]]
        lines += [f"  {', '.join(named)} of deployment {one['deployment_id']}"] if named else []
    counted = {"records": "records of sent emails", "discarded_emails": "received emails that decided nothing"}
    lines += [f"  {document[name]} {what}" for name, what in counted.items() if document[name]]
    lines += ["  their place on the list of suppressed addresses"] if document["suppressed"] else []
    lines += ["  sessions and sign-in emails, if there are any"]
    if kept:
        lines += ["", "Stays, and needs you:"]
        lines += [f"  request {one['id']} {one['why']}" for one in kept]
    by_hand = [(one["deployment_id"], said) for one in configurations for said in one["by_hand"]]  # type: ignore[attr-defined]
    lines += ["", "Change by hand:"] if by_hand else []
    lines += [f"  deployment {deployment_id}: {said}" for deployment_id, said in by_hand]
    return [*lines, "", "Remains, by design:", *(f"  {one}" for one in _REMAINS)]


def _next(target: CommandTarget, document: dict[str, object]) -> str:
    again = target.command(f"erase {document['address']}")
    if not document["erased"]:
        return f"erase it: {again} --yes"
    if document["kept_requests"]:
        return f"decide, pass on, or cancel the requests that stay, and run it again: {again} --yes"
    return f"see that nothing is left: {again}"
