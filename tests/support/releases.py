"""What a release leaves behind in stacks, mailboxes and programs, and what a later one must not break.

`tests/releases/VERSION.json` has it for each release. `FLOW_HITL_FREEZE=0.2.0` makes `tests/infra/test_releases.py`
write the file of a new one; files that exist are never changed.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from flow_hitl.contract.shapes import as_json
from flow_hitl.people import sign_in_tokens
from flow_hitl.people.sign_in_tokens import BrowserCookie, SessionCookie
from flow_hitl.requests.deciding import reply_address, web_tokens
from flow_hitl.requests.deciding.web_tokens import WebhookName
from flow_hitl.requests.store.deadlines import deadline_message, read_deadline
from infra.packaging import ROOT
from tests.support.key_rings import FixedKeys

RELEASES = ROOT / "tests/releases"
STATEFUL = (
    "AWS::DynamoDB::Table",
    "AWS::S3::Bucket",
    "AWS::KMS::Key",
    "AWS::SecretsManager::Secret",
    "AWS::SQS::Queue",
    "AWS::ApiGatewayV2::Api",
)
"""Replacing one of these loses data, or the address that flows, webhooks and emails know."""

_KEYS = FixedKeys()
_REQUEST = "0192f0c1-7e11-7abc-8def-0123456789ab"
_ADDRESS = "ann@example.com"
_UNTIL = datetime(2037, 1, 1, tzinfo=UTC)
_WEBHOOK = WebhookName(456, "wh_1")

ISSUED: dict[str, Callable[[], str]] = {
    "reply address": lambda: reply_address.sign(_KEYS, _REQUEST, _ADDRESS, _UNTIL),
    "review link": lambda: web_tokens.sign_review_link(_KEYS, _REQUEST, _ADDRESS, _UNTIL),
    "callback of the flow": lambda: web_tokens.sign_callback(_KEYS, _REQUEST),
    "callback of a webhook": lambda: web_tokens.sign_callback(_KEYS, _REQUEST, _WEBHOOK),
    "content link": lambda: web_tokens.sign_content_link(_KEYS, _REQUEST, _WEBHOOK, _UNTIL),
    "page that was shown": lambda: web_tokens.sign_shown(_KEYS, _REQUEST, _ADDRESS, "ab" * 32),
    "sign-in link": lambda: sign_in_tokens.sign_link(_KEYS, "try-1"),
    "sign-in cookie": lambda: sign_in_tokens.sign_browser(_KEYS, BrowserCookie("secret", "try-1")),
    "session cookie": lambda: sign_in_tokens.sign_session(_KEYS, SessionCookie(_ADDRESS, "session-1")),
    "schedule of an auto-response": lambda: deadline_message(_REQUEST),
    "schedule of a reminder": lambda: deadline_message(_REQUEST, _UNTIL),
}
"""What is out there when a stack is updated, and comes back later."""


def _reply(text: str) -> Any:
    token = reply_address.parse(text)
    assert token is not None, "is no reply address any more"
    reply_address.verify(_KEYS, token, _ADDRESS, _UNTIL)
    return {"request_id": token.request_id, "expires_at": token.expires_at}


def _review(text: str) -> Any:
    link = web_tokens.read_review_link(_KEYS, text)
    assert link.issued_to(_ADDRESS)
    link.require_unexpired(_UNTIL)
    return {"request_id": link.request_id}


READ: dict[str, Callable[[str], Any]] = {
    "reply address": _reply,
    "review link": _review,
    "callback of the flow": lambda text: as_json(web_tokens.read_callback(_KEYS, text)),
    "callback of a webhook": lambda text: as_json(web_tokens.read_callback(_KEYS, text)),
    "content link": lambda text: as_json(web_tokens.read_content_link(_KEYS, text)),
    "page that was shown": lambda text: web_tokens.read_shown(_KEYS, text, _REQUEST, _ADDRESS),
    "sign-in link": lambda text: sign_in_tokens.read_link(_KEYS, text),
    "sign-in cookie": lambda text: as_json(sign_in_tokens.read_browser(_KEYS, text)),
    "session cookie": lambda text: as_json(sign_in_tokens.read_session(_KEYS, text)),
    "schedule of an auto-response": lambda text: as_json(read_deadline(text)),
    "schedule of a reminder": lambda text: as_json(read_deadline(text)),
}
"""How each is read today, and what it then says."""


def facts_of(template: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an update of a stack must keep: stateful resources, the indexes of tables, exports and outputs."""
    resources = template["Resources"].items()
    tables = {name: one["Properties"] for name, one in resources if one["Type"] == "AWS::DynamoDB::Table"}
    return {
        "stateful": {name: one["Type"] for name, one in resources if one["Type"] in STATEFUL},
        "indexes": {
            name: sorted(index["IndexName"] for index in table.get("GlobalSecondaryIndexes", []))
            for name, table in tables.items()
        },
        "keys": {name: table["KeySchema"] for name, table in tables.items()},
        "exports": sorted(
            str(output["Export"]["Name"]) for output in template.get("Outputs", {}).values() if "Export" in output
        ),
    }


def broken_by(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return why CloudFormation, or those who rely on a stack, could not follow from one release to the next."""
    said = [
        f"{name} ({kind}) is gone or another resource: its data would be lost"
        for name, kind in before["stateful"].items()
        if after["stateful"].get(name) != kind
    ]
    for table, indexes in before["indexes"].items():
        changed = set(indexes) ^ set(after["indexes"].get(table, indexes))
        if len(changed) > 1:
            said.append(f"{table} changes {len(changed)} indexes: DynamoDB makes or removes one in an update")
    said += [
        f"{table} has other keys: CloudFormation would make a new table"
        for table, keys in before["keys"].items()
        if after["keys"].get(table, keys) != keys
    ]
    gone = set(before["exports"]) - set(after["exports"])
    return said + [f"the export {name} is gone: the stack that imports it cannot be updated" for name in sorted(gone)]
