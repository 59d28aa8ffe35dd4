"""The one place where services meet adapters.

Everything is made when it is first asked for, and imports what it needs at that moment: a function pays at cold start
for its own parts only. `current()` is the process's application; tests put another in its place by `use()`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from flow_hitl.settings import Settings

if TYPE_CHECKING:
    from flow_hitl.adapters.audit_log import DynamoAuditLog
    from flow_hitl.adapters.deployment_store import DynamoDeploymentStore
    from flow_hitl.adapters.discard_log import DynamoDiscardLog
    from flow_hitl.adapters.effect_log import DynamoEffectLog
    from flow_hitl.adapters.key_ring import SecretKeyRing
    from flow_hitl.adapters.queues import SchedulerDeadlines, SqsMessages
    from flow_hitl.adapters.request_store import DynamoRequestStore
    from flow_hitl.adapters.suppression_list import DynamoSuppressionList
    from flow_hitl.ports import Clock, Ids
    from flow_hitl.services.accept_reply import AcceptReply
    from flow_hitl.services.answer_addresses import AnswerAddresses
    from flow_hitl.services.answer_by_callback import AnswerByCallback
    from flow_hitl.services.authenticate import Authenticate
    from flow_hitl.services.auto_respond import AutoRespond
    from flow_hitl.services.change_request import CancelRequest, ChangeRequest, ReportResume
    from flow_hitl.services.manage_deployments import ManageDeployments
    from flow_hitl.services.manage_signing_keys import ManageSigningKeys
    from flow_hitl.services.open_request import OpenRequest
    from flow_hitl.services.read_requests import ReadRequests
    from flow_hitl.services.record_response import RecordResponse
    from flow_hitl.services.relay_event import RelayEvent
    from flow_hitl.services.resume_flow import ResumeFlow
    from flow_hitl.services.review_page import ReviewPage
    from flow_hitl.services.send_mail import SendMail
    from flow_hitl.services.undelivered import TakeMailFeedback, Undelivered


class Application:
    """All services of one stack, wired to AWS by its settings."""

    def __init__(self, settings: Settings, clock: Clock, ids: Ids, jitter: Callable[[], float]) -> None:
        self.settings, self.clock, self.ids, self.jitter = settings, clock, ids, jitter

    def pause(self, round_number: int) -> None:
        """Wait a random while that grows with each round in which somebody else was in between."""
        self.clock.sleep(self.jitter() * 0.05 * 2**round_number)

    # --- services, in the order in which a request meets them

    @cached_property
    def authenticate(self) -> Authenticate:
        from flow_hitl.services.authenticate import Authenticate

        return Authenticate(self._deployments, self.clock)

    @cached_property
    def open_request(self) -> OpenRequest:
        from flow_hitl.services.open_request import OpenRequest

        return OpenRequest(self._requests, self.clock, self.ids, self.settings.insecure_urls_allowed)

    @cached_property
    def read_requests(self) -> ReadRequests:
        from flow_hitl.services.read_requests import ReadRequests

        return ReadRequests(self._requests, self._audit, self.clock)

    @cached_property
    def cancel_request(self) -> CancelRequest:
        from flow_hitl.services.change_request import CancelRequest

        return CancelRequest(self._change_request, self.clock, self.ids)

    @cached_property
    def report_resume(self) -> ReportResume:
        from flow_hitl.services.change_request import ReportResume

        return ReportResume(self._change_request, self.clock, self.ids)

    @cached_property
    def relay_event(self) -> RelayEvent:
        from flow_hitl.adapters.aws import client
        from flow_hitl.adapters.queues import SqsEffectQueue
        from flow_hitl.domain.effects import EffectKind
        from flow_hitl.services.relay_event import RelayEvent

        email, resume = self.settings.email_queue_url, self.settings.resume_queue_url
        queue_urls = {
            EffectKind.NOTIFY: email,
            EffectKind.CONFIRM: email,
            EffectKind.REJECT_REPLY: email,
            EffectKind.RESUME: resume,
        }
        return RelayEvent(SqsEffectQueue(client("sqs"), queue_urls), self._deadlines, self.clock)

    @cached_property
    def send_mail(self) -> SendMail:
        from flow_hitl.adapters import rendering
        from flow_hitl.adapters.aws import client
        from flow_hitl.adapters.mail_sender import SesMailSender
        from flow_hitl.services.send_mail import SendMail

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
    def take_mail_feedback(self) -> TakeMailFeedback:
        from flow_hitl.services.undelivered import TakeMailFeedback

        return TakeMailFeedback(self.suppressed, self._undelivered, self.clock)

    @cached_property
    def suppressed(self) -> DynamoSuppressionList:
        from flow_hitl.adapters.aws import client
        from flow_hitl.adapters.suppression_list import DynamoSuppressionList

        return DynamoSuppressionList(client("dynamodb"), self.settings.requests_table)

    @cached_property
    def accept_reply(self) -> AcceptReply:
        from flow_hitl.adapters import mailbox
        from flow_hitl.adapters.aws import client
        from flow_hitl.adapters.mail_bucket import S3MailBucket
        from flow_hitl.services.accept_reply import AcceptReply

        return AcceptReply(
            requests=self._requests,
            deployments=self._deployments,
            mails=S3MailBucket(client("s3"), self.settings.mail_bucket),
            parser=mailbox,
            discards=self.discards,
            record_response=self.record_response,
            change_request=self._change_request,
            keys=self._keys,
            clock=self.clock,
            ids=self.ids,
            inbound_domain=self.settings.inbound_domain,
            own_address=self.settings.mail_from,
        )

    @cached_property
    def review_page(self) -> ReviewPage:
        from flow_hitl.services.review_page import ReviewPage

        return ReviewPage(self._requests, self.record_response, self._keys, self.clock, self.ids)

    @cached_property
    def answer_by_callback(self) -> AnswerByCallback:
        from flow_hitl.services.answer_by_callback import AnswerByCallback

        return AnswerByCallback(self.record_response, self._keys, self.ids)

    @cached_property
    def auto_respond(self) -> AutoRespond:
        from flow_hitl.services.auto_respond import AutoRespond

        return AutoRespond(self._requests, self._deadlines, self.record_response, self.clock)

    @cached_property
    def record_response(self) -> RecordResponse:
        from flow_hitl.services.record_response import RecordResponse

        return RecordResponse(self._requests, self.clock, self.ids, self.pause)

    @cached_property
    def resume_flow(self) -> ResumeFlow:
        from flow_hitl.adapters.http_poster import SafeHttpPoster
        from flow_hitl.services.resume_flow import ResumeFlow

        return ResumeFlow(
            requests=self._requests,
            deployments=self._deployments,
            effects=self._effects,
            poster=SafeHttpPoster(insecure_allowed=self.settings.insecure_urls_allowed),
            change_request=self._change_request,
            keys=self._keys,
            clock=self.clock,
            ids=self.ids,
        )

    @cached_property
    def manage_deployments(self) -> ManageDeployments:
        from flow_hitl.services.manage_deployments import ManageDeployments

        return ManageDeployments(self._deployments, self._keys, self.clock)

    @cached_property
    def manage_signing_keys(self) -> ManageSigningKeys:
        from flow_hitl.services.manage_signing_keys import ManageSigningKeys

        return ManageSigningKeys(self._keys, self._deployments)

    @cached_property
    def answer_addresses(self) -> AnswerAddresses:
        from flow_hitl.services.answer_addresses import AnswerAddresses

        return AnswerAddresses(self._keys, self.settings.base_url, self.settings.inbound_domain)

    @cached_property
    def relay_retries(self) -> SqsMessages:
        return self._messages(self.settings.relay_retry_queue_url)

    @cached_property
    def resume_messages(self) -> SqsMessages:
        return self._messages(self.settings.resume_queue_url)

    # --- what they are made of

    def _messages(self, queue_url: str) -> SqsMessages:
        from flow_hitl.adapters.aws import client
        from flow_hitl.adapters.queues import SqsMessages

        return SqsMessages(client("sqs"), queue_url)

    @cached_property
    def _requests(self) -> DynamoRequestStore:
        from flow_hitl.adapters.aws import client
        from flow_hitl.adapters.request_store import DynamoRequestStore

        settings = self.settings
        return DynamoRequestStore(
            client("dynamodb"),
            lambda: client("s3"),
            settings.requests_table,
            settings.audit_table,
            settings.content_bucket,
            self.pause,
        )

    @cached_property
    def _audit(self) -> DynamoAuditLog:
        from flow_hitl.adapters.audit_log import DynamoAuditLog
        from flow_hitl.adapters.aws import client

        return DynamoAuditLog(client("dynamodb"), self.settings.audit_table)

    @cached_property
    def _deployments(self) -> DynamoDeploymentStore:
        from flow_hitl.adapters.aws import client
        from flow_hitl.adapters.deployment_store import DynamoDeploymentStore

        return DynamoDeploymentStore(client("dynamodb"), self.settings.deployments_table)

    @cached_property
    def _effects(self) -> DynamoEffectLog:
        from flow_hitl.adapters.aws import client
        from flow_hitl.adapters.effect_log import DynamoEffectLog

        return DynamoEffectLog(client("dynamodb"), self.settings.requests_table)

    @cached_property
    def discards(self) -> DynamoDiscardLog:
        from flow_hitl.adapters.aws import client
        from flow_hitl.adapters.discard_log import DynamoDiscardLog

        return DynamoDiscardLog(client("dynamodb"), self.settings.requests_table)

    @cached_property
    def _deadlines(self) -> SchedulerDeadlines:
        from flow_hitl.adapters.aws import client
        from flow_hitl.adapters.queues import SchedulerDeadlines

        settings = self.settings
        return SchedulerDeadlines(
            scheduler=lambda: client("scheduler"),
            sqs=client("sqs"),
            group=settings.scheduler_group,
            role_arn=settings.scheduler_role_arn,
            queue_arn=settings.deadline_queue_arn,
            queue_url=settings.deadline_queue_url,
        )

    @cached_property
    def _keys(self) -> SecretKeyRing:
        from flow_hitl.adapters.aws import client
        from flow_hitl.adapters.key_ring import SecretKeyRing

        return SecretKeyRing(lambda: client("secretsmanager"), self.settings.signing_secret_id, self.clock)

    @cached_property
    def _undelivered(self) -> Undelivered:
        from flow_hitl.services.undelivered import Undelivered

        return Undelivered(self._deployments, self._change_request, self.clock, self.ids)

    @cached_property
    def _change_request(self) -> ChangeRequest:
        from flow_hitl.services.change_request import ChangeRequest

        return ChangeRequest(self._requests, self.pause)


_application: Application | None = None


def current() -> Application:
    """Return the process's application, made from the environment when it is first asked for."""
    global _application
    if _application is None:
        from flow_hitl.adapters.system import RandomIds, SystemClock, jitter

        _application = Application(Settings.from_environment(), SystemClock(), RandomIds(), jitter)
    return _application


def use(application: Application | None) -> None:
    """Put another application in the place of the process's own, or none so that it is made anew."""
    global _application
    _application = application
