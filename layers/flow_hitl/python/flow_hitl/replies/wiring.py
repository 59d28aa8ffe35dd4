"""Email in."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from flow_hitl.requests.wiring import RequestsParts

if TYPE_CHECKING:
    from flow_hitl.replies.accept_reply import AcceptReply
    from flow_hitl.replies.discard_log import DynamoDiscardLog


class RepliesParts(RequestsParts):
    @cached_property
    def discards(self) -> DynamoDiscardLog:
        from flow_hitl.replies.discard_log import DynamoDiscardLog

        return DynamoDiscardLog(self.client("dynamodb"), self.settings.requests_table)

    @cached_property
    def accept_reply(self) -> AcceptReply:
        from flow_hitl.replies import mailbox
        from flow_hitl.replies.accept_reply import AcceptReply
        from flow_hitl.replies.mail_bucket import S3MailBucket

        return AcceptReply(
            read=self._together,
            requests=self._requests,
            audit=self._audit,
            deployments=self._deployments,
            mails=S3MailBucket(self.client("s3"), self.settings.mail_bucket),
            parser=mailbox,
            discards=self.discards,
            record_response=self.record_response,
            delegate=self.delegate,
            # Few requests take questions, and the others are not to pay for it.
            ask_back=lambda: self.ask_back,
            change_request=self._change_request,
            keys=self._keys,
            clock=self.clock,
            inbound_domain=self.settings.inbound_domain,
            own_address=self.settings.mail_from,
        )
