"""What the mail service lets us send."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SendingState:
    """What the mail service says of our account, and of the identity (a domain) that mail is sent from.

    Without `production` the account is in the sandbox. `quota` and `sent` are mails in 24 hours; a negative quota is
    none.
    """

    sending_enabled: bool
    production: bool
    quota: float
    sent: float
    identity: str
    identity_verified: bool
