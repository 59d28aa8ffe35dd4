"""A forger who can write to tables and buckets changes a record: verification names it, and is not successful."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from zlib import compress

import pytest

from flow_hitl.audit.audit_log import data_text
from flow_hitl.bootstrap import current
from flow_hitl.platform.dynamodb import item, values
from flow_hitl.proof.answers import verification
from flow_hitl.proof.verify_audit import event_hash
from flow_hitl.requests.store.request_store import document_text
from infra.local.hitl_fixture import Hitl, made_once
from tests.proof.test_audit_seal import by_schedule
from tests.support.asserts import EMIT

PEOPLE = ("ann@example.com", "bob@example.com")
LARGE = "A long draft. " * 6000


@dataclass
class Place:
    """A deployment whose log is sealed but for one request that is still fresh; `brief` has its answer in its head."""

    hitl: Hitl
    decided: str
    brief: str
    grouped: str
    pending: str
    large: str
    webhook: str
    unsealed: str = ""

    # --- what a forger can do

    def rows(self, table: str) -> list[dict[str, Any]]:
        pages = self.hitl._clients["dynamodb"].get_paginator("scan").paginate(TableName=table)
        rows = [values(row) for page in pages for row in page["Items"]]
        return [_readable(row) for row in rows]

    def row(self, table: str, **key: Any) -> dict[str, Any]:
        (found,) = [one for one in self.rows(table) if all(one.get(name) == value for name, value in key.items())]
        return found

    def put(self, table: str, row: Mapping[str, Any], **changes: Any) -> None:
        self.hitl._clients["dynamodb"].put_item(TableName=table, Item=item({**row, **changes}))

    def delete(self, table: str, row: Mapping[str, Any]) -> None:
        names = ("subject", "seq") if table == "audit" else ("pk", "sk")
        key = item({name: row[name] for name in names})
        self.hitl._clients["dynamodb"].delete_item(TableName=table, Key=key)

    def redo(self, table: str, row: Mapping[str, Any], **changes: Any) -> None:
        """Change members of a record's JSON document."""
        self.put(table, row, doc=json.dumps({**json.loads(row["doc"]), **changes}))

    def record(self, request: str, part: str) -> dict[str, Any]:
        return self.row("requests", pk=request, sk=f"r#{part}")

    @property
    def configuration(self) -> dict[str, Any]:
        return self.row("deployments", pk=f"deployment#{self.hitl.deployment_id}", sk="config")

    @property
    def hook(self) -> dict[str, Any]:
        return self.row("deployments", pk=f"deployment#{self.hitl.deployment_id}", sk=f"webhook#{self.webhook}")

    def chain(self, subject: str) -> list[dict[str, Any]]:
        found = [one for one in self.rows("audit") if one["subject"] == subject]
        return sorted(found, key=lambda one: int(one["seq"]))

    @property
    def own(self) -> list[dict[str, Any]]:
        return self.chain(f"deployment#{self.hitl.deployment_id}")

    def decision(self, request: str) -> dict[str, Any]:
        return next(one for one in self.chain(f"request#{request}") if one["kind"] == "response_submitted")

    def rehash(self, subject: str, **changes: Any) -> None:
        """Change the decision's data, and give it and all events after it the hashes that fit, and the head as well."""
        before = ""
        for event in self.chain(subject):
            data = json.loads(event["data"])
            if event["kind"] == "response_submitted":
                data |= changes
            event = {**event, "data": json.dumps(data), "prev_hash": before or event["prev_hash"]}
            event["hash"] = before = event_hash({**event, "seq": int(event["seq"]), "data": data})
            self.put("audit", event)
        request = subject.removeprefix("request#")
        self.redo("requests", self.record(request, "head"), last_hash=before)

    def objects(self, bucket: str, prefix: str) -> list[str]:
        found = self.hitl._clients["s3"].list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
        return [str(one["Key"]) for one in found]

    def write(self, bucket: str, key: str, content: bytes) -> None:
        self.hitl._clients["s3"].put_object(Bucket=bucket, Key=key, Body=content)

    def read(self, bucket: str, key: str) -> bytes:
        found: bytes = self.hitl._clients["s3"].get_object(Bucket=bucket, Key=key)["Body"].read()
        return found

    # --- what verification says

    def verify(self) -> tuple[bool, list[str]]:
        """Verify the whole log as the API does without a time; return whether it is verified, and the records named."""
        verify, deployment = current().verify_audit_log, self.hitl.deployment_id
        wanted = current().read_audit.range_of(deployment, verify.beginning(deployment), None)
        verified, named, cursor = True, [], None
        while True:
            found = verify(deployment, wanted, cursor)
            shown = verification(wanted, found)
            verified = verified and shown.verified
            named += [finding.record for finding in shown.findings]
            cursor = found.next_cursor
            if cursor is None:
                return verified, named


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with the texts that are stored deflated."""
    if "prev_hash" in row:
        return {**row, "data": data_text(row["data"])}
    is_packed = row["sk"] in ("r#head", "r#content", "r#response") and "doc" in row
    return {**row, "doc": document_text(row["doc"])} if is_packed else row


def sealed_log(hitl: Hitl) -> Place:
    hitl.configure(settings={"groups": [{"name": "finance", "members": list(PEOPLE)}]})
    hook = hitl.api(
        "POST",
        f"/v1/deployments/{hitl.deployment_id}/webhooks",
        {"name": "Jira", "url": "http://127.0.0.1:9/", "events": ["request_cancelled"]},
    )
    decided = hitl.ask("Pay?", emit=EMIT, state={"amount": 12}, resume_url="http://127.0.0.1:9/")
    hitl.reply("approved\n" + "Looks right. " * 50)
    brief = hitl.ask("Publish at once?", emit=EMIT, resume_url="http://127.0.0.1:9/")
    hitl.reply("approved\nLooks right")
    grouped = hitl.ask("Publish?", emit=EMIT, assigned_to_email="group:finance")
    large = hitl.ask("Read it", output=LARGE, emit=EMIT)
    pending = hitl.ask("Wait", emit=EMIT)
    hitl.advance(days=1)
    by_schedule(hitl)
    unsealed = hitl.ask("Fresh", emit=EMIT)
    webhook = hook.json["webhook"]["id"]
    return Place(hitl, decided.id, brief.id, grouped.id, pending.id, large.id, webhook, unsealed.id)


a_place = made_once(sealed_log)

Forgery = Callable[[Place], None]
FORGERIES: dict[str, Forgery] = {}


def forgery(made: Forgery) -> Forgery:
    FORGERIES[made.__name__] = made
    return made


def on_doc(name: str, find: Callable[[Place], Mapping[str, Any]], table: str, **changes: Any) -> None:
    FORGERIES[name] = lambda place: place.redo(table, find(place), **changes)


def on_row(name: str, find: Callable[[Place], Mapping[str, Any]], table: str, **changes: Any) -> None:
    FORGERIES[name] = lambda place: place.put(table, find(place), **changes)


def gone(name: str, find: Callable[[Place], Mapping[str, Any]], table: str) -> None:
    FORGERIES[name] = lambda place: place.delete(table, find(place))


def on_brief_answer(name: str, **changes: Any) -> None:
    """Change members of the answer that a head holds."""

    def forge(place: Place) -> None:
        head = place.record(place.brief, "head")
        place.redo("requests", head, answer={**json.loads(head["doc"])["answer"], **changes})

    FORGERIES[f"answer_{name}_in_its_head"] = forge


HEAD_CHANGES: Mapping[str, Any] = {
    "status": "pending",
    "outcome": "rejected",
    "assigned_to_email": "mallory@example.com",
    "emit_options": ["approved", "rejected", "paid"],
    "responded_via": "api",
    "decided_at": "2026-01-14T09:00:00Z",
    "created_at": "2026-01-14T09:00:00Z",
    "deployment_id": 2,
    "seq": 2,
    "last_hash": "0" * 64,
    "resume": {"status": "resumed", "attempts": 1, "last_status": 200},
    "not_to_be_answered_by": ["creator@example.com"],
    "decision_id": "mail/other",
    "last_event_at": "2026-01-16T00:00:00Z",
}
for member, value in HEAD_CHANGES.items():
    on_doc(f"state_{member}", lambda place: place.record(place.decided, "head"), "requests", **{member: value})
on_doc(
    "deadline_of_a_pending_request",
    lambda place: place.record(place.pending, "head"),
    "requests",
    auto_response={"timeout_minutes": 1, "default_outcome": "approved", "due_at": "2026-01-14T12:01:00Z"},
)
for column, value in {
    "created_shard": "9#9",
    "created_key": "2027-01-01T00:00:00.000000#x",
    "status_shard": "1#pending#0",
    "decision_key": "2027-01-01T00:00:00.000000#x",
    "outcome": "rejected",
    "summary": "Pay nothing?",
}.items():
    on_row(f"listed_by_{column}", lambda place: place.record(place.decided, "head"), "requests", **{column: value})
on_row("unreadable_state", lambda place: place.record(place.decided, "head"), "requests", doc="{")
gone("state_removed", lambda place: place.record(place.decided, "head"), "requests")
for member, value in {
    "message": "Pay more?",
    "output": "Something else",
    "state": {"amount": 1200},
    "metadata": {"requested_by": "mallory@example.com"},
    "resume_url": "https://evil.example/",
    "history": [{"method": "m", "at": None, "output": 1}],
}.items():
    on_doc(f"content_{member}", lambda place: place.record(place.decided, "content"), "requests", **{member: value})
on_row("unreadable_content", lambda place: place.record(place.decided, "content"), "requests", doc="[]")
gone("content_removed", lambda place: place.record(place.decided, "content"), "requests")
for member, value in {
    "outcome": "rejected",
    "feedback": "rejected",
    "comment": "",
    "responder": "mallory@example.com",
    "responder_verified": False,
    "responded_via": "dashboard",
    "responded_at": "2026-01-14T11:00:00Z",
    "decision_id": "mail/other",
}.items():
    on_doc(f"answer_{member}", lambda place: place.record(place.decided, "response"), "requests", **{member: value})
    on_brief_answer(member, **{member: value})
on_doc("answer_unreadable_in_its_head", lambda place: place.record(place.brief, "head"), "requests", answer=1)
on_doc("answer_removed_from_its_head", lambda place: place.record(place.brief, "head"), "requests", answer=None)
on_row("head_packed_by_somebody_else", lambda place: place.record(place.brief, "head"), "requests", doc=compress(b"{}"))
on_row("unreadable_answer", lambda place: place.record(place.decided, "response"), "requests", doc="null")
gone("answer_removed", lambda place: place.record(place.decided, "response"), "requests")
on_row("list_of_a_person", lambda place: place.row("requests", pk=place.grouped, sk="slot#00"), "requests", summary="?")
gone("request_out_of_a_persons_list", lambda place: place.row("requests", pk=place.grouped, sk="slot#01"), "requests")


@forgery
def answer_to_a_pending_request(place: Place) -> None:
    place.put("requests", place.record(place.decided, "response"), pk=place.pending)


@forgery
def a_second_answer_beside_the_one_in_the_head(place: Place) -> None:
    place.put("requests", place.record(place.decided, "response"), pk=place.brief)


@forgery
def answer_in_the_head_of_a_pending_request(place: Place) -> None:
    answer = json.loads(place.record(place.brief, "head")["doc"])["answer"]
    place.redo("requests", place.record(place.pending, "head"), answer=answer)


@forgery
def large_content_replaced(place: Place) -> None:
    (key,) = place.objects("content", "content/")
    place.write("content", key, b"{}")


@forgery
def large_content_led_elsewhere(place: Place) -> None:
    key = "content/1/forged"
    content = json.loads(place.read("content", place.objects("content", "content/")[0]))
    forged = json.dumps({**content, "output": "short"}).encode()
    place.write("content", key, forged)
    place.put("requests", place.record(place.large, "content"), s3_key=key, sha256=sha256(forged).hexdigest())


# --- the log


for member, value in {
    "actor": "mallory@example.com",
    "at": "2026-01-14T09:00:00Z",
    "event_id": "x",
    "kind": "request_cancelled",
    "prev_hash": "1" * 64,
    "hash": "1" * 64,
    "data": "{}",
}.items():
    on_row(f"event_{member}", lambda place: place.decision(place.decided), "audit", **{member: value})
for name, changes in {
    "of_no_kind": {"kind": "no_such_kind"},
    "without_json": {"data": "{"},
    "of_no_time": {"at": "never"},
    "of_the_year_2099": {"at": "2099-01-01T00:00:00Z"},
    "listed_on_another_day": {"day_shard": "2020-01-01#0"},
    "listed_for_another_deployment": {"day_key": "000000000000002#2026-01-14T12:00:00Z#x#000001"},
}.items():
    on_row(f"event_{name}", lambda place: place.decision(place.decided), "audit", **changes)
    on_row(f"first_event_{name}", lambda place: place.own[0], "audit", **changes)
gone("event_removed", lambda place: place.decision(place.decided), "audit")
gone("first_event_removed", lambda place: place.own[0], "audit")
gone("last_event_removed", lambda place: place.chain(f"request#{place.decided}")[-1], "audit")


@forgery
def decision_rewritten_with_all_its_hashes(place: Place) -> None:
    place.rehash(f"request#{place.decided}", outcome="rejected")


@forgery
def decision_rewritten_and_hidden_under_another_name_of_the_deployment(place: Place) -> None:
    place.rehash(f"request#{place.decided}", outcome="rejected", feedback="rejected")
    place.redo("requests", place.record(place.decided, "head"), outcome="rejected")
    place.redo("requests", place.record(place.decided, "response"), outcome="rejected", feedback="rejected")
    for event in place.chain(f"request#{place.decided}"):
        place.put("audit", event, day_shard="junk#0", day_key="junk")
    place.put("audit", place.own[0], hash="2" * 64)


@forgery
def decision_rewritten_and_dated_after_the_digests(place: Place) -> None:
    now = place.hitl.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    for event in place.chain(f"request#{place.decided}"):
        place.put("audit", event, at=now)
    place.rehash(f"request#{place.decided}", outcome="rejected")
    place.redo("requests", place.record(place.decided, "head"), last_event_at=now, created_at=now)


@forgery
def whole_request_removed(place: Place) -> None:
    for event in place.chain(f"request#{place.decided}"):
        place.delete("audit", event)
    for row in place.rows("requests"):
        if row["pk"] == place.decided:
            place.delete("requests", row)


@forgery
def event_of_a_pending_request_hidden_and_its_request_unlisted(place: Place) -> None:
    for event in place.chain(f"request#{place.pending}"):
        place.put("audit", event, day_shard="junk#0", day_key="junk")
    place.put("requests", place.record(place.pending, "head"), created_shard="9#9", status_shard="9#9")


@forgery
def fresh_request_without_events(place: Place) -> None:
    for event in place.chain(f"request#{place.unsealed}"):
        place.delete("audit", event)


@forgery
def fresh_decision_that_no_event_has(place: Place) -> None:
    head = place.record(place.unsealed, "head")
    place.redo("requests", head, status="responded", outcome="approved", decision_id="x")
    place.put("requests", place.record(place.decided, "response"), pk=place.unsealed)


# --- the configuration


def settings(place: Place) -> Any:
    return json.loads(place.configuration["doc"])["settings"]


@forgery
def setting_changed(place: Place) -> None:
    place.redo("deployments", place.configuration, settings={**settings(place), "require_dmarc_pass": True})


on_doc(
    "member_added",
    lambda place: place.configuration,
    "deployments",
    members=[{"email": "mallory@example.com", "permissions": ["manage_human_feedback"], "aliases": []}],
)
on_doc("creator_changed", lambda place: place.configuration, "deployments", creator_email="mallory@example.com")
on_doc("keys_removed", lambda place: place.configuration, "deployments", api_keys={})
on_doc("end_of_the_chain_moved_back", lambda place: place.configuration, "deployments", audit_seq=1)
on_doc(
    "rule_added",
    lambda place: place.configuration,
    "deployments",
    rules=[{"name": "r", "method_pattern": "*", "assign_to_email": "mallory@example.com"}],
)
on_row("unreadable_configuration", lambda place: place.configuration, "deployments", doc="{}")
on_doc("webhook_led_elsewhere", lambda place: place.hook, "deployments", url="https://evil.example/")
on_doc("webhook_switched_off", lambda place: place.hook, "deployments", active=False)
gone("webhook_removed", lambda place: place.hook, "deployments")


@forgery
def webhook_added(place: Place) -> None:
    forged = {**json.loads(place.hook["doc"]), "webhook_id": f"wh_{'e' * 32}", "url": "https://evil.example/"}
    place.put("deployments", place.hook, sk=f"webhook#wh_{'e' * 32}", doc=json.dumps(forged))


# --- the digests


@forgery
def digest_replaced_by_nothing(place: Place) -> None:
    for key in place.objects("seals", "digests/"):
        place.write("seals", key, b"{}")


@forgery
def digest_that_is_no_json(place: Place) -> None:
    place.write("seals", place.objects("seals", "digests/")[0], b"\x00")


@forgery
def digest_of_another_time(place: Place) -> None:
    first, *_ = place.objects("seals", "digests/")
    place.write("seals", "digests/2026-01-15T06:00:00Z.json", place.read("seals", first))


@forgery
def digest_of_the_year_2099(place: Place) -> None:
    first, *_ = place.objects("seals", "digests/")
    signed = json.loads(place.read("seals", first))
    signed["digest"] |= {"from": signed["digest"]["until"], "until": "2099-01-01T00:00:00Z"}
    place.write("seals", "digests/2099-01-01T00:00:00Z.json", json.dumps(signed).encode())


@forgery
def section_replaced(place: Place) -> None:
    place.write("seals", place.objects("seals", "sections/1/")[0], b"{}\n")


@forgery
def section_removed(place: Place) -> None:
    place.hitl._clients["s3"].delete_object(Bucket="seals", Key=place.objects("seals", "sections/1/")[0])


@forgery
def all_digests_hidden(place: Place) -> None:
    for prefix in ("digests/", "sections/"):
        for key in place.objects("seals", prefix):
            place.hitl._clients["s3"].delete_object(Bucket="seals", Key=key)


def test_an_untouched_log_is_verified(hitl: Hitl) -> None:
    assert a_place(hitl).verify() == (True, [])


@pytest.mark.exhaustive(16)
@pytest.mark.parametrize("name", FORGERIES)
def test_no_forgery_passes(hitl: Hitl, name: str) -> None:
    place = a_place(hitl)
    FORGERIES[name](place)
    verified, named = place.verify()
    assert not verified
    assert named


@pytest.mark.parametrize("name", ["digest_that_is_no_json", "digest_of_the_year_2099", "digest_replaced_by_nothing"])
def test_a_forged_digest_stops_no_seal(hitl: Hitl, name: str) -> None:
    place = a_place(hitl)
    FORGERIES[name](place)
    before = place.objects("seals", "digests/")
    hitl.advance(days=1)
    by_schedule(hitl)
    assert len(place.objects("seals", "digests/")) > len(before)


def test_there_are_many_forgeries() -> None:
    assert len(FORGERIES) >= 40
