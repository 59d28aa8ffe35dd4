"""How the service verifies a log: what each change to a record, an event, or a digest is called."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest

from flow_hitl.audit.bound import bound_digest
from flow_hitl.audit.chain import EventKind
from flow_hitl.audit.index import IndexedEvent
from flow_hitl.audit.read_audit import Range
from flow_hitl.platform.cursors import encode_cursor
from flow_hitl.platform.errors import NotAsLogged, NotFound, ValidationFailed
from flow_hitl.platform.times import parse_rfc3339, rfc3339
from flow_hitl.proof.ports import OVERLAID
from flow_hitl.proof.verify_audit import OVERDUE, fingerprint, pem
from flow_hitl.requests.request import Attachment, MediaType
from tests.support import examples
from tests.support.audit_logs import SIGNER, Signer
from tests.support.verified_logs import (
    DEPLOYMENT,
    HOOK,
    MIDNIGHT,
    NOON,
    OWN,
    Place,
    make_place,
    rehash,
    request_id,
    webhook_record,
    webhook_shown,
)

DAY = timedelta(days=1)
FIRST, SECOND = rfc3339(MIDNIGHT), rfc3339(MIDNIGHT + DAY)
Finding = tuple[str, str, str]


@pytest.fixture
def place() -> Place:
    return make_place()


# --- without a change


def test_an_untouched_log_is_verified_and_counted(place: Place) -> None:
    (said,) = place.verified()
    assert said.findings == []
    assert (said.events, said.chains, said.digests, said.unsealed, said.erased) == (10, 6, 2, 2, 0)
    assert (said.sealed, said.sealed_until) == (True, SECOND)


@pytest.mark.parametrize("chains", [1, 2, 3, 5])
@pytest.mark.parametrize("digests", [1, 40])
def test_many_calls_come_to_what_one_does(place: Place, chains: int, digests: int) -> None:
    with patch("flow_hitl.proof.verify_log._CHAINS", chains), patch("flow_hitl.proof.verify_log._DIGESTS", digests):
        said = place.verified()
    assert [finding for one in said for finding in one.findings] == []
    assert sum(one.events for one in said) == 10
    assert sum(one.unsealed for one in said) == 2
    assert len(said) > 1
    assert all(one.chains <= chains for one in said)
    assert all(one.digests <= digests for one in said)
    assert max(one.sealed_until for one in said if one.sealed_until) == SECOND
    assert said[-1].sealed


def test_a_call_does_no_more_than_fits(place: Place) -> None:
    for number in range(5, 255):
        place.ask(number)
    said = place.verified()
    # The digests' four, and as many of what is not sealed as are read at a time.
    assert (said[0].chains, [one.unsealed for one in said]) == (204, [200, 52, 0])
    assert all(one.chains <= 204 for one in said)
    assert sum(one.events for one in said) == 10 + 250
    assert [one.findings for one in said] == [[], [], []]


def test_so_many_digests_are_read_by_one_call() -> None:
    place = make_place()
    for day in range(1, 45):
        place.seal(MIDNIGHT + day * DAY, MIDNIGHT + (day + 1) * DAY)
    place.clock.moment = MIDNIGHT + 45 * DAY
    said = place.verified()
    assert [(one.digests, one.findings) for one in said] == [(40, []), (6, [])]


def test_a_log_that_was_never_sealed_is_not_called_sealed() -> None:
    place = Place()
    place.create()
    place.ask(1)
    (said,) = place.verified()
    assert (said.sealed, said.digests, said.sealed_until, said.unsealed) == (False, 0, None, 2)


def test_a_part_of_the_time_is_verified_by_its_digests_alone(place: Place) -> None:
    (said,) = place.verified(since=MIDNIGHT, to=MIDNIGHT + DAY)
    assert (said.findings, said.digests, said.chains, said.sealed_until) == ([], 1, 2, SECOND)
    (said,) = place.verified(to=MIDNIGHT)
    assert (said.findings, said.digests, said.unsealed, said.sealed_until) == ([], 1, 0, FIRST)
    (said,) = place.verified(since=MIDNIGHT + DAY)
    assert (said.findings, said.digests, said.events, said.unsealed, said.sealed) == ([], 0, 2, 2, False)


def test_contents_that_were_erased_are_counted_once(place: Place) -> None:
    content = examples.CONTENT
    left = replace(content, message="", output=None)
    said = {"kept_sha256": bound_digest(content), "left_sha256": bound_digest(left)}
    place.go_on(1, EventKind.CONTENT_ERASED, said)
    kept = place.requests.records[request_id(1)]
    place.requests.records[request_id(1)] = replace(kept, content=left)
    place.go_on(1)
    assert [one.erased for one in place.verified()] == [1]
    assert place.findings() == []


def test_a_request_that_is_not_sealed_is_not_looked_for_among_the_digests_again(place: Place) -> None:
    for number in range(5, 9):
        place.ask(number)
    place.verified()
    listings = place.seals.listings
    for number in range(9, 30):
        place.ask(number)
    place.seals.listings = 0
    place.verified()
    assert place.seals.listings == listings


def test_whole_records_are_read_only_where_their_chain_is(place: Place) -> None:
    place.verified()
    assert place.requests.whole[-2:] == [False, True] or place.requests.whole[-1] is False


def test_what_happens_while_the_chain_is_read_is_no_forgery(place: Place) -> None:
    before = place.requests.records[request_id(4)]
    place.go_on(4)
    place.requests.now_stored[request_id(4)] = place.requests.records[request_id(4)]
    place.requests.records[request_id(4)] = before
    assert place.findings() == []


def test_a_configuration_that_changes_while_the_log_is_read_is_no_forgery(place: Place) -> None:
    verify, read = place.verifier(), len(place.own)
    place.change(EventKind.SETTINGS_CHANGED, {}, {"name": "late"})
    place.clock.moment += timedelta(minutes=1)
    place.ask(5)
    chain = place.audit.chain
    begun = iter([place.own[:read]])
    with patch.object(place.audit, "chain", lambda subject: next(begun, None) or chain(subject)):
        said = verify(DEPLOYMENT, Range(NOON.replace(hour=0), place.clock.moment), None)
    assert not any("never had" in finding.detail for finding in said.findings)


# --- where a log begins


def test_a_log_begins_on_the_day_of_its_first_event_or_digest(place: Place) -> None:
    begin = place.verifier().beginning
    assert begin(DEPLOYMENT) == NOON.replace(hour=0)
    place.own[0]["at"] = "2026-01-15T09:00:00Z"
    assert begin(DEPLOYMENT) == NOON.replace(hour=0)
    place.own[0]["at"] = "2026-01-10T09:00:00Z"
    assert begin(DEPLOYMENT) == NOON.replace(hour=0, day=10)


@pytest.mark.parametrize("at", ["2099-01-01T00:00:00Z", None])
@pytest.mark.parametrize(
    "digest", [{}, {"digest": {}}, {"digest": {"from": "never"}}, {"digest": {"from": None}}, None]
)
def test_without_either_it_began_yesterday(place: Place, at: str | None, digest: Any) -> None:
    if at is None:
        del place.own[0]
    else:
        place.own[0]["at"] = at
    place.seals.digests.clear()
    if digest is not None:
        place.seals.digests[FIRST] = digest
    assert place.verifier().beginning(DEPLOYMENT) == MIDNIGHT


def test_an_event_of_this_moment_is_not_of_the_future(place: Place) -> None:
    place.clock.moment = NOON
    place.seals.digests.clear()
    assert place.verifier().beginning(DEPLOYMENT) == NOON.replace(hour=0)


# --- what a forger does

Forgery = Callable[[Place], Any]
FORGERIES: dict[str, tuple[Forgery, list[Finding]]] = {}


def named(*expected: Finding) -> Callable[[Forgery], Forgery]:
    def added(forge: Forgery) -> Forgery:
        FORGERIES[forge.__name__] = forge, sorted(expected)
        return forge

    return added


CONFIGURATION = "does not match the stored configuration"
MISSING_CONFIGURATION = "describes a configuration that is missing or cannot be read"
STATE = "does not match the stored state of the request"
FORGED = Signer()
NOT_IN_THE_SECOND = f"is dated 2026-01-15T12:00:00Z, but the digest until {SECOND} does not list it"


@named(("record_changed", "own event 3", CONFIGURATION))
def a_changed_configuration(place: Place) -> None:
    place.deployments.found = replace(examples.deployment(), **kept(place) | {"creator_email": "m@example.com"})


def kept(place: Place) -> dict[str, Any]:
    return dict(vars(place.deployments.load(DEPLOYMENT)))


@named(("record_changed", "own event 3", CONFIGURATION))
def another_time_of_the_last_change(place: Place) -> None:
    place.deployments.found = replace(place.deployments.load(DEPLOYMENT), audit_at=NOON - timedelta(seconds=1))


@named(("record_changed", "own event 3", MISSING_CONFIGURATION))
def a_configuration_that_is_gone(place: Place) -> None:
    place.deployments.found = NotFound("none")


@named(("record_changed", "own event 3", MISSING_CONFIGURATION))
def a_configuration_that_cannot_be_read(place: Place) -> None:
    place.deployments.found = NotAsLogged("changed")


@named(("inserted", "own event 3", f"should not exist: {OWN} should have 2 events"))
def a_configuration_that_knows_fewer_events(place: Place) -> None:
    place.deployments.found = replace(place.deployments.load(DEPLOYMENT), audit_seq=2)


@named(("missing", "own event 4", f"is missing: {OWN} should have 4 events"))
def a_configuration_that_knows_more_events(place: Place) -> None:
    place.deployments.found = replace(place.deployments.load(DEPLOYMENT), audit_seq=4)


@named(("replaced", "own event 3", f"is not the last event that {OWN} recorded"))
def a_configuration_that_ends_otherwise(place: Place) -> None:
    place.deployments.found = replace(place.deployments.load(DEPLOYMENT), audit_hash="1" * 64)


@named(("record_changed", "own event 3", "is odd"), ("record_changed", "own event 3", "is odder"))
def a_record_of_the_configuration_that_is_odd_by_itself(place: Place) -> None:
    place.deployments.said = ["is odd", "is odder"]


@named(("record_changed", "own event 2", "is filed as another"))
def an_event_of_the_deployment_filed_as_another(place: Place) -> None:
    place.own[1]["misfiled"] = ["is filed as another"]


@named(("record_changed", "r1 event 2", "is filed as another"))
def an_event_filed_as_another(place: Place) -> None:
    place.events(1)[1]["misfiled"] = ["is filed as another"]


# --- webhooks

HOOK_CHANGED = f"does not match the stored webhook {HOOK}"


@named(("record_changed", "own event 3", HOOK_CHANGED))
def a_webhook_led_elsewhere(place: Place) -> None:
    place.webhooks.records[HOOK] = webhook_record(url="https://evil.example/")


@named(("record_changed", "own event 3", HOOK_CHANGED))
def a_webhook_that_is_gone(place: Place) -> None:
    place.webhooks.records.clear()


@named(("record_changed", "own event 3", f"does not match the stored webhook wh_{'b' * 32}"))
def a_webhook_that_nobody_made(place: Place) -> None:
    other = f"wh_{'b' * 32}"
    place.webhooks.records[other] = webhook_record(other)


@named(("record_changed", "own event 3", HOOK_CHANGED))
def a_webhook_that_no_json_holds(place: Place) -> None:
    place.webhooks.records[HOOK] = {"doc": {"B": b"\xff"}}


@named(("record_changed", "own event 3", HOOK_CHANGED))
def a_webhook_with_a_number_that_is_none(place: Place) -> None:
    place.webhooks.records[HOOK] = {"doc": {"N": float("nan")}}


@named(("record_changed", "own event 4", HOOK_CHANGED))
def a_webhook_that_was_deleted_and_is_back(place: Place) -> None:
    change_late(place, EventKind.WEBHOOK_DELETED, webhook_shown(), None)
    place.webhooks.records[HOOK] = webhook_record()


@named(("record_changed", "own event 4", f"followed on another state of the webhook {HOOK} than was left before"))
def a_webhook_that_was_renamed_in_between(place: Place) -> None:
    record = webhook_record(url="https://app.example.com/2")
    change_late(place, EventKind.WEBHOOK_CHANGED, webhook_shown(name="Other"), webhook_shown(name="Jira 2"), record)


@named(("record_changed", "own event 5", f"followed on another state of the webhook {HOOK} than was left before"))
def a_webhook_that_was_renamed_after_it_was_changed(place: Place) -> None:
    record = webhook_record(url="https://app.example.com/2")
    change_late(place, EventKind.WEBHOOK_CHANGED, webhook_shown(), webhook_shown(name="Jira 2"), record)
    change_late(place, EventKind.WEBHOOK_SECRET_ROTATED, webhook_shown(), webhook_shown(), record)


def change_late(place: Place, kind: EventKind, before: Any, after: Any, record: Any = None) -> None:
    place.change(kind, before, after, record)
    if record:
        place.webhooks.records[HOOK] = record
    elif after is None:
        place.webhooks.records.clear()


@pytest.mark.parametrize("kind", ["webhook_changed", "webhook_secret_rotated"])
def test_a_webhook_that_is_changed_is_the_one_of_its_last_event(place: Place, kind: str) -> None:
    record = webhook_record(url="https://app.example.com/2")
    change_late(place, EventKind(kind), webhook_shown(), webhook_shown(name="Jira 2"), record)
    assert place.findings() == []
    place.webhooks.records[HOOK] = webhook_record()
    assert place.findings() == [("record_changed", "own event 4", HOOK_CHANGED)]


def test_a_webhook_that_is_deleted_is_gone(place: Place) -> None:
    change_late(place, EventKind.WEBHOOK_DELETED, webhook_shown(), None)
    assert place.findings() == []


def test_webhooks_of_before_records_were_bound_are_not_compared(place: Place) -> None:
    last = place.own[-1]
    del last["data"]["record_sha256"]
    place.own[-1] = last
    rehash(place.own, 2)
    place.deployments.found = replace(place.deployments.load(DEPLOYMENT), audit_hash=last["hash"])
    place.webhooks.records[HOOK] = webhook_record(url="https://elsewhere.example/")
    assert not [one for one in place.findings() if "webhook" in one[2]]


def test_what_else_names_something_by_an_id_is_no_webhook(place: Place) -> None:
    place.change(EventKind.API_KEY_ISSUED, None, {"id": "k1"})
    place.change(EventKind.API_KEY_REVOKED, {"id": "k1"}, None)
    assert place.findings() == []


@named(
    ("edited", "own event 2", "lacks a required field"),
    ("missing", "own event 2", "is missing: event 3 follows event 1"),
)
def an_event_of_the_deployment_without_data(place: Place) -> None:
    place.own[1]["data"] = "{"


# --- requests


@named(("record_changed", "r1 event 3", STATE))
def another_state_of_a_sealed_request(place: Place) -> None:
    place.head(1, flow_id="flow_other")


@named(("record_changed", "r4 event 2", STATE))
def another_state_of_a_fresh_request(place: Place) -> None:
    place.head(4, flow_id="flow_other")


@named(
    ("record_changed", "r1 event 3", STATE),
    ("inserted", "r1 event 3", f"is dated 2026-01-14T13:00:00Z, but the digest until {FIRST} does not list it"),
)
def a_last_event_dated_into_another_period(place: Place) -> None:
    place.head(1, last_event_at=NOON + timedelta(hours=1))


@named(
    ("record_changed", "r1 event 3", f"is not the last event that the digest until {SECOND} lists"),
    ("replaced", "r1 event 3", "is not the last event that request#" + request_id(1) + " recorded"),
)
def a_head_that_ends_otherwise(place: Place) -> None:
    place.head(1, last_hash="1" * 64)


@named(
    ("inserted", "r1 event 3", "should not exist: request#" + request_id(1) + " should have 2 events"),
    ("inserted", "r1 event 2", NOT_IN_THE_SECOND),
)
def a_head_of_one_event_less(place: Place) -> None:
    place.head(1, seq=2)


@named(
    ("missing", "r1 event 4", "is missing: request#" + request_id(1) + " should have 4 events"),
    ("inserted", "r1 event 4", NOT_IN_THE_SECOND),
)
def a_head_of_one_event_more(place: Place) -> None:
    place.head(1, seq=4)


@named(
    ("record_changed", "r1 event 1", "belongs to a request whose record cannot be read"),
    ("record_changed", "r1 event 3", "is junk"),
)
def a_head_that_cannot_be_read(place: Place) -> None:
    stored = place.requests.records[request_id(1)]
    place.requests.records[request_id(1)] = replace(stored, head=None, unreadable=("is junk",))


@named(("inserted", "r2 event 1", "belongs to a request that does not exist"))
def a_request_that_is_gone_with_its_lists(place: Place) -> None:
    del place.requests.records[request_id(2)], place.requests.opened[request_id(2)]


@named(
    ("inserted", "r2 event 1", "belongs to a request that does not exist"),
    ("record_changed", "r2 event 1", "belongs to a request whose record cannot be read"),
)
def a_request_that_is_gone_but_listed(place: Place) -> None:
    del place.requests.records[request_id(2)]


@named(
    ("inserted", "r2 event 1", "belongs to a request of deployment 999"),
    ("record_changed", "r2 event 1", STATE),
)
def a_request_of_another_deployment(place: Place) -> None:
    place.head(2, deployment_id=999)


@named(("record_changed", "r1 event 2", "does not match the stored answer: outcome"))
def another_answer(place: Place) -> None:
    stored = place.requests.records[request_id(1)]
    assert stored.response is not None
    place.requests.records[request_id(1)] = replace(stored, response=replace(stored.response, outcome="rejected"))


@named(
    ("record_changed", "r1 event 1", "does not match the stored content"),
    ("record_changed", "r1 event 2", "does not match the stored content"),
)
def another_content(place: Place) -> None:
    stored = place.requests.records[request_id(1)]
    place.requests.records[request_id(1)] = replace(stored, content=replace(examples.CONTENT, message="Pay?"))


@named(("record_changed", "r4 event 1", "names a configuration that the deployment never had"))
def a_request_of_a_configuration_that_never_was(place: Place) -> None:
    forge_first(place, {"seq": 3, "hash": "1" * 64})


@named(("record_changed", "r4 event 1", "names a configuration that the deployment never had"))
def a_request_of_a_configuration_of_another_place(place: Place) -> None:
    forge_first(place, {"seq": 2, "hash": place.own[2]["hash"]})


def forge_first(place: Place, configuration: Any) -> None:
    """Let the fresh request say that it was opened under another configuration, with all the hashes that fit."""
    events = place.events(4)
    events[0]["data"]["configuration"] = configuration
    rehash(events)
    place.head(4, last_hash=events[-1]["hash"])


@pytest.mark.parametrize("configuration", [{"seq": 0, "hash": "0" * 64}, None, "1", {"seq": 1}])
def test_a_request_of_before_configurations_had_a_log_is_no_forgery(place: Place, configuration: Any) -> None:
    forge_first(place, configuration)
    wrong = [("record_changed", "r4 event 1", "names a configuration that the deployment never had")]
    assert place.findings() == (wrong if configuration == {"seq": 1} else [])


@named(("record_changed", "r5 event 1", f"is of a request whose attachment {'a' * 64} is missing, or was changed"))
def an_attachment_that_is_gone(place: Place) -> None:
    files = tuple(Attachment(f"{one}.png", MediaType.PNG, 1, one * 64) for one in "ab")
    place.ask(5, content=replace(examples.CONTENT, attachments=files))
    assert place.findings() == []
    place.attachments.lost.add("a" * 64)


# --- chains


@named(
    ("missing", "r2 event 1", f"is missing: the digest until {FIRST} lists events up to 1"),
    ("missing", "r2 event 1", "is missing: request#" + request_id(2) + " should have 1 events"),
)
def a_chain_that_is_gone(place: Place) -> None:
    place.audit.chains.pop(f"request#{request_id(2)}")


@named(("missing", "r4 event 1", "is missing: the chain starts with event 2"))
def the_first_event_of_a_fresh_request_removed(place: Place) -> None:
    place.events(4).pop(0)


@named(("missing", "r4 event 2", "is missing: request#" + request_id(4) + " should have 2 events"))
def the_last_event_of_a_fresh_request_removed(place: Place) -> None:
    place.events(4).pop()


@named(
    *(
        (
            "missing",
            f"r4 event {seq}",
            f"is missing, like all from 1 to 2: request#{request_id(4)} should have 2 events",
        )
        for seq in (1, 2)
    )
)
def a_fresh_request_without_events(place: Place) -> None:
    place.audit.chains.pop(f"request#{request_id(4)}")


@named(("edited", "r4 event 3", "is dated 2026-01-17T00:40:00Z, in the future"))
def an_event_of_the_future(place: Place) -> None:
    place.clock.moment += timedelta(days=1)
    place.go_on(4)
    place.clock.moment -= timedelta(days=1)


@named(("inserted", "r5 event 1", f"is dated 2026-01-15T06:00:00Z, but the digest until {SECOND} does not list it"))
def a_request_added_to_what_is_sealed(place: Place) -> None:
    moment, place.clock.moment = place.clock.moment, MIDNIGHT + timedelta(hours=6)
    place.ask(5)
    place.clock.moment = moment


@named(("inserted", "r5 event 1", f"is dated 2026-01-15T06:00:00Z, but the digest until {SECOND} does not list it"))
def a_request_added_to_what_is_sealed_and_hidden(place: Place) -> None:
    a_request_added_to_what_is_sealed(place)
    place.hide(5)


@named(("inserted", "r5 event 1", f"is dated 2026-01-15T06:00:00Z, but the digest until {SECOND} does not list it"))
def a_chain_added_to_what_is_sealed_without_its_request(place: Place) -> None:
    a_request_added_to_what_is_sealed(place)
    del place.requests.opened[request_id(5)]


# --- digests


@named(
    ("digest_invalid", f"digest until {FIRST}", "has an invalid signature"),
)
def a_digest_of_somebody_else(place: Place) -> None:
    place.seals.digests[FIRST] = FORGED.sign(place.seals.digests[FIRST]["digest"])


@named(
    ("digest_invalid", f"digest until {FIRST}", f"names the key {fingerprint(FORGED.public)}, which is not trusted"),
    ("digest_invalid", f"digest until {FIRST}", f"is not the one that the digest until {SECOND} was chained to"),
)
def a_digest_of_another_key(place: Place) -> None:
    digest = place.seals.digests[FIRST]["digest"] | {"key": fingerprint(FORGED.public)}
    place.seals.digests[FIRST] = FORGED.sign(digest)


@named(
    (
        "digest_invalid",
        f"digest until {FIRST}",
        "was deleted, or others were laid over it: the first one is verified here",
    ),
)
def a_digest_that_was_deleted(place: Place) -> None:
    place.seals.digests[FIRST] |= {OVERLAID: True}


@named(
    ("digest_missing", f"digest until {FIRST}", f"is missing: the digest until {SECOND} follows it"),
)
def a_digest_that_is_gone(place: Place) -> None:
    del place.seals.digests[FIRST]


@named(
    ("digest_missing", f"digest until {SECOND}", "lists a section for this deployment, which is missing"),
    *(
        (
            "inserted",
            f"r{request} event {seq}",
            NOT_IN_THE_SECOND,
        )
        for request, seq in ((1, 3), (3, 1))
    ),
)
def a_section_that_is_gone(place: Place) -> None:
    del place.seals.sections[SECOND]


@named(
    ("digest_invalid", f"digest until {SECOND}", "does not match its section for this deployment"),
    *(
        (
            "inserted",
            f"r{request} event {seq}",
            NOT_IN_THE_SECOND,
        )
        for request, seq in ((1, 3), (3, 1))
    ),
)
def a_section_that_was_changed(place: Place) -> None:
    place.seals.sections[SECOND] += b"\n"


@named(
    (
        "file_changed",
        f"file keys/{fingerprint(SIGNER.public)}.pem",
        "is missing, or is not the key that signed the digests",
    )
)
def a_published_key_that_is_gone(place: Place) -> None:
    place.seals.keys.clear()


@named(
    (
        "file_changed",
        f"file keys/{fingerprint(SIGNER.public)}.pem",
        "is missing, or is not the key that signed the digests",
    )
)
def a_published_key_of_somebody_else(place: Place) -> None:
    place.seals.keys[fingerprint(SIGNER.public)] = pem(FORGED.public).encode()


@pytest.mark.parametrize("name", FORGERIES)
def test_each_forgery_is_named_for_what_it_is(place: Place, name: str) -> None:
    forge, expected = FORGERIES[name]
    forge(place)
    assert place.findings() == expected


@pytest.mark.exhaustive(4)
@pytest.mark.parametrize("name", FORGERIES)
def test_it_is_named_as_well_if_each_call_does_but_little(place: Place, name: str) -> None:
    FORGERIES[name][0](place)
    with patch("flow_hitl.proof.verify_log._CHAINS", 1), patch("flow_hitl.proof.verify_log._DIGESTS", 1):
        assert {finding[:2] for finding in place.findings()} >= {finding[:2] for finding in FORGERIES[name][1]}


# --- digests that are none, or missing at an end


IMPOSSIBLE: dict[str, dict[str, Any]] = {
    "nothing": {},
    "a list for a digest": {"digest": [], "signature": ""},
    "a text for a digest": {"digest": "x", "signature": ""},
    "no beginning": {"digest": {"until": SECOND}, "signature": ""},
    "a beginning that is none": {"digest": {"until": SECOND, "from": 1, "previous": "x"}, "signature": ""},
    "a beginning in half a character": {"digest": {"from": "\ud800", "previous": "x"}, "signature": ""},
}


@pytest.mark.parametrize("what", IMPOSSIBLE)
@pytest.mark.parametrize("name", ["2026-01-14T06:00:00Z", "2026-01-15T06:00:00Z", "zzz", "2026-02-31T00:00:00Z"])
def test_what_is_no_digest_is_named_and_what_follows_is_verified(place: Place, what: str, name: str) -> None:
    place.seals.digests[name] = dict(IMPOSSIBLE[what])
    found = place.findings()
    assert ("digest_invalid", f"digest until {name}", "cannot be read") in found
    assert {kind for kind, *_ in found} <= {"digest_invalid", "digest_missing"}
    said = place.verified()
    assert (said[-1].sealed_until, said[-1].events) == (SECOND, 10)


def test_a_digest_of_two_thousand_years_is_named_and_covers_nothing(place: Place) -> None:
    first = place.seals.digests[FIRST]["digest"]
    forged = first | {"from": "0001-01-01T00:00:00Z", "until": "2026-01-15T18:00:00Z", "deployments": {}}
    place.seals.digests["2026-01-15T18:00:00Z"] = FORGED.sign(forged)
    read: list[Any] = []
    indexed = place.audit.indexed

    def counted(period: Any, *others: Any, **more: Any) -> Any:
        read.append(period)
        return indexed(period, *others, **more)

    with patch.object(place.audit, "indexed", counted):
        found = place.findings()
    assert ("digest_invalid", "digest until 2026-01-15T18:00:00Z", "has an invalid signature") in found
    assert len(read) < 10, "nobody looks through two thousand years"


def test_a_digest_of_the_future_ends_the_search(place: Place) -> None:
    end = rfc3339(MIDNIGHT + 9 * DAY)
    place.seals.digests[end] = SIGNER.sign(place.seals.digests[SECOND]["digest"] | {"from": end, "until": end})
    (said,) = place.verified()
    assert (said.sealed_until, said.digests) == (SECOND, 2)


def test_digests_that_follow_none_are_missed(place: Place) -> None:
    place.seals.digests[SECOND] = SIGNER.sign(place.seals.digests[SECOND]["digest"] | {"previous": None})
    missing = ("digest_missing", f"digest until {FIRST}", f"is missing: the digest until {SECOND} is not the first")
    assert place.findings() == [missing]


def test_the_first_digest_may_be_chained_to_none(place: Place) -> None:
    place.seals.digests[FIRST] = SIGNER.sign(place.seals.digests[FIRST]["digest"] | {"previous": "1" * 64})
    before = rfc3339(NOON.replace(hour=0))
    found = place.findings()
    assert ("digest_missing", f"digest until {before}", f"is missing: the digest until {FIRST} follows it") in found


@pytest.mark.parametrize(
    "forged",
    [{}, {"digest": []}, {"digest": "x"}, {"digest": {}}, {"digest": {"until": 1}}, {"digest": {"until": "\ud800"}}],
    ids=ascii,
)
def test_a_digest_before_that_is_none_is_missed_by_the_next(place: Place, forged: Any) -> None:
    place.seals.digests[FIRST] = forged
    found = place.findings(since=MIDNIGHT, to=MIDNIGHT + DAY)
    assert found == [("digest_missing", f"digest until {FIRST}", f"is missing: the digest until {SECOND} follows it")]


def test_a_part_begins_with_what_the_digest_before_it_was(place: Place) -> None:
    place.seals.digests[FIRST] = SIGNER.sign(place.seals.digests[FIRST]["digest"] | {"sealed_at": FIRST[:-1]})
    found = place.findings(since=MIDNIGHT, to=MIDNIGHT + DAY)
    wrong = f"is not the one that the digest until {SECOND} was chained to"
    assert found == [("digest_invalid", f"digest until {FIRST}", wrong)]


@pytest.mark.parametrize(("hours", "is_late"), [(2, False), (3, True), (30, True)])
def test_the_next_digest_is_missed_when_it_is_late(place: Place, hours: int, is_late: bool) -> None:
    place.clock.moment = MIDNIGHT + 2 * DAY + timedelta(hours=hours)
    found = place.findings(to=place.clock.moment + timedelta(seconds=1))
    late = ("digest_missing", f"digest until {rfc3339(MIDNIGHT + 2 * DAY)}", OVERDUE)
    assert (late in found) == is_late or hours == 2
    assert set(found) <= {late}


def test_before_the_end_of_the_time_no_digest_is_missed(place: Place) -> None:
    place.clock.moment = MIDNIGHT + 9 * DAY
    assert place.findings(to=MIDNIGHT + DAY) == []
    assert place.findings(to=MIDNIGHT + 2 * DAY - timedelta(seconds=1), since=MIDNIGHT + DAY) != []


def test_without_any_digest_the_first_day_is_missed() -> None:
    place = make_place()
    place.seals.digests.clear()
    missed = [record for kind, record, _ in place.findings() if kind == "digest_missing"]
    assert missed == [f"digest until {FIRST}", f"digest until {SECOND}"]
    place.audit.index.clear()
    place.requests.opened.clear()
    assert [one for one in place.findings() if one[0] == "digest_missing"] == [
        ("digest_missing", f"digest until {FIRST}", OVERDUE)
    ]


def test_an_event_that_is_not_sealed_in_time_is_said_once(place: Place) -> None:
    place.clock.moment = MIDNIGHT + DAY + timedelta(hours=3, minutes=31)
    found = [one for said in place.verified() for one in said.findings]
    assert [(one.kind, one.digest, one.detail) for one in found] == [
        ("digest_missing", rfc3339(MIDNIGHT + 2 * DAY), OVERDUE)
    ]
    place.clock.moment = MIDNIGHT + DAY + timedelta(hours=3, minutes=30)
    assert place.findings() == []


# --- cursors


def test_days_without_events_take_calls_of_their_own(place: Place) -> None:
    place.clock.moment = MIDNIGHT + 250 * DAY
    place.ask(5)
    said = place.verified()
    assert len(said) == 3
    assert [one.unsealed for one in said] == [2, 0, 1]
    assert {one.kind for each in said for one in each.findings} == {"digest_missing"}


PLACES: list[Any] = [
    ["begin", "", "", 0, None, None],
    ["digests", "never", "", 0, None, None],
    ["digests", "", "x" * 1001, 0, None, None],
    ["digests", "", "\u00e4" * 501, 0, None, None],
    ["digests", "", "a\nb", 0, None, None],
    ["digests", "", "", "0", None, None],
    ["digests", "", "", 0, None],
    ["events", "", "", 0, ["2026-01-14T12:00:00Z"], None],
    ["events", "", "", 0, ["never", "", 0], None],
    ["events", "", "", 0, [1, "", 0], None],
    ["events", "", "", 0, ["2026-01-14T12:00:00Z", "request#x y", 1], None],
    ["events", "", "", 0, ["2026-01-14T12:00:00Z", "", -1], None],
    ["events", "", "", 0, {"a": 1}, None],
    ["events", "", "", 0, 7, None],
    ["other", "", "", 0, None, None],
    ["requests", 1, "", 0, None, None],
    {},
    None,
]


@pytest.mark.parametrize("cursor", PLACES, ids=str)
def test_a_cursor_that_is_none_of_ours_is_refused(place: Place, cursor: Any) -> None:
    wanted = Range(NOON, MIDNIGHT)
    with pytest.raises(ValidationFailed, match="start again without it"):
        place.verifier()(DEPLOYMENT, wanted, encode_cursor(cursor))


def test_a_cursor_goes_on_where_it_says(place: Place) -> None:
    def at(*cursor: Any) -> Any:
        return place.verifier()(
            DEPLOYMENT, Range(NOON.replace(hour=0), place.clock.moment + DAY), encode_cursor(cursor)
        )

    assert (at("digests", "", FIRST, 0, None, None).digests, at("digests", "", SECOND, 0, None, None).digests) == (2, 1)
    assert at("digests", "", SECOND, 1, None, None).chains == 2
    assert at("digests", "", "x" * 1000, 0, None, None).digests == 0
    after = (rfc3339(MIDNIGHT + DAY + timedelta(minutes=30)), f"request#{request_id(4)}", 1)
    assert (at("events", SECOND, "", 0, after, None).events, at("events", SECOND, "", 0, None, None).events) == (1, 2)
    assert at("events", "", "", 0, None, None).events == 10
    assert not at("requests", "", "", 0, None, None).sealed
    assert at("requests", SECOND, "", 0, None, None).sealed
    assert at("requests", SECOND, "", 0, None, request_id(2)).findings == []


def test_events_filed_under_another_time_are_named_where_their_chain_is(place: Place) -> None:
    place.audit.index.append(
        IndexedEvent(DEPLOYMENT, "request#junk", 1, parse_rfc3339("2026-01-14T15:00:00Z"), "0" * 64)
    )
    detail = f"is dated 2026-01-14T15:00:00Z, but the digest until {FIRST} does not list it"
    assert place.findings() == [("inserted", "request#junk event 1", detail)]


def test_a_chain_that_is_no_request_has_no_record_to_compare(place: Place) -> None:
    place.clock.moment += timedelta(minutes=5)
    for subject in ("request#", "junk"):
        event = {**place.events(4)[0], "subject": subject}
        place.audit.chains[subject] = [event]
        rehash(place.audit.chains[subject])
        place.audit.index.append(IndexedEvent(DEPLOYMENT, subject, 1, place.clock.moment, event["hash"]))
    assert [one for one in place.findings() if "does not exist" in one[2]] == [
        ("inserted", f"{subject} event 1", "belongs to a request that does not exist")
        for subject in ("junk", "request#")
    ]


def test_a_request_without_records_and_events_is_nothing(place: Place) -> None:
    place.seals.digests.clear()
    place.audit.index.append(IndexedEvent(DEPLOYMENT, "request#gone", 1, place.clock.moment, "0" * 64))
    assert not any("gone" in record for _, record, _ in place.findings())


def test_a_retired_key_is_trusted_for_its_time(place: Place) -> None:
    trusted = place.seals.trusted()
    late = replace(trusted, retired={fingerprint(SIGNER.public): FIRST})
    with patch.object(place.seals, "trusted", lambda: late):
        found = place.findings()
    detail = f"is later than its key, {fingerprint(SIGNER.public)}, was used"
    assert found == [("digest_invalid", f"digest until {SECOND}", detail)]


@pytest.mark.parametrize("begin", ["\ud800", "2" * 2000, "2026-01-15T00:00:00+00:00", "2026-02-31T00:00:00Z", "never"])
def test_no_digest_is_looked_for_by_what_is_no_time(place: Place, begin: str) -> None:
    place.seals.digests["2026-01-15T06:00:00Z"] = {"digest": {"from": begin, "previous": "x"}, "signature": ""}
    asked: list[str] = []
    digest = place.seals.digest

    def counted(until: str) -> Any:
        asked.append(until)
        return digest(until)

    with patch.object(place.seals, "digest", counted):
        found = place.findings()
    assert begin not in asked
    assert ("digest_invalid", "digest until 2026-01-15T06:00:00Z", "cannot be read") in found
