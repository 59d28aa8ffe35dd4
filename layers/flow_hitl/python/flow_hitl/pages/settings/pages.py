"""The settings as managers see and change them on the dashboard, part by part.

A form says by an ETag which state of its part it was made from: who changes another part meanwhile does not touch it,
and who changes the same part is not overwritten unseen.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flow_hitl.audit.chain import EventKind
from flow_hitl.contract.etags import etag
from flow_hitl.deployments.configuration_documents import parse_settings, settings_to_dict
from flow_hitl.deployments.deployment import Deployment
from flow_hitl.deployments.manage_deployments import ManageDeployments
from flow_hitl.pages.settings.changes_by_others import OthersChanges, of_kinds
from flow_hitl.pages.settings.forms import (
    KEYS,
    Document,
    SettingsPart,
    document_of,
    fields_of,
    group_fields,
    group_of,
    group_problem,
    part_etag,
    problem_of,
    problems_by_field,
)
from flow_hitl.pages.settings.view import FilledForm, GroupRow
from flow_hitl.people.access import SignedInMember, actor_name
from flow_hitl.platform.errors import FieldError, NotFound, PreconditionFailed, ValidationFailed
from flow_hitl.requests.ports import RequestStore

_RECENT = 20


@dataclass(frozen=True)
class SettingsPages:
    """Whoever calls this has seen to it that the member manages the deployment."""

    manage: ManageDeployments
    others_changes: OthersChanges
    requests: RequestStore

    def form(self, member: SignedInMember, part: SettingsPart) -> FilledForm:
        """Return the form of a part, any but the groups, with what holds now."""
        document = settings_to_dict(member.deployment.settings)
        return _form(member.deployment, part, fields_of(part, document))

    def save(self, member: SignedInMember, part: SettingsPart, typed: FilledForm) -> FilledForm | None:
        """Save a part; returns None once it is done, else the form with what is wrong or has changed meanwhile."""

        def change(document: Document) -> Document:
            return {**document, **document_of(part, typed.fields)}

        return self._save(member, part, typed, change, lambda error: problem_of(part, typed.fields, error))

    def outcomes(self, member: SignedInMember) -> Sequence[str]:
        """Return the emit options of the latest requests, each once."""
        heads = self.requests.recent_heads(member.deployment.deployment_id, _RECENT)
        return tuple(dict.fromkeys(option for head in heads for option in head.emit_options))

    def groups(self, member: SignedInMember) -> Sequence[GroupRow]:
        """Return the groups in their order."""
        return [
            GroupRow(
                number=number,
                title=group.name or group.address or "",
                address=group.address if group.name else None,
                members=group.members,
            )
            for number, group in enumerate(member.deployment.settings.groups, start=1)
        ]

    def group_form(self, member: SignedInMember, number: int | None) -> FilledForm:
        """Return the form of the group at a place (from 1), None for a new one; raises NotFound."""
        groups = settings_to_dict(member.deployment.settings)["groups"]
        group = {} if number is None else item_at(groups, number)
        return _form(member.deployment, SettingsPart.GROUPS, group_fields(group))

    def save_group(self, member: SignedInMember, number: int | None, typed: FilledForm) -> FilledForm | None:
        """Save the group at a place (from 1) or add one; returns None once it is done, else the form as `save` does."""

        def change(document: Document) -> Document:
            return {**document, "groups": with_item(document["groups"], number, group_of(typed.fields))}

        return self._save(member, SettingsPart.GROUPS, typed, change, lambda error: group_problem(typed.fields, error))

    def remove_group(self, member: SignedInMember, number: int, typed: FilledForm) -> FilledForm | None:
        """Remove the group at a place (from 1); returns None once it is done, else what has changed meanwhile."""

        def change(document: Document) -> Document:
            return {**document, "groups": without_item(document["groups"], number)}

        return self._save(member, SettingsPart.GROUPS, typed, change, lambda error: group_problem(typed.fields, error))

    def _save(
        self,
        member: SignedInMember,
        part: SettingsPart,
        typed: FilledForm,
        change: Callable[[Document], Document],
        blame: Callable[[FieldError], tuple[str, str]],
    ) -> FilledForm | None:
        deployment = member.deployment
        document = settings_to_dict(deployment.settings)
        if part_etag(part, document) != typed.etag:
            return self._conflict(deployment, part, typed)
        try:
            settings = parse_settings(json.dumps(change(document)))
            self.manage.set_settings(
                deployment.deployment_id, settings, if_match=etag(document), actor=actor_name(member)
            )
        except ValidationFailed as refused:
            return replace(typed, problems=problems_by_field(refused.errors, blame))
        except PreconditionFailed:
            # Changed since it was read for this very form.
            return self._conflict(self.manage.show(deployment.deployment_id), part, typed)
        return None

    def _conflict(self, deployment: Deployment, part: SettingsPart, typed: FilledForm) -> FilledForm:
        about = of_kinds(EventKind.SETTINGS_CHANGED)
        others = self.others_changes(deployment.deployment_id, typed.seen, about, KEYS[part])
        return replace(_form(deployment, part, typed.fields), conflict=True, others=others)


def item_at(items: Sequence[Any], number: int) -> Any:
    """Return the item at a place, from 1; raises NotFound."""
    if not 1 <= number <= len(items):
        raise NotFound("There is nothing at this place of the list.")
    return items[number - 1]


def with_item(items: Sequence[Any], number: int | None, item: Any) -> list[Any]:
    """Return a list with another item at a place (from 1), or with one more at its end; raises NotFound."""
    if number is None:
        return [*items, item]
    item_at(items, number)
    return [item if place == number else one for place, one in enumerate(items, start=1)]


def without_item(items: Sequence[Any], number: int) -> list[Any]:
    """Return a list without the item at a place (from 1); raises NotFound."""
    item_at(items, number)
    return [one for place, one in enumerate(items, start=1) if place != number]


def _form(deployment: Deployment, part: SettingsPart, fields: Mapping[str, str]) -> FilledForm:
    tag = part_etag(part, settings_to_dict(deployment.settings))
    return FilledForm(fields=fields, etag=tag, seen=deployment.audit_seq)
