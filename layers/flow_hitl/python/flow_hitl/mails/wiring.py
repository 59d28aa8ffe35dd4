"""Email out."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from flow_hitl.people.wiring import PeopleParts
from flow_hitl.requests.wiring import RequestsParts

if TYPE_CHECKING:
    from flow_hitl.mails.mail_account import SesAccount
    from flow_hitl.mails.mail_sender import SesMailSender
    from flow_hitl.mails.send_mail import SendMail
    from flow_hitl.mails.send_sign_in_mail import SendSignInMail
    from flow_hitl.mails.suppression_list import DynamoSuppressionList
    from flow_hitl.mails.undelivered import TakeMailFeedback, Undelivered


class MailsParts(RequestsParts, PeopleParts):
    @cached_property
    def mail_account(self) -> SesAccount:
        from flow_hitl.mails.mail_account import SesAccount
        from flow_hitl.platform.address import domain_of

        return SesAccount(self.client("sesv2"), domain_of(self.settings.mail_from))

    @cached_property
    def suppressed(self) -> DynamoSuppressionList:
        from flow_hitl.mails.suppression_list import DynamoSuppressionList

        return DynamoSuppressionList(self.client("dynamodb"), self.settings.requests_table, self.pause)

    @cached_property
    def _mail_sender(self) -> SesMailSender:
        from flow_hitl.mails.mail_sender import SesMailSender

        return SesMailSender(self.client("sesv2"), self.settings.mail_from, self.settings.mail_configuration_set)

    @cached_property
    def send_mail(self) -> SendMail:
        from flow_hitl.mails.send_mail import SendMail
        from flow_hitl.rendering import rendering

        return SendMail(
            read=self._together,
            requests=self._requests,
            audit=self._audit,
            effects=self._effects,
            addresses=self.answer_addresses,
            renderer=rendering,
            sender=self._mail_sender,
            suppressed=self.suppressed,
            undelivered=self._undelivered,
            change_request=self._change_request,
            clock=self.clock,
            attachments=lambda: self._attachments,
        )

    @cached_property
    def send_sign_in_mail(self) -> SendSignInMail:
        from flow_hitl.mails.send_sign_in_mail import SendSignInMail
        from flow_hitl.rendering import rendering

        return SendSignInMail(
            tries=self._sign_in_tries,
            deployments=self._deployments,
            suppressed=self.suppressed,
            renderer=rendering,
            sender=self._mail_sender,
            keys=self._keys,
            clock=self.clock,
            base_url=self.settings.base_url,
            pause=self.pause,
        )

    @cached_property
    def take_mail_feedback(self) -> TakeMailFeedback:
        from flow_hitl.mails.undelivered import TakeMailFeedback

        return TakeMailFeedback(self.suppressed, self._undelivered, self._requests, self.clock)

    @cached_property
    def _undelivered(self) -> Undelivered:
        from flow_hitl.mails.undelivered import Undelivered

        return Undelivered(self._requests, self._audit, self._deployments, self._change_request)
