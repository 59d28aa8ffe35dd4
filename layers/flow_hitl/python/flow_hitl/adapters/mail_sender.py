"""Mail out, by SES."""

from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formataddr
from typing import Any

from botocore.exceptions import ClientError

from flow_hitl.adapters.dynamodb import error_code
from flow_hitl.ports import MailRefused, OutgoingMail

# What SES will never accept, however often it is asked. `MessageRejected` is not among them: SES says so too while our
# own identity is not verified or the account is in the sandbox, and then an operator must hear of it.
_FINAL = frozenset({"BadRequestException"})

# A reply address is one long word: folded at the usual 78 columns it would leave the header's first line empty, which
# some clients take for the end of it.
_UNFOLDED = SMTP.clone(max_line_length=300)


class SesMailSender:
    def __init__(self, client: Any, from_address: str) -> None:
        self._client, self._from = client, from_address

    def send(self, mail: OutgoingMail) -> str:
        message = EmailMessage(policy=SMTP)
        message["From"] = formataddr((mail.from_name, self._from))
        message["To"] = mail.to
        message["Subject"] = mail.subject
        if mail.reply_to:
            message["Reply-To"] = mail.reply_to
        if mail.follows:
            message["In-Reply-To"] = message["References"] = self._message_id(mail.follows)
        for name, value in mail.headers.items():
            message[name] = value
        message.set_content(mail.text)
        message.add_alternative(mail.html, subtype="html")
        try:
            answer = self._client.send_email(
                FromEmailAddress=self._from,
                Destination={"ToAddresses": [mail.to]},
                Content={"Raw": {"Data": message.as_bytes(policy=_UNFOLDED)}},
                EmailTags=[{"Name": name, "Value": value} for name, value in mail.tags.items()],
            )
        except ClientError as error:
            if error_code(error) in _FINAL:
                raise MailRefused(f"SES: {error_code(error)}") from None
            raise
        return str(answer["MessageId"])

    def _message_id(self, ses_id: str) -> str:
        """Return the Message-ID that SES gave a mail in place of ours: SES developer guide, "Header fields"."""
        region = self._client.meta.region_name
        return f"<{ses_id}@{'email' if region == 'us-east-1' else region}.amazonses.com>"
