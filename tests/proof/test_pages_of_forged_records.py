"""Whatever a forger writes, the API and pages name it, leave it out, or show it: none fails, or calls it verified."""

from collections.abc import Callable, Iterator
from types import ModuleType
from unittest.mock import patch

import pytest

from infra.local.hitl_fixture import Hitl
from infra.local.hitl_fixture.seen import Answer
from tests.proof import test_forged_details, test_forged_records, test_forged_wholes
from tests.proof.test_forged_records import Place
from tests.support.aws_calls import unsettled

TABLES: dict[str, ModuleType] = {
    "records": test_forged_records,
    "details": test_forged_details,
    "wholes": test_forged_wholes,
}
CASES = [(table, name) for table, module in TABLES.items() for name in module.FORGERIES]
CASES += [("details", name) for name in test_forged_details.UNSEALED]
REQUESTS = ("decided", "brief", "grouped", "pending", "large", "unsealed", "late", "answered", "asked", "fresh")
DAYS = "from=2026-01-14&to=2026-01-16"


def looks(hitl: Hitl, place: Place, get: Callable[[str], Answer]) -> Iterator[Answer]:
    """Yield every answer that shows something of a deployment's requests, settings, and log; `get` is a browser's."""
    own = f"/v1/deployments/{hitl.deployment_id}"
    for path in ("/v1/requests", "/v1/requests?status=pending", "/v1/decisions"):
        yield hitl.api("GET", path)
    for path in ("audit", "audit/verify", "settings", "members", "webhooks", "routing-rules", "api-keys"):
        yield hitl.api("GET", f"{own}/{path}")
    pages = ["requests", "requests?view=all", "settings", "settings/members", "settings/webhooks", "analytics"]
    pages += [f"audit?{DAYS}", f"audit/verify?{DAYS}"]
    for request_id in (found for name in REQUESTS if (found := getattr(place, name, ""))):
        for part in ("", "/timeline", "/diagnosis"):
            yield hitl.api("GET", f"/v1/requests/{request_id}{part}")
        pages += [f"requests/{request_id}", f"requests/{request_id}/diagnosis"]
    for page in pages:
        yield get(f"/d/{hitl.deployment_id}/{page}")


@pytest.mark.exhaustive(80, "table")
@pytest.mark.parametrize(("table", "name"), CASES)
def test_nothing_forged_breaks_what_shows_it(hitl: Hitl, table: str, name: str) -> None:
    module = TABLES[table]
    place = module.a_place(hitl)
    browser = hitl.signed_in("creator@example.com")
    # No local SES says how much may be sent.
    with unsettled(hitl), patch("flow_hitl.mails.mail_account.SesAccount.state", return_value=None):
        (module.FORGERIES.get(name) or test_forged_details.UNSEALED[name])(place)
        for answer in looks(hitl, place, browser.get):
            assert answer.status < 500, answer.text
            assert "Traceback" not in answer.text
            assert '"verified": true' not in answer.text
            assert "Nothing was changed." not in answer.text
