"""Images and PDFs beside an output, from a path or bytes."""

import base64
import hashlib
from pathlib import Path
from typing import Any

import pytest

from flow_hitl.requests.attachments import type_of
from flow_hitl_client import Client
from flow_hitl_client.attachments import attachment_of
from tests.requests.test_attachments import EACH, GIF, PDF, SVG
from tests.support.client_server import API_KEY, serving


@pytest.mark.parametrize(("name", "media_type", "content"), EACH)
def test_a_file_is_sent_as_what_the_server_takes_it_for(
    tmp_path: Path, name: str, media_type: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    expected = {"name": name, "media_type": media_type, "content": base64.b64encode(content).decode()}
    for source in (tmp_path / name, str(tmp_path / name), (name, content), expected):
        assert attachment_of(source) == expected
    assert type_of(content) == media_type


def test_another_file_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    (tmp_path / "drawing.svg").write_bytes(SVG)
    with pytest.raises(ValueError, match=r"drawing\.svg is not a PNG"):
        attachment_of(tmp_path / "drawing.svg")
    with pytest.raises(FileNotFoundError):
        attachment_of(tmp_path / "none.png")


def test_a_request_with_attachments(tmp_path: Path) -> None:
    (tmp_path / "invoice.pdf").write_bytes(PDF)
    sources: list[Any] = [tmp_path / "invoice.pdf", ("photo.gif", GIF)]
    with serving() as server:
        client = Client(server.url, API_KEY)
        asked = client.create_request(flow_id="f", method_name="m", message="?", attachments=sources)
        sent: Any = asked["request"]["attachments"]
    assert [one["name"] for one in sent] == ["invoice.pdf", "photo.gif"]
    digests = [hashlib.sha256(base64.b64decode(one["content"])).digest() for one in sent]
    assert digests == [hashlib.sha256(one).digest() for one in (PDF, GIF)]
