"""A forger changes what only a look at a detail tells, such as a number that becomes text: verification names it."""

import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from flow_hitl.audit.audit_log import data_text
from flow_hitl.bootstrap import current
from flow_hitl.platform.digests import canonical_json
from flow_hitl.platform.dynamodb import item
from flow_hitl.proof.verify_audit import Export, exit_code, verify_export
from infra.local.hitl_fixture import AskedRequest, Hitl, made_once
from tests.proof.test_audit_export import download, exported
from tests.proof.test_audit_seal import by_schedule
from tests.proof.test_audit_seal import named as named_findings
from tests.proof.test_forged_records import Place, sealed_log
from tests.requests.test_attachments import wish
from tests.requests.test_questions import answer_it, ask_back
from tests.requests.test_richer_answers import DATA, INVOICE, SCHEMA, changed
from tests.support.asserts import EMIT, callback

LABELS = {"approved": {"label": "Pay it", "tone": "positive"}, "rejected": {"label": "Do not pay", "tone": "negative"}}
SWAPPED = {"approved": LABELS["rejected"], "rejected": LABELS["approved"]}


@dataclass
class Rich(Place):
    """Requests with all that a request may have: `answered` and `asked` are sealed, `fresh` is not."""

    answered: str = ""
    asked: str = ""
    fresh: str = ""

    def put_item(self, table: str, row: dict[str, Any]) -> None:
        """Put an item in DynamoDB's own notation, such as `{"at": {"NULL": True}}`, over members of a plain one."""
        wire = {name: value if isinstance(value, dict) else item({name: value})[name] for name, value in row.items()}
        self.hitl._clients["dynamodb"].put_item(TableName=table, Item=wire)

    def attachment(self, request: str) -> str:
        (key,) = self.objects("content", f"attachments/{request}/")
        return key

    @property
    def entry(self) -> dict[str, Any]:
        return self.row("deployments", pk="deployments", sk=f"deployment#{self.hitl.deployment_id:015d}")


def rich_log(hitl: Hitl) -> Rich:
    place = Rich(**vars(sealed_log(hitl)))

    def ask(message: str) -> Any:
        request = hitl.ask(
            message,
            emit=EMIT,
            title="Invoice 7",
            output=INVOICE,
            editable=True,
            response_schema=SCHEMA,
            options=LABELS,
            attachments=[wish()],
            questions=True,
            receipt=True,
            approval_ttl_minutes=60,
            sla_target_minutes=60,
        )
        assert ask_back(hitl, request).status == 200
        assert answer_it(hitl, request).status == 200
        return request

    answered = ask("Pay?")
    # So long that it is a record of its own.
    why = "approved\n" + "Looks right. " * 50
    assert callback(hitl, answered, why, outcome="approved", output=changed(), data=DATA).status == 200
    place.answered, place.asked = answered.id, ask("Pay as well?").id
    hitl.advance(minutes=125)
    by_schedule(hitl)
    place.fresh = ask("Pay now?").id
    return place


a_place = made_once(rich_log)

Forgery = Callable[[Rich], None]
FORGERIES: dict[str, Forgery] = {}


def forgery(made: Forgery) -> Forgery:
    FORGERIES[made.__name__] = made
    return made


def on_part(
    name: str, part: str, change: Callable[[dict[str, Any]], dict[str, Any]], request: str = "answered"
) -> None:
    """Change the record of a part of a request, in DynamoDB's own notation where a member is given in that."""

    def forge(place: Rich) -> None:
        row = place.record(getattr(place, request), part)
        place.put_item("requests", {**row, **change(row)})

    FORGERIES[name] = forge


def on_doc(name: str, part: str, change: Callable[[Any], Any], request: str = "answered") -> None:
    """Change what the JSON document of a part of a request says."""

    def changed_doc(row: dict[str, Any]) -> dict[str, Any]:
        doc = json.loads(row["doc"])
        change(doc)
        return {"doc": json.dumps(doc)}

    on_part(name, part, changed_doc, request)


def with_members(**members: Any) -> Callable[[Any], Any]:
    return lambda doc: doc.update(members)


def always(members: dict[str, Any]) -> Callable[[Any], dict[str, Any]]:
    return lambda _: members


def on_item(name: str, find: Callable[[Rich], dict[str, Any]], members: dict[str, Any]) -> None:
    """Change attributes of a record of the deployments table."""
    FORGERIES[name] = lambda place: place.put_item("deployments", {**find(place), **members})


# --- what no digest covers, as a reader overlooks it

for each in ("head", "content", "response"):
    on_part(f"a member more beside the {each}", each, lambda _: {"note": "approved by the board"})
    on_part(f"a null more beside the {each}", each, lambda _: {"note": {"NULL": True}})
    on_part(f"a set more beside the {each}", each, lambda _: {"note": {"SS": ["a", "b"]}})
    on_part(f"the {each} as bytes", each, lambda row: {"doc": {"B": row["doc"].encode()}})
    on_doc(f"a member more in the {each}", each, with_members(note="approved by the board"))
    on_part(
        f"a member twice in the {each}",
        each,
        lambda row: {"doc": row["doc"].replace("{", '{"message":"Approve!","outcome":"rejected",', 1)},
    )
LAX: list[tuple[str, str, tuple[Any, ...]]] = [
    ("head", "approval_ttl_minutes", ("60", 60.0)),
    ("head", "test", ("false", 0)),
    ("head", "mailed", ("yes",)),
    ("head", "created_at", (1768392000,)),
    ("response", "response_seconds", ("0", 0.0, False)),
    ("response", "responder_verified", ("no", 0)),
    ("content", "editable", ("true", 1)),
]
for each, member, values in LAX:
    for value in values:
        on_doc(f"{member} is {value!r}", each, with_members(**{member: value}))
on_doc("a member more in the thread", "head", lambda doc: doc["thread"][0].update(note="urgent"), "asked")
on_doc("a member more in an option", "content", lambda doc: doc["options"]["approved"].update(note="x"))
on_doc("a member more in an answer in its head", "head", lambda doc: doc["answer"].update(note="x"), "brief")
on_doc(
    "a number that is text in an answer in its head",
    "head",
    lambda doc: doc["answer"].update(response_seconds="0"),
    "brief",
)
on_part("an outcome that is null", "head", lambda _: {"outcome": {"NULL": True}}, "asked")
on_part("a test that is no test", "head", lambda _: {"test": {"BOOL": False}})
on_part("a decision that is null", "head", lambda _: {"decided_at": {"NULL": True}}, "asked")
for size in ({"N": "1"}, {"N": "99999999999999"}, {"S": "x"}, {"NULL": True}):
    on_part(f"a content of the size {size}", "content", always({"size": size}))
on_part("a content that is elsewhere, too", "content", lambda _: {"s3_key": "content/1/x", "sha256": "0" * 64})


@forgery
def number_of_events_that_is_a_truth(place: Rich) -> None:
    place.put_item("requests", {**place.record(place.pending, "head"), "seq": {"BOOL": True}})


@forgery
def due_time_that_is_null(place: Rich) -> None:
    place.put_item("requests", {**place.record(place.pending, "head"), "sla_due_at": {"NULL": True}})


# --- what requests have since they ask for more than a word

CONTENT: dict[str, Any] = {
    "options": SWAPPED,
    "title": "Invoice 8",
    "editable": False,
    "response_schema": None,
    "attachments": [],
    "shortfall": "nobody was there",
}
STATE: dict[str, Any] = {
    "labels": {"approved": "Do not pay", "rejected": "Pay it"},
    "questions": False,
    "thread": [],
    "flow_id": "flow_other",
    "approval_ttl_minutes": 10**6,
    "with_receipt": False,
    "rejections": ["2026-01-14", 1],
}
ANSWER: dict[str, Any] = {
    "output": {"invoice": "INV-1"},
    "data": {"amount": 99999, "cost_center": "A 1", "urgent": True},
    "valid_until": "2099-01-01T00:00:00Z",
}
for request in ("answered", "asked", "fresh"):
    for member, value in CONTENT.items():
        on_doc(f"{request}: content {member}", "content", with_members(**{member: value}), request)
    for member, value in STATE.items():
        on_doc(f"{request}: state {member}", "head", with_members(**{member: value}), request)
for member, value in ANSWER.items():
    on_doc(f"answer {member}", "response", with_members(**{member: value}))
on_doc("a changed answer of the flow", "head", lambda doc: doc["thread"][1].update(text="It was approved."), "asked")


def on_event(kind: str) -> None:
    def find(place: Rich) -> dict[str, Any]:
        return next(one for one in place.chain(f"request#{place.answered}") if one["kind"] == kind)

    FORGERIES[f"{kind} of something else"] = lambda place: place.put(
        "audit", find(place), data=json.dumps({**json.loads(find(place)["data"]), "did": "effect"})
    )
    FORGERIES[f"{kind} removed"] = lambda place: place.delete("audit", find(place))


for kind in ("question_asked", "question_answered", "receipt_issued", "request_created"):
    on_event(kind)


@forgery
def answers_of_two_requests_exchanged(place: Rich) -> None:
    one, other = place.record(place.answered, "response"), place.record(place.decided, "response")
    place.put("requests", one, pk=place.decided)
    place.put("requests", other, pk=place.answered)


@forgery
def contents_of_two_requests_exchanged(place: Rich) -> None:
    one, other = place.record(place.answered, "content"), place.record(place.asked, "content")
    place.put("requests", one, pk=place.asked)
    place.put("requests", other, pk=place.answered)


@forgery
def attachment_replaced(place: Rich) -> None:
    place.write("content", place.attachment(place.answered), b"GIF89a, but another")


@forgery
def attachment_of_what_is_asked_replaced_with_its_own_checksum(place: Rich) -> None:
    place.hitl._clients["s3"].put_object(
        Bucket="content", Key=place.attachment(place.asked), Body=b"GIF89a", ChecksumAlgorithm="SHA256"
    )


@forgery
def attachment_removed(place: Rich) -> None:
    place.hitl._clients["s3"].delete_object(Bucket="content", Key=place.attachment(place.answered))


# --- how an event's data are packed


def packed(name: str, pack: Callable[[bytes], dict[str, Any]]) -> None:
    def forge(place: Rich) -> None:
        event = place.decision(place.answered)
        place.put_item("audit", {**event, "data": pack(data_text(event["data"]).encode())})

    FORGERIES[f"data {name}"] = forge


packed("as zlib does", lambda text: {"B": zlib.compress(text)})
packed("as gzip does", lambda text: {"B": zlib.compress(text, wbits=31)})
packed("not at all, as bytes", lambda text: {"B": text})
packed("with something behind", lambda text: {"B": zlib.compress(text, wbits=-15) + b"x"})
packed("with something behind it inside", lambda text: {"B": zlib.compress(text + b" " * 50_000_000, wbits=-15)})
packed("in another encoding", lambda text: {"B": zlib.compress(text.decode().encode("utf-16"), wbits=-15)})
packed("as a map", lambda _: {"M": {}})


# --- the deployment

CONFIGURATION: dict[str, dict[str, Any]] = {
    "version": {"version": 99},
    "version that is null": {"version": {"NULL": True}},
    "version that is text": {"version": {"S": "1"}},
    "member more": {"note": "x"},
    "mark to expire": {"ttl": 1},
}
for name, members in CONFIGURATION.items():
    on_item(f"configuration with another {name}", lambda place: place.configuration, members)


@forgery
def a_member_more_in_the_configuration(place: Rich) -> None:
    place.redo("deployments", place.configuration, note=1)


@forgery
def another_time_of_the_last_change(place: Rich) -> None:
    place.redo("deployments", place.configuration, audit_at="2027-01-01T00:00:00Z")


ENTRY: dict[str, dict[str, Any]] = {
    "id": {"id": 999},
    "id that is text": {"id": {"S": "x"}},
    "id that is null": {"id": {"NULL": True}},
    "member more": {"note": "x"},
}
for name, members in ENTRY.items():
    on_item(f"entry in the list of deployments with another {name}", lambda place: place.entry, members)


@forgery
def configuration_that_says_something_twice(place: Rich) -> None:
    doc = place.configuration["doc"].replace("{", '{"creator_email":"mallory@example.com",', 1)
    place.put("deployments", place.configuration, doc=doc)


@forgery
def configuration_as_bytes(place: Rich) -> None:
    place.put("deployments", place.configuration, doc=place.configuration["doc"].encode())


@forgery
def a_member_more_in_the_settings(place: Rich) -> None:
    settings = json.loads(place.configuration["doc"])["settings"]
    place.redo("deployments", place.configuration, settings={**settings, "note": 1})


@forgery
def someone_more_in_a_group(place: Rich) -> None:
    settings = json.loads(place.configuration["doc"])["settings"]
    settings["groups"][0]["members"].append("mallory@example.com")
    place.redo("deployments", place.configuration, settings=settings)


@forgery
def webhook_as_bytes(place: Rich) -> None:
    place.put("deployments", place.hook, doc=b"\xff")


@forgery
def webhook_more(place: Rich) -> None:
    place.put("deployments", place.hook, sk=f"webhook#wh_{'0' * 32}")


# --- digests whose period or name is impossible


def another_digest(place: Rich, name: str, **members: Any) -> None:
    first = json.loads(place.read("seals", place.objects("seals", "digests/")[0]))
    place.write("seals", f"digests/{name}.json", json.dumps({**first, "digest": first["digest"] | members}).encode())


for since in ("0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "2026-02-31T00:00:00Z", "2026-01-14T99:00:00Z"):
    FORGERIES[f"digest from {since}"] = lambda place, since=since: another_digest(  # type: ignore[misc]
        place, "2026-01-14T18:00:00Z", until="2026-01-14T18:00:00Z", **{"from": since}
    )
NAMES = (
    "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00Z",
    "2026-02-31T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "2026-01-14",
    "zzz",
    "\U0001f512",
)
for name in NAMES:
    FORGERIES[f"digest named {name!r}"] = lambda place, name=name: another_digest(  # type: ignore[misc]
        place, name, until=name
    )


# --- what was changed before something else happened


def add(hitl: Hitl, place: Rich) -> None:
    """Let something happen to each request that is still pending, and to the deployment."""
    hitl.bounce(AskedRequest(place.asked, "", hitl), "creator@example.com")
    hitl.bounce(AskedRequest(place.fresh, "", hitl), "creator@example.com")
    hitl.configure(settings={"sla_target_minutes": 7})


HEAD_BEFORE: dict[str, Any] = {
    "flow_id": "flow_other",
    "approval_ttl_minutes": 10**6,
    "labels": {"approved": "Do not pay", "rejected": "Pay it"},
    "not_to_be_answered_by": ["ann@example.com"],
    "emit_options": ["approved", "rejected", "paid"],
}


def before(name: str) -> Callable[[Forgery], Forgery]:
    """Make a forgery after which whatever happens writes an event of its own."""

    def followed(forge: Forgery) -> Forgery:
        def forged(place: Rich) -> None:
            forge(place)
            add(place.hitl, place)

        FORGERIES[f"{name}, before something else happened"] = forged
        return forge

    return followed


for member, value in HEAD_BEFORE.items():
    for request in ("asked", "fresh"):
        on_doc(f"{request} with another {member}", "head", with_members(**{member: value}), request)
        before(f"{request} with another {member}")(FORGERIES[f"{request} with another {member}"])


@before("someone who manages")
def someone_who_manages(place: Rich) -> None:
    mallory = {"email": "mallory@example.com", "permissions": ["manage_human_feedback"], "aliases": []}
    place.redo("deployments", place.configuration, members=[mallory])


@forgery
def webhook_led_elsewhere_and_then_renamed(place: Rich) -> None:
    place.redo("deployments", place.hook, url="https://evil.example/")
    path = f"/v1/deployments/{place.hitl.deployment_id}/webhooks/{place.webhook}"
    assert place.hitl.api("PATCH", path, {"name": "Jira 2"}).status == 200


@forgery
def answered_by_the_clock_with_another_outcome(place: Rich) -> None:
    hitl = place.hitl
    request = hitl.ask("Late", emit=EMIT, auto_response={"timeout_minutes": 30, "default_outcome": "rejected"})
    doc = json.loads(place.record(request.id, "head")["doc"])
    wanted = {**doc["auto_response"], "default_outcome": "approved"}
    place.redo("requests", place.record(request.id, "head"), auto_response=wanted)
    hitl.advance(minutes=31)
    assert request.outcome == "approved"


def test_permissions_are_written_in_any_order(hitl: Hitl) -> None:
    place = a_place(hitl)
    keys = json.loads(place.configuration["doc"])["api_keys"]
    for key in keys.values():
        key["permissions"] = sorted(key["permissions"], reverse=True)
        assert len(key["permissions"]) > 1
    place.redo("deployments", place.configuration, api_keys=keys)
    assert place.verify() == (True, [])


def test_an_attachment_that_was_stored_without_a_checksum_is_read(hitl: Hitl) -> None:
    place = a_place(hitl)
    key = place.attachment(place.answered)
    place.write("content", key, place.read("content", key))
    assert place.verify() == (True, [])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.exhaustive(12)
def test_verification_goes_on_after_a_digest_of_an_impossible_name(hitl: Hitl, name: str) -> None:
    place = a_place(hitl)
    FORGERIES[f"digest named {name!r}"](place)
    with patch("flow_hitl.proof.verify_log._DIGESTS", 1), patch("flow_hitl.proof.verify_log._CHAINS", 3):
        assert named_findings(hitl) != set()


def test_what_happens_after_all_is_verified(hitl: Hitl) -> None:
    place = a_place(hitl)
    add(hitl, place)
    assert place.verify() == (True, [])


def test_an_untouched_log_is_verified(hitl: Hitl) -> None:
    assert a_place(hitl).verify() == (True, [])


@pytest.mark.exhaustive(24)
@pytest.mark.parametrize("name", FORGERIES)
def test_no_forgery_passes(hitl: Hitl, name: str) -> None:
    place = a_place(hitl)
    FORGERIES[name](place)
    verified, named = place.verify()
    assert not verified
    assert named


def test_an_export_shows_that_something_was_changed_before_something_else_happened(hitl: Hitl, tmp_path: Path) -> None:
    place = a_place(hitl)
    FORGERIES["asked with another flow_id, before something else happened"](place)
    hitl.advance(days=1)
    by_schedule(hitl)
    folder = download(hitl, exported(hitl), tmp_path)
    found = verify_export(Export(str(folder)), current().seal_audit.key.trusted())
    assert exit_code(found) == 1
    assert [(one.kind, one.subject) for one in found.findings] == [("record_changed", f"request#{place.asked}")]


def on_last_event(**members: Any) -> Forgery:
    """Put the last event of a request that is not sealed yet once more, with other members."""
    return lambda place: place.put_item("audit", {**place.chain(f"request#{place.fresh}")[-1], **members})


def of_deployment(deployment_id: Any) -> Forgery:
    def forge(place: Rich) -> None:
        event = place.chain(f"request#{place.fresh}")[-1]
        data = {**json.loads(event["data"]), "deployment_id": deployment_id}
        place.put("audit", event, data=canonical_json(data))

    return forge


UNSEALED: dict[str, Forgery] = {
    "a chain of no name": on_last_event(subject="junk"),
    "a chain of a deployment that cannot be": on_last_event(subject="deployment#" + "9" * 30),
    "a chain of a deployment in other digits": on_last_event(subject="deployment#\u0661"),
    "a chain of a deployment of a power": on_last_event(subject="deployment#\u00b9"),
    "a chain with a line end": on_last_event(subject="request#a\nb"),
    "a chain with half a name": on_last_event(subject="request#"),
    "a deployment below all": of_deployment(-1),
    "a deployment beyond all": of_deployment(10**30),
    "a deployment that is a truth": of_deployment(True),
    "a place of another deployment": on_last_event(day_key="999999999999999#2026-01-15T14:05:00Z#x#000009"),
    "a place of no deployment": on_last_event(day_key="-5#2026-01-15T14:05:00Z#x#000009"),
    "a place that is none": on_last_event(day_key="#"),
}


@pytest.mark.parametrize("name", UNSEALED)
@pytest.mark.exhaustive(12)
def test_an_impossible_event_is_named_and_keeps_nothing_from_the_seal(hitl: Hitl, name: str) -> None:
    place = a_place(hitl)
    UNSEALED[name](place)
    verified, named = place.verify()
    assert not verified
    assert named
    before = place.objects("seals", "digests/")
    hitl.advance(days=1)
    by_schedule(hitl)
    assert len(place.objects("seals", "digests/")) > len(before)
    assert not place.verify()[0]


@pytest.mark.parametrize("id_", [999, "x"])
def test_a_changed_entry_in_the_list_of_deployments_keeps_nothing_from_the_seal(hitl: Hitl, id_: object) -> None:
    place = a_place(hitl)
    place.put("deployments", place.entry, id=id_)
    before = place.objects("seals", f"sections/{hitl.deployment_id}/")
    hitl.advance(days=1)
    by_schedule(hitl)
    assert len(place.objects("seals", f"sections/{hitl.deployment_id}/")) > len(before)
