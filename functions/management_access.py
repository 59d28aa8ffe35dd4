"""Who manages a deployment by API, and what they say: shared by all routes under `/v1/deployments/{id}`."""

from urllib.parse import unquote

from flow_hitl.bootstrap import current
from flow_hitl.people.access import Action, KeyHolder, actor_name, authorize
from flow_hitl.platform.address import is_mail_address
from flow_hitl.platform.errors import NotFound
from functions.http_api import Routes


def manager(routes: Routes, deployment_id: str) -> KeyHolder:
    """Return the caller, who may manage the deployment in the path.

    Raises Unauthorized, NotFound for any other deployment than the API key's own, and Forbidden.
    """
    holder = current().authenticate(routes.current_event.headers.get("authorization"))
    # Only the plain spelling of a number is one: "0456" or "٤٥٦" would be a second address of the same thing.
    own = holder.deployment.deployment_id
    authorize(holder, Action.CONFIGURE, deployment_id=own if deployment_id == str(own) else -1)
    return holder


def actor_of(holder: KeyHolder) -> str:
    """Return how the audit log names a program that manages a deployment."""
    return actor_name(holder)


def address_in(path_part: str) -> str:
    """Return the mail address that stands in a path, encoded or not; raises NotFound for what is none."""
    address = unquote(path_part)
    if not is_mail_address(address):
        raise NotFound("There is no such member; name members by a plain email address.")
    return address
