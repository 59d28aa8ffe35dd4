"""What people see."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from flow_hitl.proof.wiring import ProofParts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flow_hitl.mails.contexts import FileView
    from flow_hitl.pages.access.pages import AccessPages
    from flow_hitl.pages.audit.pages import AuditPages
    from flow_hitl.pages.guide.guide import Guide
    from flow_hitl.pages.requests.answer_many import AnswerMany
    from flow_hitl.pages.requests.overview import Overview
    from flow_hitl.pages.requests.pages import RequestPages
    from flow_hitl.pages.requests.review_page import ReviewPage
    from flow_hitl.pages.rules.pages import RulePages
    from flow_hitl.pages.settings.edit_by_form import EditByForm
    from flow_hitl.pages.settings.pages import SettingsPages
    from flow_hitl.pages.webhooks.pages import WebhookPages
    from flow_hitl.requests.request import Request


class PagesParts(ProofParts):
    @cached_property
    def guide(self) -> Guide:
        from flow_hitl.pages.guide.guide import Guide
        from flow_hitl.platform.code_folder import code_folder

        return Guide(code_folder())

    @cached_property
    def review_page(self) -> ReviewPage:
        from flow_hitl.pages.requests.review_page import ReviewPage

        return ReviewPage(
            requests=self._requests,
            deployments=self._deployments,
            as_logged=self.read_as_logged,
            earlier_rounds=self._earlier_rounds,
            record_response=self.record_response,
            delegate=self.delegate,
            ask_back=lambda: self.ask_back,
            files=self._files,
            keys=self._keys,
            clock=self.clock,
            ids=self.ids,
        )

    @cached_property
    def request_pages(self) -> RequestPages:
        from flow_hitl.pages.requests.pages import RequestPages

        return RequestPages(
            requests=self._requests,
            lists=self.list_requests,
            audit=self._audit,
            as_logged=self.read_as_logged,
            earlier_rounds=self._earlier_rounds,
            record_response=self.record_response,
            delegate=self.delegate,
            ask_back=lambda: self.ask_back,
            files=self._files,
            keys=self._keys,
            clock=self.clock,
            ids=self.ids,
        )

    def _files(self, request: Request) -> Sequence[FileView]:
        if not request.content.attachments:
            return ()
        from flow_hitl.pages.requests.files import page_files

        return page_files(request.content.attachments, self.attachment_links.paths(request))

    @cached_property
    def overview(self) -> Overview:
        from flow_hitl.pages.requests.overview import Overview

        return Overview(self._deployments, self.list_requests)

    @cached_property
    def answer_many(self) -> AnswerMany:
        from flow_hitl.pages.requests.answer_many import AnswerMany

        return AnswerMany(self._requests, self.read_as_logged, self.record_response, self.ids)

    @cached_property
    def settings_pages(self) -> SettingsPages:
        from flow_hitl.pages.settings.pages import SettingsPages

        return SettingsPages(self.manage_deployments, self._edit_by_form, self._requests)

    @cached_property
    def rule_pages(self) -> RulePages:
        from flow_hitl.pages.rules.pages import RulePages

        return RulePages(self.manage_deployments, self._edit_by_form)

    @cached_property
    def access_pages(self) -> AccessPages:
        from flow_hitl.pages.access.pages import AccessPages

        return AccessPages(self.manage_deployments, self._edit_by_form, self.clock)

    @cached_property
    def webhook_pages(self) -> WebhookPages:
        from flow_hitl.pages.webhooks.pages import WebhookPages

        return WebhookPages(self.manage_webhooks, self._edit_by_form, self.clock)

    @cached_property
    def audit_pages(self) -> AuditPages:
        from flow_hitl.pages.audit.pages import AuditPages

        return AuditPages(self.read_audit, self.verify_audit_log, self.manage_exports, self.clock)

    @cached_property
    def _edit_by_form(self) -> EditByForm:
        from flow_hitl.pages.settings.edit_by_form import EditByForm

        return EditByForm(self.manage_deployments, self._audit)
