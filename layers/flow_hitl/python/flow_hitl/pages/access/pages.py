"""Members and API keys on the managers' pages."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from flow_hitl.audit.chain import AuditEvent, EventKind
from flow_hitl.contract.shapes import as_json
from flow_hitl.contract.validation import parse_document
from flow_hitl.deployments.access_documents import NewApiKey, parse_member
from flow_hitl.deployments.answers import key_facts
from flow_hitl.deployments.deployment import KEYS_MAY, Deployment, Member, Permission
from flow_hitl.deployments.manage_deployments import IssuedKey, ManageDeployments, member_of
from flow_hitl.pages.settings.edit_by_form import EditByForm, form_from, of_kinds
from flow_hitl.pages.settings.forms import Fields, lines_in, quoted, sentence, text_in, ticked
from flow_hitl.pages.settings.view import ApiKeyRow, FilledForm
from flow_hitl.people import access
from flow_hitl.platform.address import is_mail_address, same_address
from flow_hitl.platform.errors import FieldError
from flow_hitl.platform.ports import Clock
from flow_hitl.platform.records import dataclass

MEMBERS_MAY = (Permission.MANAGE, Permission.RESPOND)


@dataclass(frozen=True)
class AccessPages:
    """The caller has checked that the person manages the deployment."""

    manage: ManageDeployments
    edit: EditByForm
    clock: Clock

    def members(self, person: access.SignedInMember) -> Sequence[Member]:
        """Return the members by address, without the deployment's creator unless someone added them."""
        return sorted(person.deployment.members, key=lambda one: one.email.lower())

    def new_member_form(self, person: access.SignedInMember) -> FilledForm:
        """Return the form that adds a member, by default to respond."""
        return _member_form(person.deployment, None, {Permission.RESPOND.value: "on"})

    def member_form(self, person: access.SignedInMember, email: str) -> FilledForm:
        """Return the form of a member; raises NotFound."""
        member = member_of(person.deployment, email)
        allowed = {permission.value: "on" for permission in member.permissions}
        return _member_form(
            person.deployment,
            member,
            {**allowed, "aliases": "\n".join(member.aliases), "timezone": member.timezone or ""},
        )

    def add_member(self, person: access.SignedInMember, typed: FilledForm) -> FilledForm | Deployment:
        """Add a member; returns the deployment, else the form with what is wrong or changed meanwhile."""
        email = text_in(typed.fields, "email") or ""
        if not is_mail_address(email):
            problem = "Enter one plain email address, for example alice@example.com."
            return replace(typed, problems={"email": problem})
        if any(same_address(one.email, email) for one in person.deployment.members):
            problem = "This person is already a member. Choose them in the list to change their permissions."
            return replace(typed, problems={"email": problem})
        return self.save_member(person, email, typed)

    def save_member(self, person: access.SignedInMember, email: str, typed: FilledForm) -> FilledForm | Deployment:
        """Set a member; returns the deployment, else the form with what is wrong or changed meanwhile."""
        fields = typed.fields
        document = {
            "email": email,
            "permissions": [permission.value for permission in MEMBERS_MAY if ticked(fields, permission.value)],
            "aliases": lines_in(fields, "aliases"),
            "timezone": text_in(fields, "timezone"),
        }
        return self._edit_member(
            person,
            email,
            typed,
            lambda: self.manage.set_member(
                person.deployment.deployment_id,
                parse_member(email, json.dumps(document)),
                if_match=typed.etag,
                actor=access.actor_name(person),
            ),
        )

    def remove_member(self, person: access.SignedInMember, email: str, typed: FilledForm) -> FilledForm | Deployment:
        """Remove a member; returns the deployment, else the form with what changed meanwhile; raises NotFound."""
        return self._edit_member(
            person,
            email,
            typed,
            lambda: self.manage.remove_member(
                person.deployment.deployment_id, email, if_match=typed.etag, actor=access.actor_name(person)
            ),
        )

    def keys(self, person: access.SignedInMember) -> Sequence[ApiKeyRow]:
        """Return the API keys, oldest first."""
        deployment, now = person.deployment, self.clock.now()
        uses = self.manage.last_uses(deployment.deployment_id)
        return [
            ApiKeyRow(
                key_id=key.key_id,
                name=key.name,
                permissions=sorted(permission.value for permission in key.permissions),
                created_at=key.created_at,
                expires_at=key.expires_at,
                expired=key.expires_at is not None and key.expires_at <= now,
                last_used_at=uses.get(key.key_id),
            )
            for key in deployment.keys_by_age
        ]

    def key_form(self, person: access.SignedInMember) -> FilledForm:
        """Return the form that issues a key, by default for a flow."""
        return _key_form(person.deployment, {Permission.CREATE_REQUESTS.value: "on"})

    def issue_key(self, person: access.SignedInMember, typed: FilledForm) -> FilledForm | IssuedKey:
        """Issue a key and return it with its secret, else the form with what is wrong or changed meanwhile.

        A form that is sent twice issues one key, because issuing one changes the list.
        """
        deployment, fields = person.deployment, typed.fields
        day = text_in(fields, "expires_on")
        document = {
            "name": fields.get("name", "").strip(),
            "permissions": [permission.value for permission in sorted(KEYS_MAY) if ticked(fields, permission.value)],
            "expires_at": f"{day}T23:59:59Z" if day else None,
        }

        def save() -> IssuedKey:
            wish = parse_document(NewApiKey, json.dumps(document))
            return self.manage.issue_key(
                deployment.deployment_id,
                name=wish.name,
                permissions=wish.allowed,
                expires_at=wish.expiry,
                if_match=typed.etag,
                actor=access.actor_name(person),
            )

        about = of_kinds(EventKind.API_KEY_ISSUED, EventKind.API_KEY_REVOKED)
        return self.edit(deployment, typed, save, anew=_key_form, blame=_key_problem, about=about)

    def revoke_key(self, person: access.SignedInMember, key_id: str) -> None:
        """Revoke a key; raises NotFound."""
        self.manage.revoke_key(person.deployment.deployment_id, key_id, actor=access.actor_name(person))

    def _edit_member(
        self, person: access.SignedInMember, email: str, typed: FilledForm, save: Callable[[], Deployment]
    ) -> FilledForm | Deployment:
        def anew(deployment: Deployment, fields: Fields) -> FilledForm:
            now = next((one for one in deployment.members if same_address(one.email, email)), None)
            return _member_form(deployment, now, fields)

        def about(event: AuditEvent) -> bool:
            member: dict[str, Any] = event.data.get("after") or event.data.get("before") or {}
            kinds = (EventKind.MEMBER_SET, EventKind.MEMBER_REMOVED)
            return event.kind in kinds and same_address(str(member.get("email")), email)

        return self.edit(person.deployment, typed, save, anew=anew, blame=_member_blame(typed.fields), about=about)


def _member_form(deployment: Deployment, member: Member | None, fields: Fields) -> FilledForm:
    return form_from(deployment, as_json(member), fields)


def _key_form(deployment: Deployment, fields: Fields) -> FilledForm:
    return form_from(deployment, key_facts(deployment), fields)


def _member_blame(fields: Fields) -> Callable[[FieldError], tuple[str, str]]:
    def blame(error: FieldError) -> tuple[str, str]:
        first, *rest = error.field.lstrip("/").split("/")
        if first == "aliases" and rest:
            return first, quoted(lines_in(fields, "aliases"), rest[0], error)
        return first, sentence(error)

    return blame


def _key_problem(error: FieldError) -> tuple[str, str]:
    match error.field.lstrip("/").split("/")[0]:
        case "name":
            return "name", "Enter a name, up to 256 characters, that tells the key apart from others."
        case "permissions":
            return "permissions", "Choose at least one."
        case "expires_at":
            return "expires_on", "Choose today or a later day, such as 2027-01-31, or leave it empty."
        case _:
            return "", sentence(error)
