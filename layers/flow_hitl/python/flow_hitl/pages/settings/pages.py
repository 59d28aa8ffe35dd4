"""The settings on the managers' pages, part by part.

Each form has the ETag of its part: changes of other parts do not conflict with it, and none of its own is overwritten.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flow_hitl.audit.chain import EventKind
from flow_hitl.contract.etags import etag
from flow_hitl.contract.shapes import as_json
from flow_hitl.deployments.configuration_documents import parse_settings
from flow_hitl.deployments.deployment import Deployment
from flow_hitl.deployments.manage_deployments import ManageDeployments
from flow_hitl.deployments.settings import SettingsPart
from flow_hitl.pages.settings.edit_by_form import EditByForm, form_from, of_kinds, require_unchanged
from flow_hitl.pages.settings.forms import (
    PARTS,
    Document,
    document_of,
    fields_of,
    group_fields,
    group_of,
    group_problem,
    members_of,
    problem_of,
)
from flow_hitl.pages.settings.view import FilledForm, GroupRow
from flow_hitl.people.access import SignedInMember, actor_name
from flow_hitl.platform.errors import FieldError, NotFound
from flow_hitl.platform.records import dataclass
from flow_hitl.requests.ports import RequestStore

_RECENT = 20


@dataclass(frozen=True)
class SettingsPages:
    """The caller has checked that the member manages the deployment; positions count from 1."""

    manage: ManageDeployments
    edit: EditByForm
    requests: RequestStore

    def form(self, member: SignedInMember, part: SettingsPart) -> FilledForm:
        """Return the form of a part, except for groups."""
        document = as_json(member.deployment.settings)
        return _form(member.deployment, part, fields_of(part, document))

    def save(self, member: SignedInMember, part: SettingsPart, typed: FilledForm) -> FilledForm | Deployment:
        """Save a part; returns the deployment, else the form with what is wrong or changed meanwhile."""

        def change(document: Document) -> Document:
            return {**document, **document_of(part, typed.fields)}

        return self._save(member, part, typed, change, lambda error: problem_of(part, typed.fields, error))

    def outcomes(self, member: SignedInMember) -> Sequence[str]:
        """Return the emit options of the latest requests."""
        heads = self.requests.recent_heads(member.deployment.deployment_id, _RECENT)
        return tuple(dict.fromkeys(option for head in heads for option in head.emit_options))

    def groups(self, member: SignedInMember) -> Sequence[GroupRow]:
        """Return the groups in order."""
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
        """Return the form of the group at a position, None for a new one; raises NotFound."""
        groups = as_json(member.deployment.settings)["groups"]
        group = {} if number is None else item_at(groups, number)
        return _form(member.deployment, SettingsPart.GROUPS, group_fields(group))

    def save_group(self, member: SignedInMember, number: int | None, typed: FilledForm) -> FilledForm | Deployment:
        """Save the group at a position, or add one; returns what `save` does."""
        return self._save_groups(member, typed, lambda groups: with_item(groups, number, group_of(typed.fields)))

    def remove_group(self, member: SignedInMember, number: int, typed: FilledForm) -> FilledForm | Deployment:
        """Remove the group at a position; returns what `save` does."""
        return self._save_groups(member, typed, lambda groups: without_item(groups, number))

    def _save_groups(
        self, member: SignedInMember, typed: FilledForm, change: Callable[[Sequence[Document]], Sequence[Document]]
    ) -> FilledForm | Deployment:
        def change_groups(document: Document) -> Document:
            return {**document, "groups": change(document["groups"])}

        return self._save(
            member, SettingsPart.GROUPS, typed, change_groups, lambda error: group_problem(typed.fields, error)
        )

    def _save(
        self,
        member: SignedInMember,
        part: SettingsPart,
        typed: FilledForm,
        change: Callable[[Document], Document],
        blame: Callable[[FieldError], tuple[str, str]],
    ) -> FilledForm | Deployment:
        deployment = member.deployment

        def save() -> Deployment:
            document = as_json(deployment.settings)
            require_unchanged(typed, members_of(part, document))
            settings = parse_settings(json.dumps(change(document)))
            return self.manage.set_settings(
                deployment.deployment_id, settings, if_match=etag(document), actor=actor_name(member)
            )

        return self.edit(
            deployment,
            typed,
            save,
            anew=lambda found, fields: _form(found, part, fields),
            blame=blame,
            about=of_kinds(EventKind.SETTINGS_CHANGED),
            only=tuple(PARTS[part]),
        )


def item_at(items: Sequence[Any], number: int) -> Any:
    """Return the item at a position, from 1; raises NotFound."""
    if not 1 <= number <= len(items):
        raise NotFound("There is no such entry in the list.")
    return items[number - 1]


def with_item(items: Sequence[Any], number: int | None, item: Any) -> list[Any]:
    """Return a list with an item replaced, or with one more at its end; raises NotFound."""
    if number is None:
        return [*items, item]
    item_at(items, number)
    return [item if place == number else one for place, one in enumerate(items, start=1)]


def without_item(items: Sequence[Any], number: int) -> list[Any]:
    """Return a list without the item at a position; raises NotFound."""
    item_at(items, number)
    return [one for place, one in enumerate(items, start=1) if place != number]


def _form(deployment: Deployment, part: SettingsPart, fields: Mapping[str, str]) -> FilledForm:
    return form_from(deployment, members_of(part, as_json(deployment.settings)), fields)
