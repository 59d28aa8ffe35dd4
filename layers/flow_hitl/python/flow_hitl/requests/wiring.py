"""Requests."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from flow_hitl.audit.wiring import AuditParts
from flow_hitl.deployments.wiring import DeploymentsParts

if TYPE_CHECKING:
    from flow_hitl.requests.changing.change_request import CancelRequest, ChangeOnce, ChangeRequest, ReportResume
    from flow_hitl.requests.changing.delegate import Delegate
    from flow_hitl.requests.changing.reassign_request import ReassignRequest
    from flow_hitl.requests.changing.remind import Remind
    from flow_hitl.requests.deciding.answer_addresses import AnswerAddresses
    from flow_hitl.requests.deciding.ask_back import AnswerQuestion, AskBack
    from flow_hitl.requests.deciding.auto_respond import AutoRespond
    from flow_hitl.requests.deciding.record_response import RecordResponse
    from flow_hitl.requests.opening.configuration_warnings import ConfigurationWarnings
    from flow_hitl.requests.opening.open_request import OpenRequest
    from flow_hitl.requests.opening.send_test_request import SendTestRequest
    from flow_hitl.requests.reading.attachments import AttachmentLinks, ShowAttachment
    from flow_hitl.requests.reading.keep_search import KeepSearch
    from flow_hitl.requests.reading.list_requests import ListRequests
    from flow_hitl.requests.reading.read_as_logged import ReadAsLogged
    from flow_hitl.requests.reading.read_earlier_rounds import ReadEarlierRounds
    from flow_hitl.requests.reading.read_requests import ReadRequests
    from flow_hitl.requests.reading.search_requests import SearchRequests
    from flow_hitl.requests.request import Request, RequestShown
    from flow_hitl.requests.store.attachment_store import S3Attachments
    from flow_hitl.requests.store.deadlines import SchedulerDeadlines
    from flow_hitl.requests.store.poll_log import DynamoPolls
    from flow_hitl.requests.store.request_rows import DynamoRequestRows
    from flow_hitl.requests.store.request_store import DynamoRequestStore
    from flow_hitl.requests.store.search_log import DynamoSearchLog


class RequestsParts(DeploymentsParts, AuditParts):
    @cached_property
    def _requests(self) -> DynamoRequestStore:
        from flow_hitl.requests.store.request_store import DynamoRequestStore

        settings = self.settings
        return DynamoRequestStore(
            self.client("dynamodb"),
            lambda: self.client("s3"),
            settings.requests_table,
            settings.audit_table,
            settings.content_bucket,
            self.pause,
        )

    @cached_property
    def _attachments(self) -> S3Attachments:
        from flow_hitl.requests.store.attachment_store import S3Attachments

        return S3Attachments(lambda: self.client("s3"), self.settings.content_bucket)

    @cached_property
    def show_attachment(self) -> ShowAttachment:
        from flow_hitl.requests.reading.attachments import ShowAttachment

        return ShowAttachment(self._requests, self._attachments, self._keys, self.clock)

    @cached_property
    def attachment_links(self) -> AttachmentLinks:
        from flow_hitl.requests.reading.attachments import AttachmentLinks

        return AttachmentLinks(self._keys, self.clock, self.settings.base_url)

    def shown(self, request: Request) -> RequestShown:
        """Return the contract's request object; only one with attachments needs links and the keys that sign them."""
        return self.attachment_links.shown(request) if request.content.attachments else request.shown

    @cached_property
    def _rows(self) -> DynamoRequestRows:
        from flow_hitl.requests.store.request_rows import DynamoRequestRows

        return DynamoRequestRows(self.client("dynamodb"), self.settings.requests_table)

    @cached_property
    def _polls(self) -> DynamoPolls:
        from flow_hitl.requests.store.poll_log import DynamoPolls

        return DynamoPolls(self.client("dynamodb"), self.settings.requests_table)

    @cached_property
    def _deadlines(self) -> SchedulerDeadlines:
        from flow_hitl.requests.store.deadlines import SchedulerDeadlines

        settings = self.settings
        return SchedulerDeadlines(
            scheduler=lambda: self.client("scheduler"),
            sqs=self.client("sqs"),
            group=settings.scheduler_group,
            role_arn=settings.scheduler_role_arn,
            queue_arn=settings.deadline_queue_arn,
            queue_url=settings.queue_url("deadline"),
            dead_letters_arn=settings.schedule_dead_letter_queue_arn,
        )

    @cached_property
    def open_request(self) -> OpenRequest:
        from flow_hitl.requests.opening.open_request import OpenRequest

        return OpenRequest(self._requests, self.clock, self.ids, self.destinations, lambda: self._attachments)

    @cached_property
    def send_test_request(self) -> SendTestRequest:
        from flow_hitl.requests.opening.send_test_request import SendTestRequest

        return SendTestRequest(self.open_request, self._audit)

    @cached_property
    def read_requests(self) -> ReadRequests:
        from flow_hitl.requests.reading.read_requests import ReadRequests

        return ReadRequests(self._requests, self._audit, self._polls, self.clock)

    @cached_property
    def list_requests(self) -> ListRequests:
        from flow_hitl.requests.reading.list_requests import ListRequests

        return ListRequests(self._rows, lambda: self._search_requests)

    @cached_property
    def _search_log(self) -> DynamoSearchLog:
        from flow_hitl.requests.store.search_log import DynamoSearchLog

        tables = self.settings.deployments_table, self.settings.requests_table
        return DynamoSearchLog(self.client("dynamodb"), *tables, lambda: self._requests)

    @cached_property
    def _search_requests(self) -> SearchRequests:
        from flow_hitl.requests.reading.search_requests import SearchRequests

        return SearchRequests(self._search_log, self._requests)

    @cached_property
    def keep_search(self) -> KeepSearch:
        from flow_hitl.requests.reading.keep_search import KeepSearch

        return KeepSearch(self._search_log, self._deployments, self.clock)

    @cached_property
    def cancel_request(self) -> CancelRequest:
        from flow_hitl.requests.changing.change_request import CancelRequest

        return CancelRequest(self._change_request)

    @cached_property
    def reassign_request(self) -> ReassignRequest:
        from flow_hitl.requests.changing.reassign_request import ReassignRequest

        return ReassignRequest(self._change_once)

    @cached_property
    def report_resume(self) -> ReportResume:
        from flow_hitl.requests.changing.change_request import ReportResume

        return ReportResume(self._change_once)

    @cached_property
    def delegate(self) -> Delegate:
        from flow_hitl.requests.changing.delegate import Delegate

        return Delegate(self._change_request)

    @cached_property
    def ask_back(self) -> AskBack:
        from flow_hitl.requests.deciding.ask_back import AskBack

        return AskBack(self._requests, self._change_request)

    @cached_property
    def answer_question(self) -> AnswerQuestion:
        from flow_hitl.requests.deciding.ask_back import AnswerQuestion

        return AnswerQuestion(self._change_once)

    @cached_property
    def auto_respond(self) -> AutoRespond:
        from flow_hitl.requests.deciding.auto_respond import AutoRespond

        return AutoRespond(self._requests, self._deadlines, self.read_as_logged, self.record_response, self.clock)

    @cached_property
    def remind(self) -> Remind:
        from flow_hitl.requests.changing.remind import Remind

        return Remind(self._requests, self._deployments, self._deadlines, self._change_request, self.clock)

    @cached_property
    def record_response(self) -> RecordResponse:
        from flow_hitl.requests.deciding.record_response import RecordResponse

        return RecordResponse(self._requests, self.clock, self.ids, self.pause)

    @cached_property
    def read_as_logged(self) -> ReadAsLogged:
        from flow_hitl.requests.reading.read_as_logged import ReadAsLogged

        return ReadAsLogged(self._requests, self._audit, self._together)

    @cached_property
    def _earlier_rounds(self) -> ReadEarlierRounds:
        from flow_hitl.requests.reading.read_earlier_rounds import ReadEarlierRounds

        return ReadEarlierRounds(self._requests, self._audit, self._together)

    @cached_property
    def configuration_warnings(self) -> ConfigurationWarnings:
        from flow_hitl.requests.opening.configuration_warnings import ConfigurationWarnings

        return ConfigurationWarnings(self._requests)

    @cached_property
    def answer_addresses(self) -> AnswerAddresses:
        from flow_hitl.requests.deciding.answer_addresses import AnswerAddresses

        return AnswerAddresses(self._keys, self.settings.base_url, self.settings.inbound_domain)

    @cached_property
    def _change_once(self) -> ChangeOnce:
        from flow_hitl.requests.changing.change_request import ChangeOnce

        return ChangeOnce(self._change_request, self.once)

    @cached_property
    def _change_request(self) -> ChangeRequest:
        from flow_hitl.requests.changing.change_request import ChangeRequest

        return ChangeRequest(self._requests, self.clock, self.ids, self.pause)
