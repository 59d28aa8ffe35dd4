"""The `hitl` fixture is the one that flow authors get when they install the project."""

from infra.local.hitl_fixture import hitl

__all__ = ["hitl"]
