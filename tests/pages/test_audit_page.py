"""The audit page, as a manager who is signed in sees it."""

import json
import re
from html import unescape

import pytest

from flow_hitl.bootstrap import current
from flow_hitl.deployments.deployment import Member, Permission
from flow_hitl.platform.dynamodb import item, values
from flow_hitl.requests.store.request_store import document_text
from infra.local.hitl_fixture import Browser, Hitl
from tests.proof.test_audit_seal import chain_of, put, tampered, two_days
from tests.support.asserts import EMIT


def address(hitl: Hitl, rest: str = "") -> str:
    return f"/d/{hitl.deployment_id}/audit{rest}"


def words(html: str) -> str:
    """Return what the page says, in one line."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def links(html: str, text: str) -> list[str]:
    """Return where the links of a text lead."""
    return [
        unescape(href) for href, shown in re.findall(r'<a [^>]*href="([^"]+)"[^>]*>([^<]*)</a>', html) if shown == text
    ]


def test_what_happened_is_told_in_words_with_who_did_it(hitl: Hitl, manager: Browser) -> None:
    request = hitl.ask(emit=EMIT)
    hitl.reply("rejected\nwrong price")
    hitl.configure(settings={"sla_target_minutes": 30})
    page = manager.get(address(hitl))
    assert page.status == 200
    text = words(page.text)
    assert "Asked creator@example.com" in text
    assert "a program (API key" in text
    assert 'creator@example.com answered "Rejected" by email wrong price' in text
    assert "14 Jan 2026, 12:00 UTC" in text
    assert "Signed in creator@example.com configuration" in text
    assert "operator configuration" in text
    assert f"/d/{hitl.deployment_id}/requests/{request.id}" in page.text


def test_many_events_come_in_pages(hitl: Hitl, manager: Browser) -> None:
    for number in range(30):
        hitl.ask(f"Number {number}", emit=EMIT)
    page = manager.get(address(hitl)).text
    assert page.count('class="what"') == 50
    (onward,) = links(page, "Later events")
    rest = manager.get(address(hitl, onward.partition("/audit")[2])).text
    assert 0 < rest.count('class="what"') < 50
    assert links(rest, "From the beginning") != []


def test_days_without_events_say_what_will_be_here(hitl: Hitl, manager: Browser) -> None:
    page = manager.get(address(hitl, "?from=2026-01-01&to=2026-01-02")).text
    assert "No events in these days" in page


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("?from=2026-02-31", "The first day must be a day such as 2027-01-31."),
        ("?from=0001-01-01", "The first day must be a day such as 2027-01-31."),
        ("?from=2026-01-15&to=2026-01-14", "The first day must not be after the last."),
        ("?cursor=x", "The position in the log is not valid"),
        ("/verify?place=x", "The position in the log is not valid"),
        ("/verify?to=x", "The last day must be a day"),
    ],
)
def test_what_cannot_be_meant_is_said_on_the_page(hitl: Hitl, manager: Browser, query: str, says: str) -> None:
    page = manager.get(address(hitl, query))
    assert page.status == 422
    assert says in words(page.text)


def test_an_untouched_log_is_said_to_be_one(hitl: Hitl, manager: Browser) -> None:
    two_days(hitl)
    text = words(manager.get(address(hitl, "/verify")).text)
    assert "No changes found in these days." in text
    assert re.search(r"Sealed until 15 Jan 2026, 00:00 UTC ?\. \d+ events since then are not sealed yet\.", text), text


def test_before_anything_is_sealed_nothing_is_said_to_be_proven(hitl: Hitl, manager: Browser) -> None:
    hitl.ask(emit=EMIT)
    page = manager.get(address(hitl, "/verify")).text
    assert "None of this has been sealed yet, so only the chain could be checked" in words(page)
    assert re.search(r"\d events are not sealed yet\.", words(page))
    assert "No changes found" not in page
    assert "notice good" not in page


@pytest.mark.parametrize("kind", ["edit", "forge", "delete"])
def test_what_was_changed_is_named(hitl: Hitl, manager: Browser, kind: str) -> None:
    request, _ = two_days(hitl)
    tampered(kind)(hitl, chain_of(hitl, request), 2)
    page = manager.get(address(hitl, "/verify")).text
    assert f"request#{request.id} event 3" in page
    assert "These records were changed after they were written." in words(page)


def test_a_record_that_does_not_match_its_event_is_named_in_words(hitl: Hitl, manager: Browser) -> None:
    request, _ = two_days(hitl)
    dynamodb, key = hitl._clients["dynamodb"], item({"pk": request.id, "sk": "r#head"})
    head = values(dynamodb.get_item(TableName="requests", Key=key)["Item"])
    document = {**json.loads(document_text(head["doc"])), "answer": None}
    dynamodb.put_item(TableName="requests", Item=item({**head, "doc": json.dumps(document)}))
    page = words(manager.get(address(hitl, "/verify")).text)
    assert f"Record changed request#{request.id} event 3" in page


def test_an_event_that_does_not_fit_its_hash_is_not_believed(hitl: Hitl, manager: Browser) -> None:
    request, _ = two_days(hitl)
    chain = chain_of(hitl, request)
    tampered("nonsense")(hitl, chain, 2)
    page = manager.get(address(hitl))
    assert page.status == 200
    assert f"Event 3 of request#{request.id} was changed after it was written" in page.text


def test_verifying_goes_on_where_time_ran_out(hitl: Hitl, manager: Browser) -> None:
    for _ in range(3):
        two_days(hitl)
    verify = type(current().verify_audit_log).__call__

    def slowly(self: object, *arguments: object) -> object:
        hitl.clock.sleep(20)
        return verify(self, *arguments)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(current().verify_audit_log), "__call__", slowly)
        patch.setattr("flow_hitl.proof.verify_log._CHAINS", 3)
        page = manager.get(address(hitl, "/verify")).text
        looks = 1
        while onward := links(page, "Go on"):
            assert "No changes found so far." in page
            page = manager.get(address(hitl, onward[0].partition("/audit")[2])).text
            looks += 1
    assert looks > 2
    assert "No changes found in these days." in page


def test_an_export_is_asked_for_and_its_files_are_linked(hitl: Hitl, manager: Browser) -> None:
    two_days(hitl)
    manager.get(address(hitl))
    sent = manager.post(address(hitl, "/export"), {"from": "2026-01-14", "to": "2026-01-15", "format": "csv"})
    assert (sent.status, manager.location.partition("?")[0]) == (303, address(hitl))
    page = manager.get(manager.location).text
    assert "The export is being written." in words(page)
    assert "finished 14 Jan 2026, 00:00 UTC to 16 Jan 2026, 00:00 UTC , CSV" in words(page)
    assert "Requested by creator@example.com" in words(page)
    (link,) = links(page, "events-00001.csv")
    assert "X-Amz-Signature=" in link


def test_a_form_of_another_session_exports_nothing(hitl: Hitl, manager: Browser) -> None:
    manager.get(address(hitl))
    assert manager.post(address(hitl, "/export"), {"csrf": "x"}).status == 403
    assert manager.post(address(hitl, "/export"), origin="https://evil.example").status == 403
    assert current().manage_exports.recent(hitl.deployment_id, 5) == []


def test_only_who_manages_sees_it(hitl: Hitl) -> None:
    may = frozenset({Permission.RESPOND})
    current().manage_deployments.set_member(hitl.deployment_id, Member("anna@example.com", may))
    responder = hitl.signed_in("anna@example.com")
    for rest in ("", "/verify"):
        assert responder.get(address(hitl, rest)).status == 403
    assert responder.post(address(hitl, "/export")).status == 403
    assert hitl.browser().get(address(hitl)).status == 303


def test_nothing_of_an_event_acts_on_the_page(hitl: Hitl, manager: Browser) -> None:
    evil = "<script>alert(1)</script>"
    request = hitl.ask(evil, emit=EMIT, flow_name=evil, method_name="m")
    hitl.api("DELETE", f"/v1/requests/{request.id}")
    first = chain_of(hitl, request)[0]
    put(hitl, first, actor=evil)
    for rest in ("", "/verify"):
        assert "<script>alert" not in manager.get(address(hitl, rest)).text
