"""The routing rules on the managers' pages."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from flow_hitl.audit.chain import EventKind
from flow_hitl.contract.shapes import as_json
from flow_hitl.contract.validation import parse_document
from flow_hitl.deployments.answers import rules_shown
from flow_hitl.deployments.configuration_documents import parse_rules
from flow_hitl.deployments.deployment import Deployment
from flow_hitl.deployments.manage_deployments import ManageDeployments
from flow_hitl.pages.rules.forms import (
    RepeatedTest,
    conditions_in_words,
    deadlines_in_words,
    rule_fields,
    rule_of,
    rule_problem,
)
from flow_hitl.pages.settings.edit_by_form import EditByForm, form_from, of_kinds, require_unchanged
from flow_hitl.pages.settings.forms import Fields
from flow_hitl.pages.settings.pages import item_at, with_item, without_item
from flow_hitl.pages.settings.view import DryRunView, FilledForm, RuleRow
from flow_hitl.people.access import SignedInMember, actor_name
from flow_hitl.platform.address import GROUP_PREFIX
from flow_hitl.platform.errors import MalformedJson, ValidationFailed
from flow_hitl.platform.records import dataclass
from flow_hitl.requests.opening.dry_run import DryRun, dry_run

Rules = list[Any]

_NO_OBJECT = "This must be a JSON object, such as the state of a request."


@dataclass(frozen=True)
class RulePages:
    """The caller has checked that the member manages the deployment; positions count from 1.

    Each form has the ETag of the rules that it was made from, in order.
    """

    manage: ManageDeployments
    edit: EditByForm

    def rows(self, member: SignedInMember) -> Sequence[RuleRow]:
        """Return the rules in order."""
        return [
            RuleRow(
                number=number,
                name=rule["name"],
                pattern=rule["match"]["method_name"],
                conditions=conditions_in_words(rule),
                from_input=rule["assign_from_input"],
                to_email=rule["assign_to_email"],
                more=deadlines_in_words(rule),
            )
            for number, rule in enumerate(_rules(member.deployment), start=1)
        ]

    def list_form(self, member: SignedInMember) -> FilledForm:
        """Return the form that moves rules, without fields."""
        return _form(member.deployment, {})

    def form(self, member: SignedInMember, number: int | None) -> FilledForm:
        """Return the form of the rule at a position, None for a new one; raises NotFound."""
        rule = {} if number is None else item_at(_rules(member.deployment), number)
        return _form(member.deployment, rule_fields(rule))

    def groups(self, member: SignedInMember) -> Sequence[str]:
        """Return the deployment's groups as rules name them."""
        groups = member.deployment.settings.groups
        return [f"{GROUP_PREFIX}{group.name}" if group.name else group.address or "" for group in groups]

    def save(self, member: SignedInMember, number: int | None, typed: FilledForm) -> FilledForm | Deployment:
        """Save the rule at a position, or add one at the end.

        Returns the deployment, else the form with what is wrong or changed meanwhile; raises NotFound.
        """
        try:
            rule = rule_of(typed.fields)
        except RepeatedTest as repeated:
            return replace(typed, problems={f"condition_{repeated.row}_path": "This repeats a row above."})
        return self._change(member, typed, lambda rules: with_item(rules, number, rule))

    def remove(self, member: SignedInMember, number: int, typed: FilledForm) -> FilledForm | Deployment:
        """Remove the rule at a position; returns what `save` does."""
        return self._change(member, typed, lambda rules: without_item(rules, number))

    def move(self, member: SignedInMember, number: int, by: int, typed: FilledForm) -> FilledForm | Deployment:
        """Move the rule at a position up (`by` -1) or down (1); returns what `save` does."""

        def change(rules: Rules) -> Rules:
            rule, others = item_at(rules, number), without_item(rules, number)
            place = min(max(number - 1 + by, 0), len(others))
            return [*others[:place], rule, *others[place:]]

        return self._change(member, typed, change)

    def try_out(self, member: SignedInMember, fields: Fields) -> tuple[FilledForm, DryRunView | None]:
        """Return the form of a dry run as filled in, and its result, None if something is wrong with the form."""
        typed = replace(self.trial(), fields=fields)
        try:
            state = json.loads(fields.get("state", "").strip() or "{}")
        except (ValueError, RecursionError) as wrong:
            where = f" {wrong.msg}, in line {wrong.lineno}." if isinstance(wrong, json.JSONDecodeError) else ""
            return replace(typed, problems={"state": f"{_NO_OBJECT}{where}"}), None
        if not isinstance(state, dict):
            return replace(typed, problems={"state": _NO_OBJECT}), None
        asked = {"method_name": fields.get("method_name", "").strip(), "state": state}
        try:
            found = dry_run(member.deployment, parse_document(DryRun, json.dumps(asked)))
        except MalformedJson as wrong:
            return replace(typed, problems={"state": wrong.detail}), None
        except ValidationFailed as refused:
            name = refused.errors[0].field.split("/")[1]
            return replace(typed, problems={name: f"This {refused.errors[0].message}."}), None
        return typed, _result(as_json(found))

    def trial(self) -> FilledForm:
        """Return the empty form of a dry run."""
        return FilledForm(fields={}, etag="", seen=0)

    def _change(
        self, member: SignedInMember, typed: FilledForm, change: Callable[[Rules], Rules]
    ) -> FilledForm | Deployment:
        deployment = member.deployment

        def save() -> Deployment:
            # First, because a position in the list means nothing once the list has changed.
            require_unchanged(typed, as_json(rules_shown(deployment.rules)))
            rules = parse_rules(json.dumps({"rules": change(_rules(deployment))}))
            return self.manage.set_rules(deployment.deployment_id, rules, if_match=typed.etag, actor=actor_name(member))

        return self.edit(
            deployment,
            typed,
            save,
            anew=_form,
            blame=lambda error: rule_problem(typed.fields, error),
            about=of_kinds(EventKind.ROUTING_RULES_CHANGED),
        )


def _rules(deployment: Deployment) -> Rules:
    rules: Rules = as_json(rules_shown(deployment.rules))["rules"]
    return rules


def _form(deployment: Deployment, fields: Mapping[str, str]) -> FilledForm:
    return form_from(deployment, as_json(rules_shown(deployment.rules)), fields)


def _result(found: Mapping[str, Any]) -> DryRunView:
    return DryRunView(
        assigned_to=found["assigned_to_email"],
        reasons=found["reasons"],
        considered=[(one["name"], one["matched"], one["reason"]) for one in found["considered"]],
        deadlines=deadlines_in_words(found),
    )
