"""Why nothing has happened."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from flow_hitl.mails.wiring import MailsParts
from flow_hitl.replies.wiring import RepliesParts

if TYPE_CHECKING:
    from flow_hitl.diagnosis.diagnose import DiagnoseRequest


class DiagnosisParts(MailsParts, RepliesParts):
    @cached_property
    def diagnose_request(self) -> DiagnoseRequest:
        from flow_hitl.diagnosis.diagnose import DiagnoseRequest

        return DiagnoseRequest(
            requests=self._requests,
            audit=self._audit,
            effects=self._effects,
            deployments=self._deployments,
            discards=self.discards,
            suppressed=self.suppressed,
            polls=self._polls,
            mail_account=self.mail_account,
            dead_letters=self._dead_letters,
            clock=self.clock,
        )
