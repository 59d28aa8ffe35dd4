"""The audit log and the records of its effects."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from flow_hitl.platform.wiring import PlatformParts

if TYPE_CHECKING:
    from flow_hitl.audit.audit_log import DynamoAuditLog
    from flow_hitl.audit.effect_log import DynamoEffectLog
    from flow_hitl.audit.read_audit import ReadAudit


class AuditParts(PlatformParts):
    @cached_property
    def _audit(self) -> DynamoAuditLog:
        from flow_hitl.audit.audit_log import DynamoAuditLog

        return DynamoAuditLog(self.client("dynamodb"), self.settings.audit_table, self.pause)

    @cached_property
    def _effects(self) -> DynamoEffectLog:
        from flow_hitl.audit.effect_log import DynamoEffectLog

        return DynamoEffectLog(self.client("dynamodb"), self.settings.requests_table, self._audit, self.pause)

    @cached_property
    def read_audit(self) -> ReadAudit:
        from flow_hitl.audit.read_audit import ReadAudit

        return ReadAudit(self._audit, self.clock)
