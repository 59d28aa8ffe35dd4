"""A forger exchanges, hides, or rolls back whole records, or writes what no program of ours ever would: it shows."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from flow_hitl.audit.chain import request_subject
from flow_hitl.bootstrap import current
from flow_hitl.platform.dynamodb import item
from flow_hitl.proof.verify_audit import event_hash, fingerprint, pem
from infra.local.hitl_fixture import Hitl, made_once
from tests.audit.test_audit_log import audit_path
from tests.proof.test_audit_seal import by_schedule
from tests.proof.test_forged_records import Place, sealed_log
from tests.support.asserts import EMIT, callback
from tests.support.audit_logs import SIGNER


@dataclass
class Wide(Place):
    """Two deployments and several sealed hours; `late` was decided, with a receipt, in the last of them."""

    late: str = ""
    other: str = ""
    other_deployment: int = 0

    @property
    def subjects(self) -> dict[str, str]:
        return {name: request_subject(getattr(self, name)) for name in ("decided", "pending", "late", "other")}

    def records_of(self, request: str) -> list[dict[str, Any]]:
        return [row for row in self.rows("requests") if row["pk"] == request]

    def put_item(self, table: str, row: dict[str, Any]) -> None:
        """Put an item in DynamoDB's own notation, such as `{"at": {"NULL": True}}`, over members of a plain one."""
        wire = {name: value if isinstance(value, dict) else item({name: value})[name] for name, value in row.items()}
        self.hitl._clients["dynamodb"].put_item(TableName=table, Item=wire)

    def rechain(self, subject: str, change: Callable[[dict[str, Any]], Any]) -> None:
        """Change each event of a chain, and give all of them, and the head, the hashes that fit."""
        before, chain = "0" * 64, self.chain(subject)
        for event in chain:
            self.delete("audit", event)
        for event in chain:
            change(event)
            event["prev_hash"] = before
            event["hash"] = before = event_hash({**event, "seq": int(event["seq"]), "data": json.loads(event["data"])})
            self.put("audit", event)
        self.redo("requests", self.record(subject.removeprefix("request#"), "head"), last_hash=before)

    def hide(self, *subjects: str) -> None:
        """Take chains out of the log's index."""
        for subject in subjects:
            for event in self.chain(subject):
                self.put("audit", {name: value for name, value in event.items() if not name.startswith("day_")})

    def remove(self, bucket: str, *keys: str) -> None:
        for key in keys:
            self.hitl._clients["s3"].delete_object(Bucket=bucket, Key=key)

    @property
    def digests(self) -> list[str]:
        return self.objects("seals", "digests/")

    def forget_the_last_hour(self) -> None:
        end = self.digests[-1].removeprefix("digests/").removesuffix(".json")
        self.remove("seals", self.digests[-1], *(one for one in self.objects("seals", "sections/") if end in one))


def wide_log(hitl: Hitl) -> Wide:
    place = Wide(**vars(sealed_log(hitl)))
    place.hitl.reply("approved")
    other = current().manage_deployments.create(name="Other", creator_email="other@example.com", organization_id=1)
    own = hitl.deployment_id, hitl.api_key
    hitl.deployment_id = place.other_deployment = other.deployment_id
    hitl.api_key = other_key(other.deployment_id)
    place.other = hitl.ask("Theirs", emit=EMIT).id
    hitl.deployment_id, hitl.api_key = own
    late = hitl.ask("Pay late?", emit=EMIT, receipt=True)
    callback(hitl, late)
    place.late = late.id
    hitl.advance(minutes=125)
    by_schedule(hitl)
    return place


def other_key(deployment_id: int) -> str:
    from flow_hitl.deployments.deployment import Permission

    return current().manage_deployments.issue_key(deployment_id, name="k", permissions=frozenset(Permission)).text


a_place = made_once(wide_log)

Forgery = Callable[[Wide], None]
FORGERIES: dict[str, Forgery] = {}


def forgery(made: Forgery) -> Forgery:
    FORGERIES[made.__name__] = made
    return made


# --- chains exchanged


@forgery
def chains_of_two_requests_exchanged(place: Wide) -> None:
    one, other = place.subjects["decided"], place.subjects["pending"]
    chains = place.chain(one), place.chain(other)
    for event in (*chains[0], *chains[1]):
        place.delete("audit", event)
    for chain, subject in zip(chains, (other, one), strict=True):
        for event in chain:
            place.put("audit", event, subject=subject)


@forgery
def requests_exchanged_with_their_chains_and_hashes(place: Wide) -> None:
    one, other = place.decided, place.late
    rows = place.records_of(one), place.records_of(other)
    for row in (*rows[0], *rows[1]):
        place.delete("requests", row)
    for own, request in zip(rows, (other, one), strict=True):
        for row in own:
            place.put("requests", row, pk=request)
    for event in place.chain(place.subjects["decided"]):
        place.put("audit", event, subject=place.subjects["late"])


@forgery
def request_given_to_another_deployment(place: Wide) -> None:
    head = place.record(place.decided, "head")
    doc = {**json.loads(head["doc"]), "deployment_id": place.other_deployment}
    columns = {k: v.replace("1#", f"{place.other_deployment}#", 1) for k, v in head.items() if k.endswith("_shard")}
    place.put("requests", {**head, **columns}, doc=json.dumps(doc))


@forgery
def chain_of_another_deployment_listed_here(place: Wide) -> None:
    for event in place.chain(place.subjects["other"]):
        _, rest = event["day_key"].split("#", 1)
        place.put("audit", event, day_key=f"{place.hitl.deployment_id:015d}#{rest}")


@forgery
def own_chains_of_two_deployments_exchanged(place: Wide) -> None:
    subjects = [f"deployment#{one}" for one in (place.hitl.deployment_id, place.other_deployment)]
    chains = [place.chain(one) for one in subjects]
    for chain in chains:
        for event in chain:
            place.delete("audit", event)
    for chain, subject in zip(chains, reversed(subjects), strict=True):
        for event in chain:
            place.put("audit", event, subject=subject)


@forgery
def configurations_of_two_deployments_exchanged(place: Wide) -> None:
    theirs = place.row("deployments", pk=f"deployment#{place.other_deployment}", sk="config")
    place.put("deployments", place.configuration, doc=theirs["doc"])


@forgery
def chain_copied_under_a_name_in_capitals(place: Wide) -> None:
    for event in place.chain(place.subjects["decided"]):
        subject = f"request#{place.decided.upper()}"
        event["hash"] = event_hash(
            {**event, "seq": int(event["seq"]), "subject": subject, "data": json.loads(event["data"])}
        )
        place.put("audit", event, subject=subject)


@forgery
def chain_renamed_by_a_letter_that_looks_the_same(place: Wide) -> None:
    for event in place.chain(place.subjects["decided"]):
        place.delete("audit", event)
        place.put("audit", event, subject=event["subject"].replace("#", "\uff03"))


# --- rolled back


def roll_back(place: Wide, request: str, events: int) -> None:
    """Make a request what it was after its first events: without its answer, and without a trace of it."""
    chain = place.chain(request_subject(request))
    for event in chain[events:]:
        place.delete("audit", event)
    last = chain[events - 1]
    head = place.record(request, "head")
    doc = json.loads(head["doc"])
    doc |= {"status": "pending", "outcome": None, "decided_at": None, "decision_id": None, "responded_via": None}
    doc |= {"seq": events, "last_hash": last["hash"], "last_event_at": last["at"], "resume": None, "receipt": None}
    doc.pop("answer", None)
    rolled = {name: value for name, value in head.items() if not name.startswith("decision_")}
    place.put("requests", rolled, doc=json.dumps(doc))
    for row in place.records_of(request):
        if row["sk"] == "r#response":
            place.delete("requests", row)


@forgery
def answer_undone(place: Wide) -> None:
    roll_back(place, place.late, 1)


@forgery
def answer_undone_with_the_digests_since(place: Wide) -> None:
    place.forget_the_last_hour()
    roll_back(place, place.late, 1)


@forgery
def request_removed_with_the_digests_since(place: Wide) -> None:
    place.forget_the_last_hour()
    for event in place.chain(place.subjects["late"]):
        place.delete("audit", event)
    for row in place.records_of(place.late):
        place.delete("requests", row)


@forgery
def the_last_digest_alone_removed(place: Wide) -> None:
    place.remove("seals", place.digests[-1])


@forgery
def the_last_digest_put_anew(place: Wide) -> None:
    place.write("seals", place.digests[-1], place.read("seals", place.digests[-1]))


@forgery
def the_last_digest_with_another_signature(place: Wide) -> None:
    signed = json.loads(place.read("seals", place.digests[-1]))
    signed["signature"] = json.loads(place.read("seals", place.digests[0]))["signature"]
    place.write("seals", place.digests[-1], json.dumps(signed).encode())


@forgery
def an_older_digest_in_place_of_the_last(place: Wide) -> None:
    place.write("seals", place.digests[-1], place.read("seals", place.digests[0]))


@forgery
def digests_and_sections_signed_by_the_forger(place: Wide) -> None:
    for key in place.digests:
        digest = json.loads(place.read("seals", key))["digest"] | {"key": fingerprint(SIGNER.public)}
        place.write("seals", key, json.dumps(SIGNER.sign(digest)).encode())
    place.write("seals", f"keys/{fingerprint(SIGNER.public)}.pem", pem(SIGNER.public).encode())


@forgery
def digests_signed_by_the_forger_in_our_name(place: Wide) -> None:
    for key in place.digests:
        digest = json.loads(place.read("seals", key))["digest"]
        place.write("seals", key, json.dumps(SIGNER.sign(digest)).encode())


@forgery
def published_key_exchanged(place: Wide) -> None:
    (key,) = place.objects("seals", "keys/")
    place.write("seals", key, pem(SIGNER.public).encode())


@forgery
def published_key_removed(place: Wide) -> None:
    place.remove("seals", *place.objects("seals", "keys/"))


@forgery
def section_of_another_deployment(place: Wide) -> None:
    (theirs,) = place.objects("seals", f"sections/{place.other_deployment}/")
    ours = theirs.replace(f"/{place.other_deployment}/", f"/{place.hitl.deployment_id}/")
    place.write("seals", ours, place.read("seals", theirs))


@forgery
def section_with_a_claim_twice(place: Wide) -> None:
    key = place.objects("seals", "sections/1/")[-1]
    lines = place.read("seals", key).splitlines(keepends=True)
    place.write("seals", key, b"".join([*lines, lines[-1]]))


@forgery
def digest_ends_in_another_notation(place: Wide) -> None:
    place.write("seals", "digests/2026-01-15T13:30:00+00:00.json", place.read("seals", place.digests[-1]))


@forgery
def digest_in_a_folder_of_its_own(place: Wide) -> None:
    place.write("seals", "digests/2026-01-15T11:00:00Z.json/../x.json", b"{}")


# --- removed without a trace


@forgery
def request_and_its_place_in_every_list_removed(place: Wide) -> None:
    place.hide(place.subjects["decided"])
    for event in place.chain(place.subjects["decided"]):
        place.delete("audit", event)
    for row in place.rows("requests"):
        if place.decided in str(row):
            place.delete("requests", row)


@forgery
def all_of_the_log_hidden_from_its_index(place: Wide) -> None:
    place.hide(*{str(event["subject"]) for event in place.rows("audit")})


@forgery
def deployment_out_of_the_list_of_deployments(place: Wide) -> None:
    place.delete(
        "deployments", place.row("deployments", pk="deployments", sk=f"deployment#{place.hitl.deployment_id:015d}")
    )


@forgery
def configuration_put_back_with_its_events(place: Wide) -> None:
    own = place.own
    for event in own[2:]:
        place.delete("audit", event)
    place.redo("deployments", place.configuration, audit_seq=2, audit_hash=own[1]["hash"])


@forgery
def records_marked_to_expire(place: Wide) -> None:
    for part in ("head", "content", "response"):
        place.put("requests", place.record(place.decided, part), ttl=1)


@forgery
def configuration_marked_to_expire(place: Wide) -> None:
    place.put("deployments", place.configuration, ttl=1)


@forgery
def content_marked_to_expire(place: Wide) -> None:
    place.put("requests", place.record(place.pending, "content"), ttl=1)


# --- receipts


@forgery
def receipt_of_the_forger(place: Wide) -> None:
    place.redo("requests", place.record(place.late, "head"), receipt=f"{'e30.' * 2}{'A' * 86}")


@forgery
def receipt_taken_away(place: Wide) -> None:
    place.redo("requests", place.record(place.late, "head"), receipt=None)


@forgery
def receipt_for_an_answer_without_one(place: Wide) -> None:
    receipt = json.loads(place.record(place.late, "head")["doc"])["receipt"]
    place.redo("requests", place.record(place.decided, "head"), receipt=receipt, with_receipt=True)


@forgery
def receipt_changed_in_its_event(place: Wide) -> None:
    def change(event: dict[str, Any]) -> None:
        if event["kind"] == "receipt_issued":
            event["data"] = event["data"].replace('"receipt":"e', '"receipt":"f')

    place.rechain(place.subjects["late"], change)


# --- what no program of ours writes


def on_decision(name: str, **members: Any) -> None:
    def forge(place: Wide) -> None:
        place.put_item("audit", {**place.decision(place.decided), **members})

    FORGERIES[name] = forge


for at in (
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "2026-01-14T12:00:00+00:00",
    "2026-01-14T13:00:00+01:00",
    "2026-01-14T12:00:00.000Z",
    "2026-01-14t12:00:00z",
    "2026-01-14T24:00:00Z",
    "2026-02-30T12:00:00Z",
    "２026-01-14T12:00:00Z",
    "",
):
    on_decision(f"at {at!r}", at=at)
for member in ("at", "actor", "data", "prev_hash", "hash", "event_id", "kind"):
    on_decision(f"{member} is null", **{member: {"NULL": True}})
    on_decision(f"{member} is a number", **{member: {"N": "1e125"}})
    on_decision(f"{member} is a list", **{member: {"L": [{"S": "x"}]}})
    on_decision(f"{member} is a set", **{member: {"SS": ["x", "y"]}})
for name, data in {
    "deep": '{"outcome":' * 3000 + "1" + "}" * 3000,
    "a list": "[]",
    "no number": '{"outcome":NaN}',
    "without end": '{"outcome":1e999}',
    "many digits": '{"outcome":' + "9" * 5000 + "}",
    "half a character": '{"outcome":"\\ud800"}',
    "empty": "",
}.items():
    on_decision(f"data is {name}", data=data)
for number in ("0", "-1", "1.5", "99", "9" * 38, "2.0000000000001"):
    on_decision(f"beside it, seq {number}", seq={"N": number})


@forgery
def data_with_a_member_twice(place: Wide) -> None:
    event = place.decision(place.decided)
    place.put("audit", event, data=event["data"].replace("{", '{"outcome":"rejected",', 1))


@forgery
def event_with_a_member_more(place: Wide) -> None:
    place.put("audit", place.decision(place.decided), note="approved by the board")


@forgery
def event_without_its_hash(place: Wide) -> None:
    event = place.decision(place.decided)
    del event["hash"]
    place.put("audit", event)


@forgery
def event_listed_later_on_its_day(place: Wide) -> None:
    event = place.decision(place.decided)
    place.put("audit", event, day_key=event["day_key"].replace("T12:", "T23:"))


@forgery
def event_listed_by_another_number(place: Wide) -> None:
    event = place.decision(place.decided)
    place.put("audit", event, day_key=event["day_key"][:-1] + "9")


def on_document(name: str, find: Callable[[Wide], dict[str, Any]], table: str, doc: Callable[[str], Any]) -> None:
    """Exchange a record's document; one that is no text is in DynamoDB's own notation."""

    def forge(place: Wide) -> None:
        row = find(place)
        place.put_item(table, {**row, "doc": doc(row["doc"])})

    FORGERIES[name] = forge


def with_members(**members: Any) -> Callable[[str], str]:
    return lambda doc: json.dumps({**json.loads(doc), **members})


def with_state(state: str) -> Callable[[str], str]:
    return lambda doc: re.sub(r'"state":\{[^{}]*\}', lambda _: state, doc)


def always(doc: Any) -> Callable[[str], Any]:
    return lambda _: doc


def part_of(part: str) -> Callable[[Wide], dict[str, Any]]:
    return lambda place: place.record(place.decided, part)


for member, value in {
    "created_at": "0001-01-01T00:00:00Z",
    "last_event_at": "9999-12-31T23:59:59Z",
    "decided_at": "2026-01-14T13:00:00+02:00",
    "seq": -1,
    "approval_ttl_minutes": 10**30,
    "with_receipt": "yes",
    "sla_due_at": "0001-01-01T00:00:00+14:00",
}.items():
    on_document(f"head {member} {value}", part_of("head"), "requests", with_members(**{member: value}))
for name, state in {
    "no number": '"state":{"amount":NaN}',
    "without end": '"state":{"amount":-Infinity}',
    "half a character": '"state":{"amount":"\\ud800"}',
    "twice": '"state":{"amount":12},"state":{"amount":13}',
    "deep": '"state":{"amount":' + "[" * 3000 + "]" * 3000 + "}",
    "many digits": '"state":{"amount":' + "9" * 5000 + "}",
}.items():
    on_document(f"content state {name}", part_of("content"), "requests", with_state(state))
for part in ("head", "content", "response"):
    on_document(f"{part} doc is a number", part_of(part), "requests", always({"N": "1"}))
    on_document(f"{part} doc is null", part_of(part), "requests", always({"NULL": True}))
on_document("configuration doc is a number", lambda place: place.configuration, "deployments", always({"N": "1"}))
on_document("webhook doc is a number", lambda place: place.hook, "deployments", always({"N": "1"}))


def test_an_untouched_log_is_verified(hitl: Hitl) -> None:
    assert a_place(hitl).verify() == (True, [])


@pytest.mark.parametrize(
    "name", ["data is no number", "at is a list", "kind is a set", "hash is null", "at ''", "data_with_a_member_twice"]
)
def test_what_no_program_of_ours_writes_is_listed_as_described(hitl: Hitl, name: str) -> None:
    place = a_place(hitl)
    FORGERIES[name](place)
    answer = hitl.api("GET", audit_path(hitl))
    assert answer.status == 200
    assert len(answer.json["events"]) > 4


@pytest.mark.exhaustive(24)
@pytest.mark.parametrize("name", FORGERIES)
def test_no_forgery_passes(hitl: Hitl, name: str) -> None:
    place = a_place(hitl)
    FORGERIES[name](place)
    verified, named = place.verify()
    assert not verified
    assert named
