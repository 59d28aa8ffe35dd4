"""The `hitl` fixture is the one that flow authors get when they install the project."""

from hypothesis import settings

from infra.local.hitl_fixture import hitl

__all__ = ["hitl"]

# The same examples in each run, and no deadline: what is green stays green on a busy machine.
settings.load_profile("ci")
