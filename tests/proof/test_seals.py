"""What a seal says of a time: the bytes that auditors' script expects, whatever order the events came in."""

import json
from datetime import timedelta
from typing import Any

from flow_hitl.audit.index import Period
from flow_hitl.proof.seal import Grown, grown_by, make_digest, make_section
from flow_hitl.proof.verify_audit import digest_hash
from tests.support.examples import NOON

PERIOD = Period(NOON, NOON + timedelta(hours=1))


def event(subject: str, seq: int) -> dict[str, Any]:
    return {"subject": subject, "seq": seq, "hash": f"{subject} {seq}"}


def test_a_chain_grew_from_its_first_event_of_the_time_to_its_last() -> None:
    events = [event("b", 4), event("a", 1), event("b", 3), event("b", 5)]
    grown = {"a": Grown(1, 1, "a 1"), "b": Grown(3, 5, "b 5")}
    assert grown_by(events) == grown_by(reversed(events)) == grown


def test_nothing_grew_without_events() -> None:
    assert grown_by([]) == {}


def test_a_section_names_its_deployment_its_time_and_each_chain_in_order() -> None:
    section = make_section(456, PERIOD, {"ü": Grown(3, 5, "h5"), "a": Grown(1, 1, "h1")})
    assert section.decode() == (
        '{"deployment_id":456,"format":"flow-hitl/audit-section/2",'
        '"from":"2026-01-14T12:00:00Z","until":"2026-01-14T13:00:00Z"}\n'
        '{"first":1,"hash":"h1","seq":1,"subject":"a"}\n'
        '{"first":3,"hash":"h5","seq":5,"subject":"ü"}\n'
    )


def test_a_digest_holds_the_sections_its_key_and_the_digest_before() -> None:
    first = make_digest(PERIOD, None, {456: "ab", 9: "cd"}, key="k", sealed_at=NOON + timedelta(hours=2))
    assert json.loads(json.dumps(first)) == {
        "format": "flow-hitl/audit-digest/2",
        "from": "2026-01-14T12:00:00Z",
        "until": "2026-01-14T13:00:00Z",
        "previous": None,
        "key": "k",
        "sealed_at": "2026-01-14T14:00:00Z",
        "deployments": {"456": "ab", "9": "cd"},
    }
    second = make_digest(PERIOD, first, {}, key="k", sealed_at=NOON)
    assert (second["previous"], second["deployments"]) == (digest_hash(first), {})
