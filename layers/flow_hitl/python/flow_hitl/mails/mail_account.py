"""What SES says about our account: whether it may send, to whom, and how much. SES allows one such call per second."""

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from flow_hitl.mails.sending import SendingState
from flow_hitl.platform.aws_errors import unknown
from flow_hitl.platform.no_answer import Unknown


class SesAccount:
    def __init__(self, client: Any, identity: str) -> None:
        self._client, self._identity = client, identity

    def state(self) -> SendingState | Unknown:
        try:
            account = self._client.get_account()
            identity = self._client.get_email_identity(EmailIdentity=self._identity)
        except (BotoCoreError, ClientError) as error:
            return unknown(error)
        quota = account.get("SendQuota", {})
        return SendingState(
            # An account that SES has shut down cannot send, whatever its own setting says.
            sending_enabled=account.get("SendingEnabled", False) and account.get("EnforcementStatus") != "SHUTDOWN",
            production=account.get("ProductionAccessEnabled", False),
            quota=quota.get("Max24HourSend", 0.0),
            sent=quota.get("SentLast24Hours", 0.0),
            identity=self._identity,
            identity_verified=identity.get("VerifiedForSendingStatus", False),
        )
