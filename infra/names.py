"""Names that the stacks give, and the operator's commands look for."""

ALARM_PREFIX = "Flow HITL: "
"""How each alarm's description begins."""


def receipt_rule_name(stack_name: str) -> str:
    """Return the name of the SES receipt rule for replies to a core stack."""
    return f"{stack_name}-replies"
