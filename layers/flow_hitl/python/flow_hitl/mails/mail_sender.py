"""Send email with SES."""

from typing import Any

from botocore.exceptions import ClientError

from flow_hitl.mails.ports import MailRefused, OutgoingMail
from flow_hitl.platform.dynamodb import error_code
from flow_hitl.platform.mime import write_mail
from flow_hitl.platform.product import PRODUCT_NAME

# Errors that SES will repeat forever. `MessageRejected` is not one: SES also returns it while our identity is
# unverified or the account is in the sandbox, and the operator must hear of that.
_FINAL = frozenset({"BadRequestException"})
# With RFC 3834's Auto-Submitted, Microsoft's equivalents: no out-of-office replies, and no emoji reactions in Outlook.
_HEADERS = {"X-Auto-Response-Suppress": "All", "X-MS-Reactions": "disallow"}


class SesMailSender:
    def __init__(self, client: Any, from_address: str, configuration_set: str = "") -> None:
        self._client, self._from = client, from_address
        self._reports = {"ConfigurationSetName": configuration_set} if configuration_set else {}

    def send(self, mail: OutgoingMail) -> str:
        raw = write_mail(
            sender=self._from,
            sender_name=PRODUCT_NAME,
            to=mail.to,
            subject=mail.rendered.subject,
            text=mail.rendered.text,
            html=mail.rendered.html,
            reply_to=mail.reply_to,
            follows=self._message_id(mail.follows) if mail.follows else None,
            images=[(one.content_id, one.media_type, one.content) for one in mail.images],
            headers={**_HEADERS, "Auto-Submitted": "auto-replied" if mail.answers_mail else "auto-generated"},
        )
        try:
            answer = self._client.send_email(
                FromEmailAddress=self._from,
                Destination={"ToAddresses": [mail.to]},
                Content={"Raw": {"Data": raw}},
                EmailTags=[{"Name": name, "Value": value} for name, value in mail.tags.items()],
                **self._reports,
            )
        except ClientError as error:
            if error_code(error) in _FINAL:
                raise MailRefused(f"SES: {error_code(error)}") from None
            raise
        return str(answer["MessageId"])

    def _message_id(self, ses_id: str) -> str:
        """Return the Message-ID that SES put in place of ours; see "Header fields" in its developer guide."""
        region = self._client.meta.region_name
        return f"<{ses_id}@{'email' if region == 'us-east-1' else region}.amazonses.com>"
