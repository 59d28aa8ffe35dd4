"""AWS calls whose failure is itself an answer: it could not be asked, and why."""

from botocore.exceptions import BotoCoreError, ClientError

from flow_hitl.platform.dynamodb import error_code
from flow_hitl.platform.no_answer import Unknown


def unknown(error: BotoCoreError | ClientError) -> Unknown:
    """Return what a call that failed leaves unknown, for those who can go on without its answer."""
    code = error_code(error) if isinstance(error, ClientError) else ""
    return Unknown(code or type(error).__name__)
