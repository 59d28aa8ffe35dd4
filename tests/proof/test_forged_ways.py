"""More ways of a forger: mixed-up kinds, names that look alike, and the edges of a digest."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flow_hitl.bootstrap import current
from flow_hitl.deployments.deployment import Member, Permission
from flow_hitl.people.access import SignedInMember
from flow_hitl.platform.digests import secret_digest
from flow_hitl.proof.verify_audit import Export, event_hash, exit_code, pem, verify_export
from infra.local.hitl_fixture import Hitl
from tests.proof.test_audit_export import download, exported
from tests.proof.test_forged_wholes import Wide, a_place
from tests.support.asserts import EMIT
from tests.support.audit_logs import SIGNER

Forgery = Callable[[Wide], Any]
FORGERIES: dict[str, Forgery] = {}


def forgery(made: Forgery) -> Forgery:
    FORGERIES[made.__name__] = made
    return made


# --- digests

OBJECTS: dict[str, Any] = {
    "a list": [],
    "whose digest is a list": {"digest": [], "signature": ""},
    "whose digest is a text": {"digest": "x", "signature": ""},
    "whose digest is a number": {"digest": 1, "signature": ""},
    "whose digest is nothing": {"digest": None, "signature": None},
    "whose digest is empty": {"digest": {}, "signature": ""},
    "that only begins": {"digest": {"from": "2026-01-15T12:00:00Z", "previous": "x"}, "signature": ""},
    "with half a character": {"digest": {"from": "\ud800", "previous": "x"}, "signature": ""},
    "that begins at no time": {"digest": {"from": "2" * 2000, "previous": "x"}, "signature": ""},
}
for name in ("2026-01-15T12:00:00Z", "2026-01-14T06:00:00Z", "2026-01-15T13:00:01Z"):
    for what, content in OBJECTS.items():
        FORGERIES[f"a digest {what} at {name}"] = lambda place, name=name, content=content: place.write(  # type: ignore[misc]
            "seals", f"digests/{name}.json", json.dumps(content).encode()
        )
    FORGERIES[f"a genuine digest again at {name}"] = lambda place, name=name: place.write(  # type: ignore[misc]
        "seals", f"digests/{name}.json", place.read("seals", place.digests[1])
    )
for name in (" ", "2026-01-15T00:00:00Z ", "２026-01-15T00:00:00Z", "2026-01-15T00:00:00z", "2026-01-15T00:00Z", "~"):
    FORGERIES[f"a genuine digest again at {name!a}"] = lambda place, name=name: place.write(  # type: ignore[misc]
        "seals", f"digests/{name}.json", place.read("seals", place.digests[1])
    )


def signed_anew(name: str, **members: Any) -> None:
    """Lay a digest over the last one that says something else with its old signature."""

    def forge(place: Wide) -> None:
        signed = json.loads(place.read("seals", place.digests[-1]))
        place.write("seals", place.digests[-1], json.dumps({**signed, "digest": signed["digest"] | members}).encode())

    FORGERIES[name] = forge


signed_anew("a digest with a member more", note="x")
signed_anew("a digest of no deployment", deployments={})
signed_anew("a digest with a list of deployments", deployments=[])
signed_anew("a digest that follows none", previous=None)


def section(name: str, change: Callable[[bytes], bytes]) -> None:
    def forge(place: Wide) -> None:
        key = place.objects("seals", "sections/1/")[-1]
        place.write("seals", key, change(place.read("seals", key)))

    FORGERIES[f"a section {name}"] = forge


section("with other line ends", lambda text: text.replace(b"\n", b"\r\n"))
section("with a mark before it", lambda text: b"\xef\xbb\xbf" + text)
section("with a number that is a fraction", lambda text: text.replace(b'"seq":', b'"seq":1.0,"x":', 1))
section("with a member twice", lambda text: text.replace(b'{"first"', b'{"first":1,"first"', 1))
section("in another order", lambda text: b"".join(reversed(text.splitlines(keepends=True))))
section("that is empty", lambda _: b"")


@forgery
def sections_of_two_hours_exchanged(place: Wide) -> None:
    one, *_, other = place.objects("seals", "sections/1/")
    contents = place.read("seals", one), place.read("seals", other)
    place.write("seals", one, contents[1])
    place.write("seals", other, contents[0])


@forgery
def published_key_with_another_behind_it(place: Wide) -> None:
    (key,) = place.objects("seals", "keys/")
    place.write("seals", key, place.read("seals", key) + pem(SIGNER.public).encode())


# --- events


def on_event(name: str, change: Callable[[Wide, dict[str, Any]], Any]) -> None:
    """Change the decision of a sealed request."""

    def forge(place: Wide) -> None:
        event = place.decision(place.decided)
        change(place, event)
        place.put("audit", event)

    FORGERIES[name] = forge


def rehashed(event: dict[str, Any], **members: Any) -> None:
    event.update(members)
    event["hash"] = event_hash({**event, "seq": int(event["seq"]), "data": json.loads(event["data"])})


on_event("an actor that looks the same", lambda _, event: event.update(actor=event["actor"].replace("a", "\u0430")))
on_event("a hash in capitals", lambda _, event: event.update(hash=event["hash"].upper()))
on_event("a hash with a blank", lambda _, event: event.update(hash=event["hash"] + " "))
on_event("the hash before in capitals", lambda _, event: event.update(prev_hash=event["prev_hash"].upper()))
on_event("a time with a line end", lambda _, event: event.update(at=event["at"] + "\n"))
on_event("another id with a hash that fits", lambda _, event: rehashed(event, event_id="0" * 32))
on_event("no actor", lambda _, event: rehashed(event, actor=""))
on_event("a mark to expire on an event", lambda _, event: event.update(ttl=1))
on_event("numbers in other notation", lambda _, event: event.update(data=event["data"].replace(":0,", ":0.0,", 1)))
on_event("white space in data", lambda _, event: event.update(data=event["data"].replace(",", ", ", 1)))
on_event("data in escapes", lambda _, event: event.update(data=event["data"].replace("L", "\\u004c", 1)))
for edge in ("2026-01-15T00:00:00Z", "2026-01-14T23:59:59Z", "2026-01-14T00:00:00Z", "2026-01-13T23:59:59Z"):
    on_event(f"moved to {edge}", lambda _, event, edge=edge: rehashed(event, at=edge))  # type: ignore[misc]


@forgery
def whole_chain_moved_to_the_end_of_its_digest(place: Wide) -> None:
    place.rechain(place.subjects["decided"], lambda event: event.update(at="2026-01-15T00:00:00Z"))


@forgery
def whole_chain_moved_behind_all_digests(place: Wide) -> None:
    place.rechain(place.subjects["decided"], lambda event: event.update(at="2026-01-15T13:00:00Z"))


@forgery
def last_event_again_at_the_next_place(place: Wide) -> None:
    last = place.chain(place.subjects["decided"])[-1]
    place.put("audit", last, seq=int(last["seq"]) + 1)


@forgery
def last_event_again_with_a_hash_that_fits(place: Wide) -> None:
    last = place.chain(place.subjects["late"])[-1]
    event = {**last, "seq": int(last["seq"]) + 1, "prev_hash": last["hash"]}
    rehashed(event)
    place.put("audit", event)


@forgery
def two_events_exchanged(place: Wide) -> None:
    one, other, *_ = place.chain(place.subjects["decided"])
    place.put("audit", other, seq=one["seq"])
    place.put("audit", one, seq=other["seq"])


@forgery
def decision_of_one_request_in_the_chain_of_another(place: Wide) -> None:
    theirs = place.decision(place.late)
    last = place.chain(place.subjects["pending"])[-1]
    event = {**theirs, "subject": last["subject"], "seq": int(last["seq"]) + 1, "prev_hash": last["hash"]}
    rehashed(event)
    place.put("audit", event)


for subject in ("deployment#01", "deployment#1 ", "Deployment#1", "deployment#1\x00", "request#\u200b"):

    def beside(place: Wide, subject: str = subject) -> None:
        event = {**place.own[0], "subject": subject}
        rehashed(event)
        place.put("audit", event)

    FORGERIES[f"a chain {subject!a}"] = beside


# --- requests


def swap(name: str, part: str, one: str, other: str, *members: str) -> None:
    """Exchange a record, or members of it, of two requests."""

    def forge(place: Wide) -> None:
        rows = [place.record(getattr(place, request), part) for request in (one, other)]
        docs = [json.loads(row["doc"]) for row in rows]
        for row, own, theirs in zip(rows, docs, reversed(docs), strict=True):
            doc = {**own, **{member: theirs[member] for member in members}} if members else theirs
            place.put("requests", row, doc=json.dumps(doc))

    FORGERIES[name] = forge


swap("heads of two requests exchanged", "head", "decided", "late")
swap("contents of two requests exchanged", "content", "brief", "late")
swap("answers in two heads exchanged", "head", "brief", "late", "answer")
swap("ends of two chains exchanged", "head", "decided", "brief", "last_hash")


def on_head(name: str, request: str = "decided", **members: Any) -> None:
    FORGERIES[name] = lambda place: place.redo("requests", place.record(getattr(place, request), "head"), **members)


on_head("a head of another request", request_id="00000000-0000-7000-8000-00000000feed")
on_head("a head of itself, twice", seq=3)
on_head("a summary in the document", summary="Pay nothing?")
on_head("a number of events that is text", seq="3")
on_head("a number of events beyond all", seq=10**300)
on_head("a deployment that is text", deployment_id="1")
on_head("a deployment that is a truth", deployment_id=True)
on_head("an answer that is an empty object", "brief", answer={})
on_head("an answer to a canceled request", "pending", status="cancelled")
on_head("an address that looks the same", assigned_to_email="cre\u0430tor@example.com")
on_head("an erasure that never was", content_erased_at="2026-01-15T12:30:00Z")
on_head("reminders that never were", "pending", reminders=["2026-01-15T15:00:00Z"])


@forgery
def answer_as_the_whole_head(place: Wide) -> None:
    place.put("requests", place.record(place.decided, "head"), doc=place.record(place.decided, "response")["doc"])


@forgery
def content_of_a_request_that_is_gone_elsewhere(place: Wide) -> None:
    place.put("requests", place.record(place.large, "content"), s3_key="content/1/none")


@forgery
def content_in_two_places(place: Wide) -> None:
    row = place.record(place.large, "content")
    place.put("requests", row, doc="{}")


# --- the configuration


def on_configuration(name: str, change: Callable[[dict[str, Any]], Any]) -> None:
    def forge(place: Wide) -> None:
        doc = json.loads(place.configuration["doc"])
        change(doc)
        place.put("deployments", place.configuration, doc=json.dumps(doc))

    FORGERIES[f"configuration: {name}"] = forge


def on_keys(change: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
    return lambda doc: [change(key) for key in doc["api_keys"].values()]


on_configuration("a key that may more", on_keys(lambda key: key.update(permissions=["manage_human_feedback"])))
on_configuration("a key of somebody else", on_keys(lambda key: key.update(secret_sha256="0" * 64)))
on_configuration("a key that expires", on_keys(lambda key: key.update(expires_at="2026-01-14T00:00:00Z")))
on_configuration("an organization", lambda doc: doc.update(organization_id=1))
on_configuration("a name", lambda doc: doc.update(name="Content Revi\u0435w"))
on_configuration("another secret of resumptions", lambda doc: doc.update(resume_key_id="9"))
on_configuration("secrets of resumptions", lambda doc: doc.update(resume_secrets=[{"key_id": "9", "nonce": "x"}]))
on_configuration("events of webhooks", lambda doc: doc.update(webhook_events=[]))
on_configuration("quotas", lambda doc: doc.update(quotas={"requests_per_hour": 1}))
on_configuration("the deployment's id", lambda doc: doc.update(deployment_id=2))
on_configuration("the deployment's id as text", lambda doc: doc.update(deployment_id="1"))
on_configuration("settings that are gone", lambda doc: doc.pop("settings"))
on_configuration("no creator", lambda doc: doc.update(creator_email=""))


@forgery
def webhook_of_another_deployment(place: Wide) -> None:
    place.redo("deployments", place.hook, deployment_id=place.other_deployment)


@forgery
def webhook_marked_to_expire(place: Wide) -> None:
    place.put("deployments", place.hook, ttl=1)


@forgery
def webhook_under_another_id(place: Wide) -> None:
    place.redo("deployments", place.hook, webhook_id=f"wh_{'f' * 32}")


@pytest.mark.exhaustive(8)
@pytest.mark.parametrize("name", FORGERIES)
def test_no_forgery_passes(hitl: Hitl, name: str) -> None:
    place = a_place(hitl)
    FORGERIES[name](place)
    verified, named = place.verify()
    assert not verified
    assert named


@pytest.mark.parametrize("signature", ["\ud800", None, [1]], ids=ascii)
def test_an_export_of_a_digest_that_cannot_be_written_down_is_no_proof(
    hitl: Hitl, tmp_path: Path, signature: object
) -> None:
    place = a_place(hitl)
    digest = json.loads(place.read("seals", place.digests[1]))["digest"]
    forged = json.dumps({"digest": digest, "signature": signature}).encode()
    place.write("seals", "digests/2026-01-15T12:00:00Z.json", forged)
    export = exported(hitl)
    assert export["state"] == "done"
    found = verify_export(Export(str(download(hitl, export, tmp_path))), current().seal_audit.key.trusted())
    assert exit_code(found) == 1


def test_a_configuration_that_is_another_one_for_a_single_request_is_found(hitl: Hitl) -> None:
    place = a_place(hitl)
    config = place.configuration
    place.redo("deployments", config, creator_email="mallory@example.com")
    theirs = hitl.ask("Pay mallory?", emit=EMIT)
    place.put("deployments", config)
    assert hitl.api("GET", f"/v1/requests/{theirs.id}").json["request"]["assigned_to_email"] == "mallory@example.com"
    assert place.verify() == (False, [f"request#{theirs.id} event 1"])


def as_somebody_put_in(place: Wide, act: Callable[[], Any], **members: Any) -> None:
    """Act while other members or API keys stand in the configuration; then it is as it was."""
    config = place.configuration
    place.redo("deployments", config, **members)
    act()
    place.put("deployments", config)


MALLORY = "mallory@example.com"


def mallory() -> SignedInMember:
    return SignedInMember.of(current().manage_deployments.show(1), MALLORY)


def event_of(place: Wide, kind: str) -> str:
    """Return the pending request's last event of a kind, as verification names it."""
    (*_, last) = [event["seq"] for event in place.chain(place.subjects["pending"]) if event["kind"] == kind]
    return f"request#{place.pending} event {last}"


def test_what_a_member_did_who_was_put_in_for_a_while_is_found(hitl: Hitl) -> None:
    place = a_place(hitl)
    member = {"email": MALLORY, "permissions": ["manage_human_feedback"]}
    as_somebody_put_in(place, lambda: current().cancel_request(mallory(), place.pending), members=[member])
    assert hitl.api("GET", f"/v1/requests/{place.pending}").json["request"]["status"] == "cancelled"
    assert place.verify() == (False, [event_of(place, "request_cancelled")])
    (found,) = hitl.api("GET", "/v1/deployments/1/audit/verify").json["findings"]
    assert found["detail"] == "was done by member/mallory@example.com, who by the log could not do it then"


@pytest.mark.parametrize("kind", ["request_cancelled", "request_reassigned"])
def test_what_was_done_by_an_api_key_that_was_put_in_for_a_while_is_found(hitl: Hitl, kind: str) -> None:
    place = a_place(hitl)
    config = json.loads(place.configuration["doc"])
    key = {**next(iter(config["api_keys"].values())), "key_id": "ffffffff", "secret_sha256": secret_digest("s" * 43)}
    own = hitl.api_key

    def act() -> None:
        hitl.api_key = f"hitl_1_ffffffff_{'s' * 43}"
        path = f"/v1/requests/{place.pending}"
        if kind == "request_cancelled":
            answer = hitl.api("DELETE", path)
        else:
            answer = hitl.api("POST", f"{path}/reassign", {"assigned_to_email": MALLORY})
        assert answer.status == 200, answer.text
        hitl.api_key = own

    as_somebody_put_in(place, act, api_keys={**config["api_keys"], "ffffffff": key})
    assert place.verify() == (False, [event_of(place, kind)])


def test_what_a_member_did_before_they_were_removed_stays_verified(hitl: Hitl) -> None:
    place, manage = a_place(hitl), current().manage_deployments
    manage.set_member(1, Member(MALLORY, frozenset({Permission.MANAGE}), aliases=("m@example.net",)))
    hitl.advance(minutes=5)
    cancelled = mallory()
    current().cancel_request(replace(cancelled, email="m@example.net"), place.pending)
    manage.remove_member(1, MALLORY)
    hitl.advance(minutes=125)
    assert place.verify() == (True, [])
