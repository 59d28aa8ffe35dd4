"""Who calls the routes under `/v1/deployments/{id}`."""

from urllib.parse import unquote

from flow_hitl.bootstrap import current
from flow_hitl.people.access import Action, KeyHolder, actor_name, authorize
from flow_hitl.platform.address import is_mail_address
from flow_hitl.platform.errors import NotFound
from flow_hitl.platform.records import dataclass
from functions.routing import Routes


@dataclass(frozen=True)
class Manager:
    """The program that manages the deployment with this id; `actor` is its name in the audit log."""

    holder: KeyHolder
    id: int
    actor: str


def manager(routes: Routes, deployment_id: str) -> Manager:
    """Return the caller; raises Unauthorized, NotFound for any deployment but the API key's own, and Forbidden."""
    holder = current().authenticate(routes.asked.headers.get("authorization"))
    # Only the plain spelling of a number is one: "0456" or "٤٥٦" would be a second address of the same thing.
    own = holder.deployment.deployment_id
    authorize(holder, Action.CONFIGURE, deployment_id=own if deployment_id == str(own) else -1)
    return Manager(holder, own, actor_name(holder))


def address_in(path_part: str) -> str:
    """Return the email address in a path, encoded or not; raises NotFound."""
    address = unquote(path_part)
    if not is_mail_address(address):
        raise NotFound("There is no such member; name members by a plain email address.")
    return address
