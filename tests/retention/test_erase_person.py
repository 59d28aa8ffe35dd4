"""One person's data are erased by command: first listed, then gone, but for what proves who decided."""

import json
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from click.testing import CliRunner

from flow_hitl.audit.chain import AuditEvent, request_subject
from flow_hitl.audit.effects import MAILS, effects_of
from flow_hitl.bootstrap import current
from flow_hitl.mails.mail_sender import SesMailSender
from flow_hitl.replies.rejections import Discard
from flow_hitl.retention.erase_person import Apart, Configuration, Named
from infra.cli.main import main
from infra.cli.target import CommandTarget
from infra.local.hitl_fixture import Hitl
from tests.retention.test_retention import ANN, SECRET, answer, ask, emails, stored, verified
from tests.support.asserts import EMIT

BOB = "bob@example.com"


def look(hitl: Hitl, address: str = ANN, *, really: bool = False) -> list[Any]:
    return list(current().erase_person(address, really=really))


def requests(found: list[Any]) -> dict[str, Named]:
    return {one.request_id: one for one in found if isinstance(one, Named)}


def test_looking_changes_nothing(hitl: Hitl) -> None:
    request = ask(hitl)
    answer(hitl, request)
    before = stored(hitl)
    found = requests(look(hitl))
    assert list(found) == [request.id]
    assert found[request.id].has_content
    assert stored(hitl) == before


def test_contents_of_their_requests_and_their_emails_go_and_others_stay(hitl: Hitl) -> None:
    theirs, about_them = ask(hitl), ask(hitl, assigned_to_email=BOB, state={"who": ANN.upper()})
    others = hitl.ask("Something else", emit=EMIT, assigned_to_email=BOB)
    hitl.reply("approved", to=hitl.inbox[0])
    answer(hitl, about_them)
    hitl.reply("approved")
    assert len(emails(hitl)) == 2
    assert set(requests(look(hitl, really=True))) == {theirs.id, about_them.id}
    assert theirs.now()["content_erased_at"] is not None
    assert about_them.now()["content_erased_at"] is not None
    assert theirs.timeline[-1]["data"]["reason"] == "person"
    assert others.now()["message"] == "Something else"
    assert len(emails(hitl)) == 1
    assert not any(one.is_left for one in requests(look(hitl)).values())
    assert SECRET not in stored(hitl)
    hitl.seal()
    assert verified(hitl)["findings"] == []


def test_pending_requests_are_named_and_not_touched(hitl: Hitl) -> None:
    request = ask(hitl)
    assert requests(look(hitl, really=True))[request.id].why_kept == "is pending"
    assert request.now()["message"] == f"Pay {SECRET}?"


def test_memberships_groups_and_suppression_go_and_the_log_does_not_repeat_the_address(hitl: Hitl) -> None:
    hitl.configure(
        settings={"groups": [{"name": "finance", "members": [ANN, BOB]}, {"name": "alone", "members": [ANN]}]},
        rules=[{"name": "to Ann", "match": {"method_name": "pay"}, "assign_to_email": ANN}],
    )
    path = f"/v1/deployments/{hitl.deployment_id}"
    hitl.api("PUT", f"{path}/members/{BOB}", {"permissions": [], "aliases": [ANN]})
    current().suppressed.add(ANN, "bounce", hitl.clock.now())
    (named,) = [one for one in look(hitl, really=True) if isinstance(one, Configuration)]
    assert (named.members, named.aliases, named.groups) == (0, 1, ("group:finance",))
    assert len(named.by_hand) == 2, "the rule, and the group that has nobody else"
    settings = hitl.api("GET", f"{path}/settings").json
    assert [group["members"] for group in settings["groups"]] == [[BOB], [ANN]]
    assert hitl.api("GET", f"{path}/members/{BOB}").json["aliases"] == []
    assert current().suppressed.entries() == []
    events = hitl.api("GET", f"{path}/audit").json["events"]
    (erased,) = [one for one in events if one["kind"] == "person_erased"]
    assert ANN not in json.dumps(erased)
    hitl.seal()
    assert verified(hitl)["findings"] == []


def test_a_second_time_changes_nothing_more(hitl: Hitl) -> None:
    hitl.configure(settings={"groups": [{"name": "finance", "members": [ANN, BOB]}]})
    answer(hitl, ask(hitl))
    look(hitl, really=True)
    before = stored(hitl)
    again = look(hitl, really=True)
    assert not any(one.has_content for one in requests(again).values())
    assert [one for one in again if isinstance(one, Apart)] == [Apart(is_suppressed=False)]
    assert stored(hitl) == before


def test_one_that_died_in_between_goes_on(hitl: Hitl) -> None:
    first, second = ask(hitl), ask(hitl)
    answer(hitl, first)
    answer(hitl, second)
    for found in current().erase_person(ANN, really=True):
        if isinstance(found, Named):
            break
    look(hitl, really=True)
    assert SECRET not in stored(hitl)


def test_records_of_sent_emails_go_and_no_email_is_sent_again(hitl: Hitl) -> None:
    hitl.configure(settings={"groups": [{"name": "finance", "members": [ANN, BOB]}]})
    request = hitl.ask(emit=EMIT, assigned_to_email="group:finance")
    hitl.reply("approved", to=next(mail for mail in hitl.inbox if mail.to == BOB))
    sent = len(hitl.inbox)
    assert names_ann(hitl)
    assert requests(look(hitl))[request.id].records == 4, "two that ask, one that confirms, one that says it is handled"
    assert requests(look(hitl, really=True))[request.id].records == 4
    assert not names_ann(hitl)
    assert requests(look(hitl))[request.id].records == 0
    assert (replay(hitl), len(hitl.inbox)) == ((), sent)
    events = [AuditEvent.from_dict(one) for one in current()._audit.chain(request_subject(request.id))]
    for effect in (one for event in events for one in effects_of(event) if one.kind in MAILS):
        # As a queue may deliver it once more.
        assert current().send_mail(effect)
    assert len(hitl.inbox) == sent
    assert not names_ann(hitl)


def test_an_email_that_was_on_its_way_is_not_sent_and_nobody_waits_for_it(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, assigned_to_email=ANN)
    with patch.object(hitl, "_settle"):
        hitl.reply("approved")
    sent = len(hitl.inbox)
    with patch.object(SesMailSender, "send", side_effect=OSError("SES is away")):
        hitl._settle()
    assert request.now()["status"] == "responded"
    look(hitl, really=True)
    hitl.advance(days=3)
    assert len(hitl.inbox) == sent
    assert replay(hitl) == ()


def test_discarded_emails_go_that_name_them_or_were_about_their_requests(hitl: Hitl) -> None:
    request, others = ask(hitl), hitl.ask(emit=EMIT, assigned_to_email=BOB)
    for mail in list(hitl.inbox):
        hitl.reply("away", to=mail, headers={"Auto-Submitted": "auto-replied"})
    hitl.reply("approved", to=hitl.inbox[0])
    about_them = Discard("named", f"automatic: from {ANN.upper()}", hitl.clock.now(), others.id, {})
    current().discards.record(about_them)
    assert len(emails(hitl)) == 3
    (apart,) = [one for one in look(hitl) if isinstance(one, Apart)]
    assert apart.discarded == 2
    assert "2 received emails that decided nothing" in command(ANN)
    look(hitl, really=True)
    (left,) = current().discards.of_day(hitl.clock.now().date())
    assert left.request_id == others.id
    assert current().discards.of_request(others.id) == [left]
    assert current().discards.of_request(request.id) == []
    assert len(emails(hitl)) == 1
    assert [one.discarded for one in look(hitl) if isinstance(one, Apart)] == [0]


def names_ann(hitl: Hitl) -> bool:
    """Tell whether a record of an effect has Ann's address in its name."""
    keys = hitl._clients["dynamodb"].scan(TableName="requests", ProjectionExpression="sk")["Items"]
    return any(one["sk"]["S"].startswith("effect#") and ANN in one["sk"]["S"] for one in keys)


def replay(hitl: Hitl) -> tuple[Any, ...]:
    """Have everything of the last days looked at again; return what was handed on."""
    now = hitl.clock.now().replace(microsecond=0)
    looked = list(current().replay(now - timedelta(days=7), now + timedelta(seconds=1), dry_run=False))
    hitl._settle()
    return tuple(effect for one in looked for effect in one.handed_on)


def command(*words: str) -> str:
    target = CommandTarget()
    target.__dict__["application"] = current()
    result = CliRunner().invoke(main, ["erase", *words], obj=target)
    assert result.exit_code == 0, result.output
    return result.output


def test_the_command_lists_by_default_and_says_what_stays_and_remains(hitl: Hitl) -> None:
    decided, pending = ask(hitl), ask(hitl)
    answer(hitl, decided)
    listed = command(ANN)
    assert "Would be erased" in listed
    assert f"content and emails of request {decided.id}" in listed
    assert f"request {pending.id} is pending" in listed
    assert "the audit log" in listed
    assert f"flow-hitl erase {ANN} --yes" in listed
    assert decided.now()["content_erased_at"] is None
    assert command(ANN, "--yes").count("Erased of") == 1
    assert decided.now()["content_erased_at"] is not None
    assert json.loads(command(ANN, "--json"))["requests"] == []
