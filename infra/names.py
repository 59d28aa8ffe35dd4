"""Names that the stacks give, and the operator's commands look for."""

import re

ALARM_PREFIX = "Flow HITL: "
"""How each alarm's description begins."""
_RUNBOOKS = "docs/runbooks.md#"


def alarm_description(what: str) -> str:
    """Return an alarm's description: what it is about, and on a second line the page that says what to do."""
    return f"{ALARM_PREFIX}{what}\nWhat to do: {_RUNBOOKS}{runbook_of(what)}"


def alarm_name(description: str) -> tuple[str, str]:
    """Return what an alarm of that description is about, and where it says what to do."""
    what = description.removeprefix(ALARM_PREFIX).partition("\n")[0]
    return what, f"{_RUNBOOKS}{runbook_of(what)}"


def runbook_of(what: str) -> str:
    """Return the section about an alarm: alarms of one kind, such as `errors: relay`, share one."""
    return re.sub(r"[^a-z0-9]+", "-", what.partition(":")[0].lower()).strip("-")


def receipt_rule_name(stack_name: str) -> str:
    """Return the name of the SES receipt rule for replies to a core stack."""
    return f"{stack_name}-replies"


def dmarc_record(domain: str) -> str:
    """Return the DNS record that has others trust a sender's emails, and no forged ones."""
    return f'_dmarc.{domain} TXT "v=DMARC1; p=quarantine"'
