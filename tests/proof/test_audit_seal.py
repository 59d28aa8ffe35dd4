"""The audit log is sealed by day, and what is changed in the table afterwards, or before, is found and named."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import pytest
from botocore.exceptions import ClientError

from flow_hitl.audit.audit_log import data_text
from flow_hitl.bootstrap import current
from flow_hitl.platform.digests import canonical_json
from flow_hitl.platform.dynamodb import item, values
from flow_hitl.proof.verify_audit import event_hash, fingerprint, read_public_key, sha256
from infra.local.hitl_fixture import START, AskedRequest, Hitl, made_once
from infra.local.hitl_fixture.stack import ACCOUNT
from tests.audit.test_audit_log import audit_path
from tests.support.asserts import EMIT, key_of_another_deployment, sqs_records
from tests.support.aws_calls import When, crashing, watched
from tests.support.slices import WHOLE


def verify(hitl: Hitl, query: str = "") -> dict[str, Any]:
    """Verify the whole log, call by call, and return what all calls together say."""
    counts = {"events": 0, "chains": 0, "digests": 0, "unsealed_events": 0}
    whole: dict[str, Any] = {"findings": [], "sealed_until": None, **counts}
    cursor = ""
    while True:
        answer = hitl.api("GET", audit_path(hitl, f"/verify?{query}{cursor}"))
        assert answer.status == 200, answer.text
        part = answer.json
        assert part["verified"] <= (part["findings"] == [])
        for name in ("findings", "events", "chains", "digests", "unsealed_events"):
            whole[name] += part[name]
        whole["sealed_until"] = part["sealed_until"] or whole["sealed_until"]
        if part["next_cursor"] is None:
            return whole
        cursor = f"&cursor={part['next_cursor']}"


def named(hitl: Hitl) -> set[tuple[str, str]]:
    """Return kind and record of each finding."""
    return {(finding["kind"], finding["record"]) for finding in verify(hitl)["findings"]}


def digests(hitl: Hitl) -> dict[str, dict[str, Any]]:
    """Return the signed digests by their ends."""
    s3 = hitl._clients["s3"]
    listed = s3.list_objects_v2(Bucket="seals", Prefix="digests/").get("Contents", [])
    read = [json.loads(s3.get_object(Bucket="seals", Key=entry["Key"])["Body"].read()) for entry in listed]
    return {signed["digest"]["until"]: signed for signed in read}


def by_schedule(hitl: Hitl) -> None:
    """Do what the schedule does."""
    hitl._clients["sqs"].send_message(QueueUrl=current().settings.queue_url("seal"), MessageBody="{}")
    hitl._settle()


def two_days(hitl: Hitl) -> tuple[AskedRequest, AskedRequest]:
    """Let two requests be answered, one on a day that is sealed then and one on a day that is not."""
    sealed = hitl.ask("First", emit=EMIT)
    hitl.reply("approved")
    hitl.advance(days=1)
    by_schedule(hitl)
    fresh = hitl.ask("Second", emit=EMIT)
    hitl.reply("approved")
    return sealed, fresh


a_log = made_once(two_days)


# --- the seal


def test_each_day_that_is_over_has_one_digest(hitl: Hitl) -> None:
    hitl.ask(emit=EMIT)
    hitl.advance(days=3)
    by_schedule(hitl)
    found = digests(hitl)
    assert list(found) == ["2026-01-15T00:00:00Z", "2026-01-16T00:00:00Z", "2026-01-17T00:00:00Z"]
    assert [signed["digest"]["from"] for signed in found.values()] == ["2026-01-14T00:00:00Z", *list(found)[:-1]]
    assert [len(signed["digest"]["deployments"]) for signed in found.values()] == [1, 0, 0]


def test_an_hour_is_sealed_when_nothing_of_it_can_still_be_written(hitl: Hitl) -> None:
    hitl.clock.turn_to(datetime(2026, 1, 14, 20, 1, tzinfo=UTC))
    by_schedule(hitl)
    before = list(digests(hitl))
    hitl.ask(emit=EMIT)
    hitl.clock.turn_to(datetime(2026, 1, 14, 21, 9, 59, tzinfo=UTC))
    by_schedule(hitl)
    assert list(digests(hitl)) == before
    hitl.clock.sleep(1)
    by_schedule(hitl)
    assert list(digests(hitl)) == [*before, "2026-01-14T21:00:00Z"]


def test_hours_without_events_are_sealed_with_the_next_that_has_some_and_at_the_end_of_the_day(hitl: Hitl) -> None:
    hitl.clock.turn_to(datetime(2026, 1, 15, 9, 30, tzinfo=UTC))
    by_schedule(hitl)
    hitl.ask(emit=EMIT)
    hitl.clock.turn_to(datetime(2026, 1, 15, 10, 30, tzinfo=UTC))
    by_schedule(hitl)
    for hour in range(11, 24):
        hitl.clock.turn_to(datetime(2026, 1, 15, hour, 30, tzinfo=UTC))
        by_schedule(hitl)
    hitl.clock.turn_to(datetime(2026, 1, 16, 0, 30, tzinfo=UTC))
    by_schedule(hitl)
    assert list(digests(hitl))[1:] == ["2026-01-15T10:00:00Z", "2026-01-16T00:00:00Z"]
    assert verify(hitl)["findings"] == []


def test_to_seal_again_changes_nothing(hitl: Hitl) -> None:
    hitl.ask(emit=EMIT)
    hitl.advance(days=2)
    by_schedule(hitl)
    s3 = hitl._clients["s3"]
    before = s3.list_object_versions(Bucket="seals")["Versions"]
    by_schedule(hitl)
    assert s3.list_object_versions(Bucket="seals")["Versions"] == before


def test_a_stack_without_deployments_has_nothing_to_seal(hitl: Hitl) -> None:
    with patch("flow_hitl.audit.audit_log.DynamoAuditLog.first_events", return_value={}):
        hitl.advance(days=2)
        by_schedule(hitl)
    assert digests(hitl) == {}


def test_an_idle_day_costs_a_few_calls_and_a_busy_one_no_more_than_its_events(hitl: Hitl) -> None:
    hitl.advance(days=1)
    by_schedule(hitl)
    hitl.advance(days=1)
    with watched(hitl) as idle:
        by_schedule(hitl)
    for _ in range(20):
        hitl.ask(emit=EMIT)
    hitl.advance(days=1)
    with watched(hitl) as busy:
        by_schedule(hitl)
    # Lists digests, looks for the first version of the last and reads it, signs and writes one; for each of two periods
    # it looks into four shards of the log's index, and for the one deployment into four of what was opened and four of
    # what was answered.
    assert len(idle.begun) == 5 + 2 * (4 + 1 + 8)
    # The events themselves, and the deployment's section.
    assert len(busy.begun) == len(idle.begun) + 2


def test_what_one_run_cannot_do_is_done_by_the_next(hitl: Hitl) -> None:
    hitl.ask(emit=EMIT)
    hitl.advance(days=5)
    sign = current().seal_audit.key.sign

    def slowly(message: bytes) -> bytes:
        hitl.clock.sleep(100)
        return sign(message)

    with patch("flow_hitl.proof.seal_store.KmsSealKey.sign", side_effect=slowly), watched(hitl) as calls:
        by_schedule(hitl)
    assert len(digests(hitl)) == 5
    assert calls.operations.count("sqs.SendMessage") == 2
    assert verify(hitl)["findings"] == []


@pytest.mark.exhaustive
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_seal_that_dies_anywhere_is_finished_by_the_next(hitl: Hitl, when: When) -> None:
    hitl.ask(emit=EMIT)
    key_of_another_deployment()
    number = deaths = 0
    while True:
        hitl.advance(days=1)
        hitl.ask(emit=EMIT)
        with crashing(hitl, number, when) as calls:
            hitl._deliver("seal", sqs_records("{}"))
        hitl._settle()
        if calls.died_at is None:
            break
        hitl._deliver("seal", sqs_records("{}"))
        number += 1 if WHOLE else 8
        deaths += 1
    assert number > 8
    ends = list(digests(hitl))
    assert len(ends) == deaths + 1
    assert verify(hitl)["findings"] == []


def test_of_two_seals_at_once_one_counts(hitl: Hitl) -> None:
    hitl.ask(emit=EMIT)
    hitl.advance(days=2)
    by_schedule(hitl)
    first = digests(hitl)
    hitl.clock.sleep(5)
    # As one does that looked before the other had written anything.
    with patch("flow_hitl.proof.seal_audit.SealAudit._latest", return_value=None):
        by_schedule(hitl)
    assert digests(hitl) == first
    assert verify(hitl)["findings"] == []


def test_a_digest_cannot_be_deleted_and_its_key_is_beside_it(hitl: Hitl) -> None:
    a_log(hitl)
    s3 = hitl._clients["s3"]
    for version in s3.list_object_versions(Bucket="seals")["Versions"]:
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.delete_object(Bucket="seals", Key=version["Key"], VersionId=version["VersionId"])
    (signed,) = digests(hitl).values()
    name = f"keys/{signed['digest']['key']}.pem"
    published = read_public_key(s3.get_object(Bucket="seals", Key=name)["Body"].read())
    assert published == current().seal_audit.key.public_key()


def test_a_digest_names_no_deployment_that_is_not_known(hitl: Hitl) -> None:
    key_of_another_deployment()
    hitl.ask(emit=EMIT)
    hitl.advance(days=1)
    by_schedule(hitl)
    (signed,) = digests(hitl).values()
    assert set(signed["digest"]["deployments"]) == {"1", "2"}


# --- the verification


def table(hitl: Hitl) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = hitl._clients["dynamodb"].scan(TableName="audit")["Items"]
    return found


def record(wire: dict[str, Any]) -> dict[str, Any]:
    return {**values(wire), "data": data_text(values(wire)["data"])}


@pytest.mark.parametrize("chains_per_call", [1, 3, 200])
def test_an_untouched_log_is_verified_to_its_last_event(hitl: Hitl, chains_per_call: int) -> None:
    a_log(hitl)
    with patch("flow_hitl.proof.verify_log._CHAINS", chains_per_call):
        verified = verify(hitl)
    assert verified["findings"] == []
    assert verified["events"] == len(table(hitl))
    assert (verified["digests"] > 0, verified["sealed_until"]) == (True, "2026-01-15T00:00:00Z")


def test_the_conclusion_rests_on_what_is_sealed(hitl: Hitl) -> None:
    hitl.ask(emit=EMIT)
    path = audit_path(hitl, "/verify")
    fresh = hitl.api("GET", path).json
    assert (fresh["verified"], fresh["digests"]) == (False, 0)
    assert "only the chain could be checked" in fresh["conclusion"]
    two_days(hitl)
    sealed = hitl.api("GET", path).json
    assert (sealed["verified"], sealed["digests"] > 0) == (True, True)
    assert sealed["conclusion"].startswith("Nothing was changed in what is sealed. ")
    assert f"{sealed['unsealed_events']} events are not sealed yet" in sealed["conclusion"]
    hitl.advance(days=1)
    by_schedule(hitl)
    whole = hitl.api("GET", audit_path(hitl, "/verify?to=2026-01-16T00:00:00Z")).json
    assert (whole["unsealed_events"], whole["conclusion"]) == (0, "Nothing was changed.")


def test_later_parts_conclude_from_the_digests_of_the_parts_before(hitl: Hitl) -> None:
    a_log(hitl)
    with patch("flow_hitl.proof.verify_log._CHAINS", 1):
        answer = hitl.api("GET", audit_path(hitl, "/verify")).json
        while answer["next_cursor"]:
            answer = hitl.api("GET", audit_path(hitl, f"/verify?cursor={answer['next_cursor']}")).json
    assert answer["digests"] == 0
    assert answer["conclusion"].startswith("Nothing was changed")


def test_a_log_that_was_never_sealed_is_verified_by_its_chains(hitl: Hitl) -> None:
    hitl.ask(emit=EMIT)
    hitl.reply("approved")
    verified = verify(hitl)
    assert (verified["findings"], verified["digests"], verified["sealed_until"]) == ([], 0, None)
    assert verified["events"] == len(table(hitl))


def test_requests_that_are_not_sealed_cost_no_look_at_the_digests_each(hitl: Hitl) -> None:
    def listings() -> int:
        with watched(hitl) as calls:
            assert named(hitl) == set()
        return calls.operations.count("s3.ListObjectVersions")

    hitl.ask(emit=EMIT)
    listings_of_one = listings()
    for _ in range(9):
        hitl.clock.sleep(1)
        hitl.ask(emit=EMIT)
    assert listings() == listings_of_one


def test_a_part_of_the_time_can_be_verified(hitl: Hitl) -> None:
    a_log(hitl)
    sealed = verify(hitl, "to=2026-01-15T00:00:00Z")
    fresh = verify(hitl, "from=2026-01-15T00:00:00Z")
    assert (sealed["findings"], sealed["digests"], fresh["findings"], fresh["digests"]) == ([], 1, [], 0)
    assert sealed["events"] + fresh["events"] == len(table(hitl))


def put(hitl: Hitl, event: dict[str, Any], **changes: Any) -> None:
    """Write an event over the one that stands there, past everything that forbids it; with a hash that fits."""
    changed = {**event, **changes}
    data = changed["data"]
    shown = {**changed, "seq": int(changed["seq"]), "data": json.loads(data)}
    hitl._clients["dynamodb"].put_item(TableName="audit", Item=item({**changed, "hash": event_hash(shown)}))


def remove(hitl: Hitl, event: dict[str, Any]) -> None:
    key = item({"subject": event["subject"], "seq": event["seq"]})
    hitl._clients["dynamodb"].delete_item(TableName="audit", Key=key)


def chain_of(hitl: Hitl, request: AskedRequest) -> list[dict[str, Any]]:
    found = [event for event in map(record, table(hitl)) if event["subject"] == f"request#{request.id}"]
    return sorted(found, key=lambda event: int(event["seq"]))


LENGTH = 4  # created, notified, answered, confirmed


def tampered(kind: str) -> Callable[[Hitl, list[dict[str, Any]], int], None]:
    def edit(hitl: Hitl, chain: list[dict[str, Any]], place: int) -> None:
        hitl._clients["dynamodb"].put_item(TableName="audit", Item=item({**chain[place], "actor": "somebody"}))

    def forge(hitl: Hitl, chain: list[dict[str, Any]], place: int) -> None:
        put(hitl, chain[place], data=canonical_json({"forged": True}))

    def nonsense(hitl: Hitl, chain: list[dict[str, Any]], place: int) -> None:
        hitl._clients["dynamodb"].put_item(
            TableName="audit", Item=item({**chain[place], "data": "{", "kind": "no_kind"})
        )

    def delete(hitl: Hitl, chain: list[dict[str, Any]], place: int) -> None:
        remove(hitl, chain[place])

    def cut(hitl: Hitl, chain: list[dict[str, Any]], place: int) -> None:
        for event in chain[place:]:
            remove(hitl, event)

    def exchange(hitl: Hitl, chain: list[dict[str, Any]], place: int) -> None:
        other = chain[place - 1]
        members = ("event_id", "kind", "actor", "data")
        put(hitl, chain[place], **{name: other[name] for name in members})
        put(hitl, other, **{name: chain[place][name] for name in members})

    return {"edit": edit, "forge": forge, "nonsense": nonsense, "delete": delete, "cut": cut, "exchange": exchange}[
        kind
    ]


@pytest.mark.exhaustive(8, "which", "place", "kind")
@pytest.mark.parametrize("which", ["sealed", "fresh"])
@pytest.mark.parametrize("place", range(LENGTH))
@pytest.mark.parametrize("kind", ["edit", "forge", "nonsense", "delete", "cut", "exchange"])
def test_what_is_changed_in_the_table_is_named(hitl: Hitl, kind: str, place: int, which: str) -> None:
    sealed, fresh = a_log(hitl)
    request = sealed if which == "sealed" else fresh
    chain = chain_of(hitl, request)
    assert len(chain) == LENGTH
    tampered(kind)(hitl, chain, place)
    found = named(hitl)
    assert {record.partition(" event")[0] for _, record in found} == {f"request#{request.id}"}
    assert f"request#{request.id} event {place + 1}" in {record for _, record in found}


@pytest.mark.parametrize("which", ["sealed", "fresh"])
def test_an_event_that_is_added_is_named(hitl: Hitl, which: str) -> None:
    sealed, fresh = a_log(hitl)
    request = sealed if which == "sealed" else fresh
    last = chain_of(hitl, request)[-1]
    subject, seq = last["subject"], int(last["seq"]) + 1
    day_key = last["day_key"].replace(f"#{seq - 1:06d}", f"#{seq:06d}")
    put(hitl, last, seq=seq, prev_hash=last["hash"], event_id="forged", day_key=day_key)
    assert ("inserted", f"{subject} event {seq}") in named(hitl)


@pytest.mark.parametrize("which", ["sealed", "fresh"])
def test_a_request_that_never_was_is_named(hitl: Hitl, which: str) -> None:
    sealed, fresh = a_log(hitl)
    request = sealed if which == "sealed" else fresh
    first = chain_of(hitl, request)[0]
    forged = "00000000-0000-7000-8000-00000000feed"
    put(hitl, first, subject=f"request#{forged}", day_key=first["day_key"].replace(request.id, forged))
    found = named(hitl)
    assert ("inserted", f"request#{forged} event 1") in found
    assert {record for _, record in found} == {f"request#{forged} event 1"}


@pytest.mark.parametrize("missing", ["hash", "data", "kind", "prev_hash", "event_id", "actor"])
def test_rubbish_in_the_table_is_named_and_stops_nothing(hitl: Hitl, missing: str) -> None:
    a_log(hitl)
    first = chain_of(hitl, two_days(hitl)[1])[0]
    kept = {name: value for name, value in first.items() if name != missing}
    day_key = first["day_key"].rpartition("#request#")[0]
    for subject in ("request#", "request#x", "x", "deployment#99"):
        rubbish = {**kept, "subject": subject, "day_key": f"{day_key}#{subject}#000001"}
        hitl._clients["dynamodb"].put_item(TableName="audit", Item=item(rubbish))
    odd = {**kept, "subject": "request#odd", "day_key": "rubbish"}
    hitl._clients["dynamodb"].put_item(TableName="audit", Item=item(odd))
    found = {record for _, record in named(hitl)}
    assert found == {f"{subject} event 1" for subject in ("request#", "request#x", "x", "deployment#99")}
    assert hitl.api("GET", audit_path(hitl, "?limit=200")).status == 200
    by_schedule(hitl)


def test_the_first_event_of_all_may_be_rubbish_too(hitl: Hitl) -> None:
    a_log(hitl)
    own = next(
        event
        for event in map(record, table(hitl))
        if (event["subject"], int(event["seq"])) == (f"deployment#{hitl.deployment_id}", 1)
    )
    hitl._clients["dynamodb"].put_item(TableName="audit", Item=item({**own, "at": "never"}))
    assert ("edited", f"deployment#{hitl.deployment_id} event 1") in named(hitl)


def test_a_change_of_the_configuration_is_watched_as_well(hitl: Hitl) -> None:
    hitl.configure(settings={"sla_target_minutes": 5})
    by_schedule(hitl)
    own = [event for event in map(record, table(hitl)) if event["subject"] == f"deployment#{hitl.deployment_id}"]
    remove(hitl, max(own, key=lambda event: int(event["seq"])))
    assert named(hitl) == {("missing", f"deployment#{hitl.deployment_id} event {len(own)}")}


def _rewrite(hitl: Hitl, until: str, signed: dict[str, Any]) -> None:
    hitl._clients["s3"].put_object(Bucket="seals", Key=f"digests/{until}.json", Body=json.dumps(signed).encode())


def test_a_digest_that_is_written_over_is_named(hitl: Hitl) -> None:
    a_log(hitl)
    ((until, signed),) = digests(hitl).items()
    _rewrite(hitl, until, {**signed, "digest": {**signed["digest"], "deployments": {}}})
    assert ("digest_invalid", f"digest until {until}") in named(hitl)


def test_what_is_no_digest_any_more_is_named(hitl: Hitl) -> None:
    a_log(hitl)
    (until,) = digests(hitl)
    _rewrite(hitl, until, {})
    assert "digest_invalid" in {kind for kind, _ in named(hitl)}


def lose(until: str) -> None:
    """Remove a digest with all of its versions, as only those can who are above Object Lock."""
    from moto.s3.models import s3_backends

    del s3_backends[ACCOUNT]["aws"].buckets["seals"].keys[f"digests/{until}.json"]


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("how", ["hidden", "lost"])
def test_a_digest_that_is_not_there_is_named(hitl: Hitl, place: int, how: str) -> None:
    hitl.ask(emit=EMIT)
    hitl.advance(days=4)
    by_schedule(hitl)
    until = list(digests(hitl))[place]
    if how == "lost":
        lose(until)
    else:
        # Object Lock keeps the version; who may, can still lay a marker over it.
        hitl._clients["s3"].delete_object(Bucket="seals", Key=f"digests/{until}.json")
    kind = "digest_missing" if how == "lost" else "digest_invalid"
    assert (kind, f"digest until {until}") in named(hitl)


def test_the_seal_goes_on_after_a_digest_that_somebody_hides(hitl: Hitl) -> None:
    hitl.ask(emit=EMIT)
    hitl.advance(days=1)
    by_schedule(hitl)
    hidden = list(digests(hitl))[-1]
    hitl._clients["s3"].delete_object(Bucket="seals", Key=f"digests/{hidden}.json")
    hitl.advance(days=1)
    by_schedule(hitl)
    assert next(iter(digests(hitl).values()))["digest"]["from"] == hidden
    assert named(hitl) == {("digest_invalid", f"digest until {hidden}")}


def test_a_section_that_is_written_over_is_named(hitl: Hitl) -> None:
    a_log(hitl)
    s3 = hitl._clients["s3"]
    (entry,) = s3.list_objects_v2(Bucket="seals", Prefix="sections/")["Contents"]
    s3.put_object(Bucket="seals", Key=entry["Key"], Body=b"{}\n")
    (until,) = digests(hitl)
    assert ("digest_invalid", f"digest until {until}") in named(hitl)


def test_a_digest_of_another_key_is_not_believed(hitl: Hitl) -> None:
    a_log(hitl)
    ((until, signed),) = digests(hitl).items()
    kms = hitl._clients["kms"]
    other = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
    public_key = kms.get_public_key(KeyId=other)["PublicKey"]
    digest = {**signed["digest"], "key": fingerprint(public_key)}
    message = f"flow-hitl/audit-digest/2 {sha256(canonical_json(digest))}".encode()
    signature = kms.sign(KeyId=other, Message=message, MessageType="RAW", SigningAlgorithm="ECDSA_SHA_256")["Signature"]
    _rewrite(hitl, until, {"digest": digest, "signature": base64.b64encode(signature).decode()})
    assert named(hitl) == {("digest_invalid", f"digest until {until}")}


def test_a_seal_that_is_overdue_is_said(hitl: Hitl) -> None:
    hitl.ask(emit=EMIT)
    hitl.clock.sleep(2 * 3600)
    assert verify(hitl)["findings"] == []
    hitl.advance(days=1)
    assert named(hitl) == {("digest_missing", "digest until 2026-01-15T00:00:00Z")}


def test_one_can_seal_what_has_happened_until_now(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    hitl.seal()
    hitl.reply("approved")
    hitl.seal()
    hitl.advance(days=1)
    by_schedule(hitl)
    assert len(digests(hitl)) == 3
    assert verify(hitl)["findings"] == []
    chain = chain_of(hitl, request)
    put(hitl, chain[2], actor="somebody")
    assert ("replaced", f"request#{request.id} event 3") in named(hitl)


def test_the_digests_begin_with_the_first_day_of_all(hitl: Hitl) -> None:
    hitl.seal()
    (signed,) = digests(hitl).values()
    assert signed["digest"]["from"] == START.strftime("%Y-%m-%dT00:00:00Z")
    assert signed["digest"]["previous"] is None
