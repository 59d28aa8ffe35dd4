"""What the mail service lets us send."""

from flow_hitl.platform.records import dataclass


@dataclass(frozen=True)
class SendingState:
    """The account's state at the mail service, and its sending identity (a domain).

    Without `production`, the account is in the sandbox. `quota` and `sent` count emails in 24 hours; a negative quota
    is unlimited.
    """

    sending_enabled: bool
    production: bool
    quota: float
    sent: float
    identity: str
    identity_verified: bool
