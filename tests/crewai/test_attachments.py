"""Files that a review point of a CrewAI flow attaches."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import flow_hitl_client.crewai as hitl
from flow_hitl_client.attachments import attachment_of
from flow_hitl_client.crewai import asking


def test_a_review_points_files_are_read_when_the_person_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "invoice.pdf"
    metadata = hitl.review(attachments=[path], team="finance")
    path.write_bytes(b"%PDF-1.7\n")
    context: Any = SimpleNamespace(
        flow_id="f", method_name="pay", message="Pay?", method_output="x", emit=None, metadata=metadata
    )
    flow: Any = SimpleNamespace(name="Payments", state={})
    body = asking.body_of(context, flow, "0192f0c1-7e11-7abc-8def-0123456789ab", [], asking.Wishes())
    assert body["attachments"] == [attachment_of(path)]
    assert body["metadata"] == {"team": "finance"}
