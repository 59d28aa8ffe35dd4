"""The one place where services meet adapters.

Everything is made when it is first asked for, and imports what it needs at that moment: a function pays at cold start
for its own parts only. `current()` is the process's application; tests put another in its place by `use()`.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from flow_hitl.edge import Edge
from flow_hitl.platform.environment import Settings

if TYPE_CHECKING:
    from flow_hitl.audit.read_audit import ReadAudit
    from flow_hitl.delivery.relay_event import RelayEvent
    from flow_hitl.delivery.resume_flow import ResumeFlow
    from flow_hitl.delivery.retry_resume import RetryResume
    from flow_hitl.deployments.change_configuration import ChangeConfiguration
    from flow_hitl.deployments.count_usage import CountUsage
    from flow_hitl.deployments.manage_deployments import ManageDeployments
    from flow_hitl.deployments.manage_signing_keys import ManageSigningKeys
    from flow_hitl.diagnosis.diagnose import DiagnoseRequest
    from flow_hitl.mails.send_mail import SendMail
    from flow_hitl.mails.send_sign_in_mail import SendSignInMail
    from flow_hitl.mails.undelivered import TakeMailFeedback, Undelivered
    from flow_hitl.metrics.measure_events import MeasureEvents
    from flow_hitl.metrics.read_analytics import ReadAnalytics
    from flow_hitl.metrics.rebuild_metrics import RebuildMetrics
    from flow_hitl.pages.access.pages import AccessPages
    from flow_hitl.pages.audit.pages import AuditPages
    from flow_hitl.pages.requests.pages import RequestPages
    from flow_hitl.pages.requests.review_page import ReviewPage
    from flow_hitl.pages.rules.pages import RulePages
    from flow_hitl.pages.settings.changes_by_others import OthersChanges
    from flow_hitl.pages.settings.pages import SettingsPages
    from flow_hitl.pages.webhooks.pages import WebhookPages
    from flow_hitl.people.authenticate import Authenticate
    from flow_hitl.people.sign_in import SignIn
    from flow_hitl.people.signed_in import Visits
    from flow_hitl.platform.once import Once
    from flow_hitl.platform.outgoing_url import Destinations
    from flow_hitl.proof.export_audit import ManageExports, RunExport
    from flow_hitl.proof.seal_audit import SealAudit
    from flow_hitl.proof.verify_log import VerifyAuditLog
    from flow_hitl.replies.accept_reply import AcceptReply
    from flow_hitl.requests.changing.change_request import CancelRequest, ChangeOnce, ChangeRequest, ReportResume
    from flow_hitl.requests.changing.delegate import Delegate
    from flow_hitl.requests.changing.reassign_request import ReassignRequest
    from flow_hitl.requests.changing.remind import Remind
    from flow_hitl.requests.deciding.answer_addresses import AnswerAddresses
    from flow_hitl.requests.deciding.auto_respond import AutoRespond
    from flow_hitl.requests.deciding.record_response import RecordResponse
    from flow_hitl.requests.opening.configuration_warnings import ConfigurationWarnings
    from flow_hitl.requests.opening.open_request import OpenRequest
    from flow_hitl.requests.opening.send_test_request import SendTestRequest
    from flow_hitl.requests.reading.list_requests import ListRequests
    from flow_hitl.requests.reading.read_requests import ReadRequests
    from flow_hitl.webhooks.answer_by_callback import AnswerByCallback
    from flow_hitl.webhooks.manage_webhooks import ManageWebhooks
    from flow_hitl.webhooks.send_webhook import FanOutWebhooks, SendWebhook
    from flow_hitl.webhooks.show_content import ShowContent


class Application(Edge):
    """All services of one stack, wired to AWS by its settings."""

    @cached_property
    def destinations(self) -> Destinations:
        """Where the operator lets webhooks and resume URLs lead."""
        from flow_hitl.platform.outgoing_url import Destinations

        return Destinations.parse(self.settings.allowed_networks, insecure=self.settings.insecure_urls_allowed)

    # --- services, in the order in which a request meets them

    @cached_property
    def authenticate(self) -> Authenticate:
        from flow_hitl.people.authenticate import Authenticate

        return Authenticate(self._deployments, self._key_uses, self.clock)

    @cached_property
    def open_request(self) -> OpenRequest:
        from flow_hitl.requests.opening.open_request import OpenRequest

        return OpenRequest(self._requests, self.clock, self.ids, self.destinations)

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

        return ListRequests(self._rows, self.clock)

    @cached_property
    def diagnose_request(self) -> DiagnoseRequest:
        from flow_hitl.diagnosis.diagnose import DiagnoseRequest

        return DiagnoseRequest(
            requests=self._requests,
            audit=self._audit,
            deployments=self._deployments,
            discards=self.discards,
            suppressed=self.suppressed,
            polls=self._polls,
            mail_account=self.mail_account,
            dead_letters=self._dead_letters,
            clock=self.clock,
        )

    @cached_property
    def cancel_request(self) -> CancelRequest:
        from flow_hitl.requests.changing.change_request import CancelRequest

        return CancelRequest(self._change_request, self.clock, self.ids)

    @cached_property
    def reassign_request(self) -> ReassignRequest:
        from flow_hitl.requests.changing.reassign_request import ReassignRequest

        return ReassignRequest(self._change_once, self.clock, self.ids)

    @cached_property
    def retry_resume(self) -> RetryResume:
        from flow_hitl.delivery.retry_resume import RetryResume

        return RetryResume(self._requests, self._change_request, self.clock, self.ids)

    @cached_property
    def report_resume(self) -> ReportResume:
        from flow_hitl.requests.changing.change_request import ReportResume

        return ReportResume(self._change_once, self.clock, self.ids)

    @cached_property
    def relay_event(self) -> RelayEvent:
        from flow_hitl.audit.effects import MAILS, EffectKind
        from flow_hitl.delivery.queues import SqsEffectQueue
        from flow_hitl.delivery.relay_event import RelayEvent
        from flow_hitl.platform.aws import client

        queue_urls = {
            **dict.fromkeys(MAILS, self.settings.email_queue_url),
            EffectKind.RESUME: self.settings.resume_queue_url,
            EffectKind.WEBHOOK: self.settings.webhook_queue_url,
        }
        queue = SqsEffectQueue(client("sqs"), queue_urls)
        # Most events need no configuration: reading it is not imported for them.
        return RelayEvent(queue, self._deadlines, lambda: self._deployments, self.clock)

    @cached_property
    def count_usage(self) -> CountUsage:
        from flow_hitl.deployments.count_usage import CountUsage
        from flow_hitl.deployments.usage_log import DynamoUsageLog
        from flow_hitl.platform.aws import client

        return CountUsage(DynamoUsageLog(client("dynamodb"), self.settings.deployments_table))

    @cached_property
    def measure_events(self) -> MeasureEvents:
        from flow_hitl.metrics.measure_events import MeasureEvents

        return MeasureEvents(self._metrics, self.clock, self.pause)

    @cached_property
    def rebuild_metrics(self) -> RebuildMetrics:
        from flow_hitl.metrics.rebuild_metrics import RebuildMetrics

        return RebuildMetrics(self._metrics, self._audit, self.clock)

    @cached_property
    def send_mail(self) -> SendMail:
        from flow_hitl.mails.mail_sender import SesMailSender
        from flow_hitl.mails.send_mail import SendMail
        from flow_hitl.pages import rendering
        from flow_hitl.platform.aws import client

        return SendMail(
            requests=self._requests,
            audit=self._audit,
            effects=self._effects,
            addresses=self.answer_addresses,
            renderer=rendering,
            sender=SesMailSender(client("sesv2"), self.settings.mail_from),
            suppressed=self.suppressed,
            undelivered=self._undelivered,
            change_request=self._change_request,
            clock=self.clock,
            ids=self.ids,
        )

    @cached_property
    def sign_in(self) -> SignIn:
        from flow_hitl.people.sign_in import SignIn
        from flow_hitl.people.sign_in_queue import SqsSignInQueue
        from flow_hitl.people.sign_in_store import DynamoRateCounters, DynamoSessionStore
        from flow_hitl.platform.aws import client

        table = self.settings.requests_table
        return SignIn(
            tries=self._sign_in_tries,
            sessions=DynamoSessionStore(client("dynamodb"), table),
            queue=SqsSignInQueue(client("sqs"), self.settings.email_queue_url),
            counters=DynamoRateCounters(client("dynamodb"), table),
            keys=self._keys,
            clock=self.clock,
            ids=self.ids,
            pause=self.pause,
        )

    @cached_property
    def send_sign_in_mail(self) -> SendSignInMail:
        from flow_hitl.mails.mail_sender import SesMailSender
        from flow_hitl.mails.send_sign_in_mail import SendSignInMail
        from flow_hitl.pages import rendering
        from flow_hitl.platform.aws import client

        return SendSignInMail(
            tries=self._sign_in_tries,
            deployments=self._deployments,
            suppressed=self.suppressed,
            renderer=rendering,
            sender=SesMailSender(client("sesv2"), self.settings.mail_from),
            keys=self._keys,
            clock=self.clock,
            base_url=self.settings.base_url,
            pause=self.pause,
        )

    @cached_property
    def visits(self) -> Visits:
        from flow_hitl.people.sign_in_store import DynamoSessionStore
        from flow_hitl.people.signed_in import Visits
        from flow_hitl.platform.aws import client

        return Visits(
            sessions=DynamoSessionStore(client("dynamodb"), self.settings.requests_table),
            deployments=self._deployments,
            change_configuration=self.change_configuration,
            keys=self._keys,
            clock=self.clock,
            pause=self.pause,
        )

    @cached_property
    def take_mail_feedback(self) -> TakeMailFeedback:
        from flow_hitl.mails.undelivered import TakeMailFeedback

        return TakeMailFeedback(self.suppressed, self._undelivered, self._requests, self.clock)

    @cached_property
    def accept_reply(self) -> AcceptReply:
        from flow_hitl.platform.aws import client
        from flow_hitl.replies import mailbox
        from flow_hitl.replies.accept_reply import AcceptReply
        from flow_hitl.replies.mail_bucket import S3MailBucket

        return AcceptReply(
            requests=self._requests,
            audit=self._audit,
            deployments=self._deployments,
            mails=S3MailBucket(client("s3"), self.settings.mail_bucket),
            parser=mailbox,
            discards=self.discards,
            record_response=self.record_response,
            delegate=self.delegate,
            change_request=self._change_request,
            keys=self._keys,
            clock=self.clock,
            ids=self.ids,
            inbound_domain=self.settings.inbound_domain,
            own_address=self.settings.mail_from,
        )

    @cached_property
    def review_page(self) -> ReviewPage:
        from flow_hitl.pages.requests.review_page import ReviewPage

        return ReviewPage(
            requests=self._requests,
            deployments=self._deployments,
            record_response=self.record_response,
            delegate=self.delegate,
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
            record_response=self.record_response,
            delegate=self.delegate,
            keys=self._keys,
            clock=self.clock,
            ids=self.ids,
        )

    @cached_property
    def settings_pages(self) -> SettingsPages:
        from flow_hitl.pages.settings.pages import SettingsPages

        return SettingsPages(self.manage_deployments, self._others_changes, self._requests)

    @cached_property
    def rule_pages(self) -> RulePages:
        from flow_hitl.pages.rules.pages import RulePages

        return RulePages(self.manage_deployments, self._others_changes)

    @cached_property
    def access_pages(self) -> AccessPages:
        from flow_hitl.pages.access.pages import AccessPages

        return AccessPages(self.manage_deployments, self._others_changes, self.clock)

    @cached_property
    def webhook_pages(self) -> WebhookPages:
        from flow_hitl.pages.webhooks.pages import WebhookPages

        return WebhookPages(self.manage_webhooks, self.manage_deployments, self._others_changes, self.clock)

    @cached_property
    def delegate(self) -> Delegate:
        from flow_hitl.requests.changing.delegate import Delegate

        return Delegate(self._change_request, self.clock, self.ids)

    @cached_property
    def answer_by_callback(self) -> AnswerByCallback:
        from flow_hitl.webhooks.answer_by_callback import AnswerByCallback

        return AnswerByCallback(self.record_response, self._webhooks, self._keys, self.ids)

    @cached_property
    def show_content(self) -> ShowContent:
        from flow_hitl.webhooks.show_content import ShowContent

        return ShowContent(self._requests, self._webhooks, self._keys, self.clock)

    @cached_property
    def auto_respond(self) -> AutoRespond:
        from flow_hitl.requests.deciding.auto_respond import AutoRespond

        return AutoRespond(self._requests, self._deadlines, self.record_response, self.clock)

    @cached_property
    def remind(self) -> Remind:
        from flow_hitl.requests.changing.remind import Remind

        return Remind(
            requests=self._requests,
            deployments=self._deployments,
            deadlines=self._deadlines,
            change_request=self._change_request,
            clock=self.clock,
            ids=self.ids,
        )

    @cached_property
    def record_response(self) -> RecordResponse:
        from flow_hitl.requests.deciding.record_response import RecordResponse

        return RecordResponse(self._requests, self.clock, self.ids, self.pause)

    @cached_property
    def resume_flow(self) -> ResumeFlow:
        from flow_hitl.delivery.resume_flow import ResumeFlow
        from flow_hitl.platform.http_poster import SafeHttpPoster

        return ResumeFlow(
            requests=self._requests,
            deployments=self._deployments,
            effects=self._effects,
            poster=SafeHttpPoster(self.destinations, total_seconds=20.0),
            change_request=self._change_request,
            keys=self._keys,
            clock=self.clock,
            ids=self.ids,
        )

    @cached_property
    def fan_out_webhooks(self) -> FanOutWebhooks:
        from flow_hitl.webhooks.send_webhook import FanOutWebhooks

        return FanOutWebhooks(
            audit=self._audit,
            webhooks=self._webhooks,
            deliveries=self._deliveries,
            effects=self._effects,
            queue=self._delivery_queue,
            clock=self.clock,
        )

    @cached_property
    def send_webhook(self) -> SendWebhook:
        from flow_hitl.platform.http_poster import SafeHttpPoster
        from flow_hitl.webhooks.send_webhook import SendWebhook

        return SendWebhook(
            requests=self._requests,
            deployments=self._deployments,
            webhooks=self._webhooks,
            deliveries=self._deliveries,
            poster=SafeHttpPoster(self.destinations, total_seconds=30.0),
            addresses=self.answer_addresses,
            box=self._secret_box,
            change_request=self._change_request,
            clock=self.clock,
            ids=self.ids,
        )

    @cached_property
    def manage_webhooks(self) -> ManageWebhooks:
        from flow_hitl.webhooks.manage_webhooks import ManageWebhooks

        return ManageWebhooks(
            webhooks=self._webhooks,
            deliveries=self._deliveries,
            queue=self._delivery_queue,
            change_configuration=self.change_configuration,
            once=self.once,
            box=self._secret_box,
            destinations=self.destinations,
            clock=self.clock,
            ids=self.ids,
        )

    @cached_property
    def manage_deployments(self) -> ManageDeployments:
        from flow_hitl.deployments.manage_deployments import ManageDeployments

        return ManageDeployments(
            self._deployments, self.change_configuration, self._key_uses, self.once, self._keys, self.clock
        )

    @cached_property
    def read_analytics(self) -> ReadAnalytics:
        from flow_hitl.metrics.read_analytics import ReadAnalytics

        return ReadAnalytics(self._metrics, self._rows, self.clock)

    @cached_property
    def read_audit(self) -> ReadAudit:
        from flow_hitl.audit.read_audit import ReadAudit

        return ReadAudit(self._audit, self.clock)

    @cached_property
    def verify_audit_log(self) -> VerifyAuditLog:
        from flow_hitl.proof.verify_log import VerifyAuditLog

        return VerifyAuditLog(
            audit=self._audit,
            seals=self._seals,
            key=self._seal_key,
            requests=self._requests,
            deployments=self._deployments,
            clock=self.clock,
        )

    @cached_property
    def manage_exports(self) -> ManageExports:
        from flow_hitl.proof.export_audit import ManageExports

        return ManageExports(
            exports=self._exports,
            files=self._export_files,
            queue=self.export_queue,
            read_audit=self.read_audit,
            change_configuration=self.change_configuration,
            once=self.once,
            clock=self.clock,
            ids=self.ids,
        )

    @cached_property
    def audit_pages(self) -> AuditPages:
        from flow_hitl.pages.audit.pages import AuditPages

        return AuditPages(self.read_audit, self.verify_audit_log, self.manage_exports, self.clock)

    @cached_property
    def run_export(self) -> RunExport:
        from pathlib import Path

        from flow_hitl.proof import verify_audit
        from flow_hitl.proof.export_audit import RunExport

        return RunExport(
            exports=self._exports,
            files=self._export_files,
            audit=self._audit,
            seals=self._seals,
            key=self._seal_key,
            script=Path(verify_audit.__file__).read_bytes(),
            clock=self.clock,
        )

    @cached_property
    def seal_audit(self) -> SealAudit:
        from flow_hitl.proof.seal_audit import SealAudit

        return SealAudit(self._audit, self._seals, self._seal_key, self.clock)

    @cached_property
    def configuration_warnings(self) -> ConfigurationWarnings:
        from flow_hitl.requests.opening.configuration_warnings import ConfigurationWarnings

        return ConfigurationWarnings(self._requests)

    @cached_property
    def change_configuration(self) -> ChangeConfiguration:
        from flow_hitl.deployments.change_configuration import ChangeConfiguration

        return ChangeConfiguration(self._deployments, self.clock, self.ids, self.pause)

    @cached_property
    def manage_signing_keys(self) -> ManageSigningKeys:
        from flow_hitl.deployments.manage_signing_keys import ManageSigningKeys

        return ManageSigningKeys(self._keys, self._deployments, self.clock)

    @cached_property
    def answer_addresses(self) -> AnswerAddresses:
        from flow_hitl.requests.deciding.answer_addresses import AnswerAddresses

        return AnswerAddresses(self._keys, self.settings.base_url, self.settings.inbound_domain)

    @cached_property
    def once(self) -> Once:
        from flow_hitl.platform.once import Once

        return Once(self._calls, lambda: self._secret_box)

    # --- what they are made of

    @cached_property
    def _undelivered(self) -> Undelivered:
        from flow_hitl.mails.undelivered import Undelivered

        return Undelivered(self._requests, self._audit, self._deployments, self._change_request, self.clock, self.ids)

    @cached_property
    def _others_changes(self) -> OthersChanges:
        from flow_hitl.pages.settings.changes_by_others import OthersChanges

        return OthersChanges(self._audit)

    @cached_property
    def _change_once(self) -> ChangeOnce:
        from flow_hitl.requests.changing.change_request import ChangeOnce

        return ChangeOnce(self._change_request, self.once)

    @cached_property
    def _change_request(self) -> ChangeRequest:
        from flow_hitl.requests.changing.change_request import ChangeRequest

        return ChangeRequest(self._requests, self.pause)


_application: Application | None = None


def current() -> Application:
    """Return the process's application, made from the environment when it is first asked for."""
    global _application
    if _application is None:
        from flow_hitl.platform.system_clock import RandomIds, SystemClock, jitter

        _application = Application(Settings.from_environment(), SystemClock(), RandomIds(), jitter)
    return _application


def use(application: Application | None) -> None:
    """Put another application in the place of the process's own, or none so that it is made anew."""
    global _application
    _application = application
