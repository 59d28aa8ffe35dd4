"""Mail that no person wrote: dropped in silence, counted, and to be looked up with its reason."""

from collections.abc import Iterator
from unittest.mock import patch

import pytest

from functions import inbound_mail
from infra.local.hitl_fixture import Hitl, hitl_on_moto
from tests.support.receipts import JANE, asked, audit_events, cases

AUTOMATIC = cases("automatic")


@pytest.fixture(scope="module")
def desk() -> Iterator[Hitl]:
    """One request, which none of all these mails changes."""
    with hitl_on_moto() as started:
        asked(started)
        yield started


def discard(desk: Hitl, message_id: str) -> str:
    """Return why a mail was discarded, looked up by the second in which it came and its id."""
    key = {"pk": {"S": "discards#2026-01-14"}, "sk": {"S": f"2026-01-14T12:00:00Z#{message_id}"}}
    reason: str = desk._clients["dynamodb"].get_item(TableName="requests", Key=key)["Item"]["reason"]["S"]
    return reason


@pytest.mark.parametrize("name", AUTOMATIC)
def test_automatic_mail_is_dropped_in_silence(desk: Hitl, name: str) -> None:
    case, reply_to = AUTOMATIC[name], desk.inbox[0].reply_to or ""
    counted: list[str] = []
    with patch.object(inbound_mail, "count", counted.append):
        desk.receive(
            case.raw(reply_to),
            recipients=case.recipients(reply_to),
            mail_from=case.entry.get("mail_from", JANE),
            verdicts=case.entry.get("verdicts"),
            message_id=name,
        )
    assert f"discarded: {discard(desk, name)}" == case.ends, case.entry["why"]
    assert counted == ["MailDiscarded"]
    assert len(desk.inbox) == 1, "nobody is written to"
    assert [event["kind"] for event in audit_events(desk)][-2:] == ["request_created", "notification_sent"]
