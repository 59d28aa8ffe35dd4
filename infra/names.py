"""Names that the stacks give to things, and by which the operator's commands find them again."""

ALARM_PREFIX = "Flow HITL: "
"""How the description of each of our alarms begins."""


def receipt_rule_name(stack_name: str) -> str:
    """Return the name of the SES receipt rule by which the replies to a core stack come in."""
    return f"{stack_name}-replies"
