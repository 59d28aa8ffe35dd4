"""The custom resource that adds our receipt rule to the account's rule set, without silencing mail of others.

CloudFormation can neither find nor activate a receipt rule set, and a region has one active set per account. So our
rule goes into the set that is active; only when there is none do we make one and activate it.
"""

import logging
from typing import Any

logger = logging.getLogger(__name__)


def apply(ses: Any, request_type: str, properties: dict[str, Any], physical_id: str) -> tuple[str, dict[str, str]]:
    """Create, update or delete the rule, and return its physical id, `<rule set>/<rule>`, and the attributes.

    The only attribute is `RuleSetName`. `properties` has `OwnRuleSetName` and `Rule`, shaped as SES takes it. When
    another set has become active, the id changes, and CloudFormation then asks to delete the rule in the old set.
    Raises botocore's ClientError.
    """
    own_set, rule = properties["OwnRuleSetName"], _typed(properties["Rule"])
    if request_type == "Delete":
        _remove_rule(ses, physical_id, own_set)
        return physical_id, {}
    active_set = ses.describe_active_receipt_rule_set().get("Metadata", {}).get("Name")
    rule_set = active_set or own_set
    if active_set is None and own_set not in _rule_set_names(ses):
        ses.create_receipt_rule_set(RuleSetName=own_set)
    if rule["Name"] in _rule_names(ses, rule_set):
        ses.update_receipt_rule(RuleSetName=rule_set, Rule=rule)
    else:
        # First in the set: no stop action of another rule hides our mail, and ours has none, so the others still run.
        ses.create_receipt_rule(RuleSetName=rule_set, Rule=rule)
    if active_set is None:
        ses.set_active_receipt_rule_set(RuleSetName=own_set)
    logger.info("Rule %s is in rule set %s", rule["Name"], rule_set)
    return f"{rule_set}/{rule['Name']}", {"RuleSetName": rule_set}


def _remove_rule(ses: Any, physical_id: str, own_set: str) -> None:
    """Delete the rule, and our own rule set with it once nobody else has a rule there."""
    rule_set, _, rule = physical_id.partition("/")
    if not rule or rule_set not in _rule_set_names(ses):
        return
    if rule in _rule_names(ses, rule_set):
        ses.delete_receipt_rule(RuleSetName=rule_set, RuleName=rule)
    if rule_set == own_set and not _rule_names(ses, rule_set):
        if ses.describe_active_receipt_rule_set().get("Metadata", {}).get("Name") == rule_set:
            ses.set_active_receipt_rule_set()
        ses.delete_receipt_rule_set(RuleSetName=rule_set)


def _rule_set_names(ses: Any) -> set[str]:
    names: set[str] = set()
    page: dict[str, Any] = {}
    while True:
        answer = ses.list_receipt_rule_sets(**page)
        names |= {rule_set["Name"] for rule_set in answer["RuleSets"]}
        if not answer.get("NextToken"):
            return names
        page = {"NextToken": answer["NextToken"]}


def _rule_names(ses: Any, rule_set: str) -> set[str]:
    return {rule["Name"] for rule in ses.describe_receipt_rule_set(RuleSetName=rule_set)["Rules"]}


def _typed(rule: dict[str, Any]) -> dict[str, Any]:
    """Return the rule with real booleans: CloudFormation hands every value over as text."""
    return rule | {name: str(rule[name]).lower() == "true" for name in ("Enabled", "ScanEnabled")}
