# The main environment, where mypy runs, has no crewai, so that its classes are unknown there.
# mypy: disable-error-code="import-not-found, misc, no-any-return"
"""The CrewAI side on real crewai, which has an environment of its own: `make test-crewai`."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from flow_hitl_client import Client
from tests.support.client_server import API_KEY, HitlServer, serving

if find_spec("crewai") is None:
    collect_ignore_glob = ["*"]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HitlServer]:
    """The server of the contract, and an environment without any LLM: each use of one fails at once."""
    from crewai.flow.flow_config import flow_config

    for name in ("MODEL", "MODEL_NAME", "OPENAI_MODEL_NAME", "OPENAI_API_KEY", "FLOW_HITL_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9")
    with serving() as hitl_server:
        monkeypatch.setenv("FLOW_HITL_URL", hitl_server.url)
        monkeypatch.setenv("FLOW_HITL_API_KEY", API_KEY)
        yield hitl_server
    flow_config.hitl_provider = None


@pytest.fixture(autouse=True)
def _nothing_heard() -> None:
    from tests.crewai import flows

    flows.heard.clear()
    flows.broken.clear()
    flows.model_says.clear()
    flows.when_published.clear()


@pytest.fixture
def client(server: HitlServer) -> Client:
    return Client(server.url, API_KEY, retries=0)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file for paused flows."""
    path = tmp_path / "sub" / "flows.db"
    monkeypatch.setenv("FLOW_HITL_FLOWS", str(path))
    return path
