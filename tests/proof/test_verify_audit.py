"""No event can be edited, deleted, inserted, moved or cut off without being named, and no digest either."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from flow_hitl.audit import chain as audit
from flow_hitl.audit.chain import EventKind
from flow_hitl.contract.shapes import as_json
from flow_hitl.platform import digests
from flow_hitl.proof.verify_audit import CHAIN_START, LogFinding, Verifier, canonical_json, event_hash, fingerprint
from tests.support import examples
from tests.support.audit_logs import DEPLOYMENT, SIGNER, Event, Log, Signer, chain, make_log, rehash

LOG = make_log()
SEALED_UNTIL = LOG.digests[-1]["digest"]["until"]
PLACES = [(subject, place) for subject, events in LOG.chains.items() for place in range(len(events))]
SEALED = [(subject, place) for subject, place in PLACES if LOG.chains[subject][place]["at"] < SEALED_UNTIL]
everywhere = pytest.mark.parametrize(("subject", "place"), PLACES)
each_sixth = pytest.mark.exhaustive(6, "subject")
in_what_is_sealed = pytest.mark.parametrize(("subject", "place"), SEALED)


def named(findings: list[LogFinding], *kinds: str) -> set[tuple[str | None, int | None]]:
    """Return the events that are named, all of them by findings of these kinds."""
    assert findings
    assert {finding.kind for finding in findings} <= set(kinds)
    assert all(finding.detail for finding in findings)
    return {(finding.subject, finding.seq) for finding in findings}


def test_an_untouched_log_has_no_findings() -> None:
    assert LOG.findings(heads=LOG.heads()) == []


def test_the_verifier_hashes_as_the_service_does() -> None:
    event = examples.event(EventKind.NOTIFICATION_SENT, {"to": "ä@example.com", "parts": [1.5, {"deep": None}]})
    assert event_hash(as_json(event)) == event.hash
    assert canonical_json(as_json(event)) == digests.canonical_json(as_json(event))
    assert CHAIN_START == audit.CHAIN_START


EDITS: dict[str, Any] = {
    "seq": 77,
    "event_id": "another",
    "kind": "request_cancelled",
    "at": "2026-01-14T23:59:59Z",
    "actor": "somebody",
    "data": {"to": "b@example.com", "number": 1},
    "prev_hash": "1" * 64,
    "hash": "2" * 64,
}


@pytest.mark.exhaustive(8, "subject", "member")
@everywhere
@pytest.mark.parametrize("member", EDITS)
def test_an_edit_is_named(subject: str, place: int, member: str) -> None:
    log = LOG.copy()
    event = log.chains[subject][place]
    event[member] = EDITS[member]
    assert (subject, event["seq"]) in {(found.subject, found.seq) for found in log.findings()}


@pytest.mark.exhaustive(8, "subject", "member")
@everywhere
@pytest.mark.parametrize("member", EDITS)
def test_a_missing_member_is_named(subject: str, place: int, member: str) -> None:
    log = LOG.copy()
    del log.chains[subject][place][member]
    found = log.findings()
    assert found
    assert {finding.subject for finding in found} == {subject}


@each_sixth
@everywhere
def test_an_edit_with_a_hash_that_fits_is_named(subject: str, place: int) -> None:
    log = LOG.copy()
    events = log.chains[subject]
    events[place]["data"]["to"] = "forger@example.com"
    rehash(events, place, place)
    assert (subject, place + 1) in named(log.findings(heads=LOG.heads()), "replaced")


@each_sixth
@everywhere
def test_a_chain_that_is_forged_from_one_event_on_is_found(subject: str, place: int) -> None:
    log = LOG.copy()
    events = log.chains[subject]
    events[place]["data"]["to"] = "forger@example.com"
    rehash(events, place)
    found = log.findings(heads=LOG.heads())[0]
    assert (found.kind, found.subject) == ("replaced", subject)
    assert found.seq is not None
    assert found.doubtful_from is not None
    # From the first forged event on all are others; what a digest confirms before it is not in doubt.
    assert found.doubtful_from <= place + 1 <= found.seq
    sealed = b"".join(LOG.sections.values()).decode()
    confirmed = [event["seq"] for event in events[:place] if f'"hash":"{event["hash"]}"' in sealed]
    assert found.doubtful_from > max(confirmed, default=0)


@each_sixth
@in_what_is_sealed
def test_a_forged_chain_is_found_by_its_digests_alone(subject: str, place: int) -> None:
    log = LOG.copy()
    log.chains[subject][place]["actor"] = "forger"
    rehash(log.chains[subject], place)
    assert {finding.subject for finding in log.findings()} == {subject}


@each_sixth
@everywhere
def test_a_deleted_event_is_named(subject: str, place: int) -> None:
    log = LOG.copy()
    del log.chains[subject][place]
    assert (subject, place + 1) in named(log.findings(heads=LOG.heads()), "missing")


@each_sixth
@in_what_is_sealed
def test_a_deletion_is_named_also_by_the_digests_alone(subject: str, place: int) -> None:
    log = LOG.copy()
    del log.chains[subject][place]
    assert (subject, place + 1) in named(log.findings(), "missing")


@each_sixth
@everywhere
def test_a_deletion_hidden_by_forging_what_follows_is_found(subject: str, place: int) -> None:
    log = LOG.copy()
    events = log.chains[subject]
    del events[place]
    for later in events[place:]:
        later["seq"] -= 1
    rehash(events, place)
    assert {finding.subject for finding in log.findings(heads=LOG.heads())} == {subject}


@each_sixth
@everywhere
def test_a_chain_that_was_cut_off_is_named_with_all_that_is_lost(subject: str, place: int) -> None:
    log = LOG.copy()
    lost = len(log.chains[subject]) - place
    del log.chains[subject][place:]
    found = named(log.findings(heads=LOG.heads()), "missing")
    assert {(subject, place + 1 + number) for number in range(lost)} <= found


@each_sixth
@in_what_is_sealed
def test_the_end_of_a_sealed_chain_is_missed_by_its_digest(subject: str, place: int) -> None:
    log = LOG.copy()
    del log.chains[subject][place:]
    assert (subject, place + 1) in named(log.findings(), "missing")


@each_sixth
@everywhere
def test_an_event_that_stands_there_twice_is_named(subject: str, place: int) -> None:
    log = LOG.copy()
    events = log.chains[subject]
    events.insert(place, copy.deepcopy(events[place]))
    assert named(log.findings(), "inserted") == {(subject, place + 1)}


@each_sixth
@everywhere
def test_an_event_inserted_by_forging_what_follows_is_found(subject: str, place: int) -> None:
    log = LOG.copy()
    events = log.chains[subject]
    forged = copy.deepcopy(events[place]) | {"event_id": "forged", "actor": "forger"}
    for later in events[place:]:
        later["seq"] += 1
    events.insert(place, forged)
    rehash(events, place)
    assert {finding.subject for finding in log.findings(heads=LOG.heads())} == {subject}


@each_sixth
@everywhere
def test_an_event_added_at_the_end_is_named(subject: str, place: int) -> None:
    log = LOG.copy()
    events = log.chains[subject]
    forged = copy.deepcopy(events[place]) | {"event_id": "forged", "seq": len(events) + 1}
    events.append(forged)
    rehash(events, len(events) - 1)
    assert (subject, len(events)) in named(log.findings(heads=LOG.heads()), "inserted")
    if forged["at"] < SEALED_UNTIL:
        assert (subject, len(events)) in named(log.findings(), "inserted")


def test_a_whole_chain_added_to_a_sealed_day_is_named() -> None:
    log = LOG.copy()
    moments = [examples.NOON, examples.NOON]
    log.chains["request#forged"] = chain("request#forged", moments)
    assert named(log.findings(), "inserted") == {("request#forged", 1), ("request#forged", 2)}


@pytest.mark.parametrize("subject", LOG.chains)
def test_a_chain_that_is_gone_is_named(subject: str) -> None:
    log = LOG.copy()
    del log.chains[subject]
    found = named(log.findings(heads=LOG.heads()), "missing")
    assert found == {(subject, event["seq"]) for event in LOG.chains[subject]}


PAIRS = [
    (subject, one, other)
    for subject, events in LOG.chains.items()
    for one in range(len(events))
    for other in range(one + 1, len(events))
]


@pytest.mark.exhaustive(8, "subject")
@pytest.mark.parametrize(("subject", "one", "other"), PAIRS)
def test_events_that_changed_places_are_named(subject: str, one: int, other: int) -> None:
    log = LOG.copy()
    events = log.chains[subject]
    events[one], events[other] = events[other], events[one]
    found = log.findings()
    assert found
    assert {finding.subject for finding in found} == {subject}
    assert {one + 1, other + 1} & {finding.seq for finding in found}


@pytest.mark.exhaustive(8, "subject")
@pytest.mark.parametrize(("subject", "one", "other"), PAIRS)
def test_events_whose_contents_changed_places_are_named(subject: str, one: int, other: int) -> None:
    log = LOG.copy()
    events = log.chains[subject]
    for member in ("event_id", "data", "kind", "actor"):
        events[one][member], events[other][member] = events[other][member], events[one][member]
    assert {(subject, one + 1), (subject, other + 1)} <= named(log.findings(), "edited")
    rehash(events, one)
    assert {finding.subject for finding in log.findings(heads=LOG.heads())} == {subject}


# --- digests

DIGESTS = range(len(LOG.digests))


def _resigned(log: Log, place: int, **members: Any) -> None:
    log.digests[place] = SIGNER.sign({**log.digests[place]["digest"], **members})


@pytest.mark.parametrize("place", DIGESTS)
@pytest.mark.parametrize("member", LOG.digests[0]["digest"])
def test_an_edited_digest_is_named(place: int, member: str) -> None:
    log = LOG.copy()
    digest = log.digests[place]["digest"]
    until = digest["until"]
    digest[member] = {"0" * 64: "1" * 64} if member == "deployments" else "2026-01-14T05:00:00Z"
    found = log.findings()
    assert {"digest_invalid", "digest_missing"} & {finding.kind for finding in found}
    assert {until, digest["until"]} & {finding.digest for finding in found}


@pytest.mark.parametrize("place", DIGESTS)
def test_a_digest_signed_by_somebody_else_is_named(place: int) -> None:
    log, other = LOG.copy(), Signer()
    until = log.digests[place]["digest"]["until"]
    log.digests[place] = other.sign(log.digests[place]["digest"])
    assert [(each.kind, each.digest) for each in log.findings()] == [("digest_invalid", until)]
    own = {**log.digests[place]["digest"], "key": fingerprint(other.public)}
    log.digests[place] = other.sign(own)
    assert ("digest_invalid", until) in [(each.kind, each.digest) for each in log.findings()]


def test_a_digest_that_is_gone_is_named() -> None:
    log = make_log(days=5)
    gone = log.digests.pop(1)["digest"]["until"]
    assert ("digest_missing", gone) in [(each.kind, each.digest) for each in log.findings()]


def test_a_digest_that_its_own_key_signed_anew_is_named_by_the_next() -> None:
    log = LOG.copy()
    until = log.digests[0]["digest"]["until"]
    _resigned(log, 0, sealed_at="2026-01-16T00:00:00Z")
    assert [(each.kind, each.digest) for each in log.findings()] == [("digest_invalid", until)]


def test_digests_that_changed_places_are_named() -> None:
    log = LOG.copy()
    log.digests.reverse()
    assert "digest_invalid" in [each.kind for each in log.findings()]


@pytest.mark.parametrize("place", DIGESTS)
@pytest.mark.parametrize("added", [b"\n", None])
def test_a_changed_section_is_named_by_its_digest(place: int, added: bytes | None) -> None:
    log = LOG.copy()
    until = log.digests[place]["digest"]["until"]
    content = log.sections.pop(until)
    if added is not None:
        log.sections[until] = content + added
    assert until in [each.digest for each in log.findings()]


def test_what_is_no_digest_is_a_finding_and_no_failure() -> None:
    for nonsense in ({}, {"digest": {}, "signature": ""}, {"digest": [], "signature": "!"}, {"digest": None}):
        log = LOG.copy()
        log.digests[0] = nonsense
        verifier = Verifier({})
        verifier.digest(nonsense)
        assert [each.kind for each in verifier.finish()] == ["digest_invalid"]


# --- a part of a log


def read_part(since: str, to: str, events: list[Event]) -> list[LogFinding]:
    verifier = Verifier({fingerprint(SIGNER.public): SIGNER.public}, since=since, to=to)
    for signed in LOG.digests:
        if since < signed["digest"]["until"]:
            verifier.digest(signed)
            content = LOG.sections[signed["digest"]["until"]]
            verifier.seal(verifier.section(signed["digest"], DEPLOYMENT, content))
    for event in sorted(events, key=lambda event: (event["at"], event["subject"], event["seq"])):
        verifier.event(event)
    return verifier.finish()


def parts() -> Iterator[tuple[str, str]]:
    moments = [f"2026-01-{day}T{hour:02d}:30:00Z" for day in (14, 15, 16) for hour in (0, 3, 9, 17)]
    midnights = [f"2026-01-{day}T00:00:00Z" for day in (14, 15, 16, 17)]
    edges = sorted([*moments, *midnights])
    yield from ((since, to) for since in edges for to in edges if since < to)


@pytest.mark.exhaustive(6)
@pytest.mark.parametrize(("since", "to"), list(parts()))
def test_of_a_part_nothing_outside_of_it_is_missed(since: str, to: str) -> None:
    assert read_part(since, to, [event for event in LOG.events if since <= event["at"] < to]) == []


@pytest.mark.parametrize("place", range(sum("2026-01-15" in event["at"] for event in LOG.events)))
def test_of_a_sealed_day_each_deleted_event_is_named_without_the_other_days(place: int) -> None:
    events = [event for event in LOG.events if "2026-01-15" in event["at"]]
    gone = events.pop(place)
    found = named(read_part("2026-01-15T00:00:00Z", "2026-01-16T00:00:00Z", events), "missing")
    assert (gone["subject"], gone["seq"]) in found
