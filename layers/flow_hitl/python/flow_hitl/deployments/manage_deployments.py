"""What is done to deployments, by API and by the operator: create them, set settings, rules, members and API keys."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from flow_hitl.audit.chain import EventKind
from flow_hitl.contract.etags import require_match
from flow_hitl.contract.rotation import RotatedSecret, Rotation
from flow_hitl.contract.shapes import as_json
from flow_hitl.deployments.answers import KeyShown, key_facts, rules_shown
from flow_hitl.deployments.change_configuration import ChangeConfiguration, Configured
from flow_hitl.deployments.deployment import (
    OPERATOR,
    ApiKey,
    Deployment,
    DeploymentSettings,
    Member,
    Permission,
    ResumeSecret,
    RoutingRule,
)
from flow_hitl.deployments.ports import DeploymentStore, KeyUses
from flow_hitl.deployments.quotas import Usage
from flow_hitl.deployments.resume_secret import resume_secret_of
from flow_hitl.platform.address import same_address
from flow_hitl.platform.digests import secret_digest
from flow_hitl.platform.errors import FieldError, NotFound, ValidationFailed
from flow_hitl.platform.key_ring import KeyRing
from flow_hitl.platform.once import Once, Remember
from flow_hitl.platform.ports import Clock
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.repeated_calls import Call, CallRecord
from flow_hitl.platform.times import rfc3339

_MAX_KEYS = 100
_MAX_MEMBERS = 500


@dataclass(frozen=True)
class IssuedKey:
    """An API key together with its secret text, which is shown this once."""

    api_key: ApiKey
    text: str


@dataclass(frozen=True)
class ManageDeployments:
    """Every change is one transaction with an event in the deployment's chain; `actor` is who the event names."""

    deployments: DeploymentStore
    change_configuration: ChangeConfiguration
    uses: KeyUses
    once: Once
    keys: KeyRing
    clock: Clock

    def create(self, *, name: str, creator_email: str, organization_id: int, actor: str = OPERATOR) -> Deployment:
        deployment = Deployment(
            deployment_id=self.deployments.next_id(),
            name=name,
            organization_id=organization_id,
            creator_email=creator_email,
            settings=DeploymentSettings(),
            rules=(),
            api_keys={},
            resume_key_id=self.keys.active_id(),
            version=1,
        )
        facts = {"name": name, "creator_email": creator_email, "organization_id": organization_id}
        return self.change_configuration.create(deployment, actor, facts)

    def list(self) -> Sequence[Deployment]:
        return [self.deployments.load(deployment_id) for deployment_id in self.deployments.list_ids()]

    def show(self, deployment_id: int) -> Deployment:
        return self.deployments.load(deployment_id)

    def usage(self, deployment_id: int) -> Usage:
        """Return what a deployment has used of its quotas, as far as it is counted by now."""
        return self.deployments.load_with_usage(deployment_id, self.clock.now())[1]

    def set_quotas(
        self,
        deployment_id: int,
        *,
        requests_per_hour: int | None = None,
        mails_per_day: int | None = None,
        actor: str = OPERATOR,
    ) -> Deployment:
        """Change the quotas that are given, from the next call on."""
        given = {"requests_per_hour": requests_per_hour, "mails_per_day": mails_per_day}
        changes = {name: limit for name, limit in given.items() if limit is not None}
        step = _replacing(
            lambda found: asdict(found.quotas), lambda found: replace(found, quotas=replace(found.quotas, **changes))
        )
        return self.change_configuration(deployment_id, EventKind.QUOTAS_CHANGED, actor, step)

    def set_settings(
        self,
        deployment_id: int,
        settings: DeploymentSettings,
        *,
        if_match: str | None = None,
        actor: str = OPERATOR,
    ) -> Deployment:
        """Replace the settings; raises PreconditionFailed if they are no longer those that `if_match` names."""
        step = _replacing(
            lambda found: as_json(found.settings), lambda found: replace(found, settings=settings), if_match
        )
        return self.change_configuration(deployment_id, EventKind.SETTINGS_CHANGED, actor, step)

    def set_rules(
        self,
        deployment_id: int,
        rules: Sequence[RoutingRule],
        *,
        if_match: str | None = None,
        actor: str = OPERATOR,
    ) -> Deployment:
        """Replace all routing rules; raises PreconditionFailed if they are no longer those that `if_match` names."""
        step = _replacing(
            lambda found: as_json(rules_shown(found.rules)), lambda found: replace(found, rules=tuple(rules)), if_match
        )
        return self.change_configuration(deployment_id, EventKind.ROUTING_RULES_CHANGED, actor, step)

    def set_member(
        self, deployment_id: int, member: Member, *, if_match: str | None = None, actor: str = OPERATOR
    ) -> Deployment:
        """Add a member, or replace the one of the same address.

        Raises PreconditionFailed if that is no longer the one that `if_match` names, null for none.
        """

        def step(found: Deployment) -> Configured | None:
            old = next((one for one in found.members if same_address(one.email, member.email)), None)
            require_match(if_match, as_json(old))
            if old == member:
                return None
            others = tuple(one for one in found.members if one is not old)
            if len(others) >= _MAX_MEMBERS:
                raise ValidationFailed([FieldError("", f"a deployment may have {_MAX_MEMBERS} members at most")])
            return Configured(replace(found, members=(*others, member)), as_json(old), as_json(member))

        return self.change_configuration(deployment_id, EventKind.MEMBER_SET, actor, step)

    def remove_member(
        self, deployment_id: int, email: str, *, if_match: str | None = None, actor: str = OPERATOR
    ) -> Deployment:
        """Remove a member; raises NotFound, and PreconditionFailed if it is no longer the one that `if_match` names."""

        def step(found: Deployment) -> Configured:
            old = member_of(found, email)
            require_match(if_match, as_json(old))
            others = tuple(one for one in found.members if one is not old)
            return Configured(replace(found, members=others), as_json(old), None)

        return self.change_configuration(deployment_id, EventKind.MEMBER_REMOVED, actor, step)

    def issue_key(
        self,
        deployment_id: int,
        *,
        name: str,
        permissions: frozenset[Permission],
        expires_at: datetime | None = None,
        if_match: str | None = None,
        actor: str = OPERATOR,
        call: Call | None = None,
    ) -> IssuedKey:
        """Add an API key and return it with its text `hitl_<deployment>_<key id>_<secret>`.

        Raises ValidationFailed for a time that is not in the future, or if there are too many keys, and
        PreconditionFailed if the keys are no longer those that `if_match` names.
        """

        def make(remember: Remember) -> IssuedKey:
            return self._issue_key(deployment_id, name, permissions, expires_at, if_match, actor, remember)

        def again(record: CallRecord) -> IssuedKey:
            return IssuedKey(key_of(self.deployments.load(deployment_id), record.made), self.once.secret(record))

        return self.once(call, make, again)

    def _issue_key(
        self,
        deployment_id: int,
        name: str,
        permissions: frozenset[Permission],
        expires_at: datetime | None,
        if_match: str | None,
        actor: str,
        remember: Remember,
    ) -> IssuedKey:
        now = self.clock.now()
        if expires_at is not None and expires_at <= now:
            raise ValidationFailed([FieldError("/expires_at", "must be in the future")])
        secret, key_id = secrets.token_urlsafe(32), secrets.token_hex(4)
        api_key = ApiKey(key_id, name, secret_digest(secret), permissions, now, expires_at)

        def step(found: Deployment) -> Configured:
            require_match(if_match, key_facts(found))
            if len(found.api_keys) >= _MAX_KEYS:
                raise ValidationFailed([FieldError("", f"there are {_MAX_KEYS} API keys already; delete one first")])
            changed = replace(found, api_keys={**found.api_keys, key_id: api_key})
            return Configured(changed, None, as_json(api_key, KeyShown))

        text = f"hitl_{deployment_id}_{key_id}_{secret}"
        self.change_configuration(deployment_id, EventKind.API_KEY_ISSUED, actor, step, remember(key_id, text))
        return IssuedKey(api_key, text)

    def revoke_key(self, deployment_id: int, key_id: str, *, actor: str = OPERATOR) -> ApiKey:
        """Remove an API key, from the next request on, and return it; raises NotFound."""
        revoked: dict[str, ApiKey] = {}

        def step(found: Deployment) -> Configured:
            revoked[key_id] = key_of(found, key_id)
            remaining = {kid: key for kid, key in found.api_keys.items() if kid != key_id}
            return Configured(replace(found, api_keys=remaining), as_json(revoked[key_id], KeyShown), None)

        self.change_configuration(deployment_id, EventKind.API_KEY_REVOKED, actor, step)
        return revoked[key_id]

    def index_people(self) -> int:
        """Write anew, for every deployment, who may sign in; return how many there are. Changes do it by themselves."""
        deployment_ids = self.deployments.list_ids()
        for deployment_id in deployment_ids:
            self.deployments.write_people(self.deployments.load(deployment_id))
        return len(deployment_ids)

    def last_uses(self, deployment_id: int) -> Mapping[str, datetime]:
        """Return when each API key was used last, to the hour, by key id; those never used are missing."""
        return self.uses.last(deployment_id)

    def resume_secret(self, deployment_id: int) -> str:
        """Return the secret with which the deployment's resumptions are signed now."""
        return self._secret(deployment_id, self.deployments.load(deployment_id).resume_secret_at(self.clock.now()))

    def next_resume_secret(self, deployment_id: int) -> RotatedSecret | None:
        """Return the secret that is still to sign, and from when on, if there is one."""
        found = self.deployments.load(deployment_id).next_resume_secret(self.clock.now())
        if found is None or found.signs_from is None:
            return None
        return RotatedSecret(self._secret(deployment_id, found), found.signs_from)

    def rotate_resume_secret(
        self, deployment_id: int, wish: Rotation, *, actor: str = OPERATOR, call: Call | None = None
    ) -> RotatedSecret:
        """Give a deployment a new resume secret, of the active signing key; until it signs, the old one does.

        Raises NotFound and ValidationFailed.
        """

        def issued(key_id: str, rotation: str, signs_from: datetime) -> RotatedSecret:
            return RotatedSecret(self._secret(deployment_id, ResumeSecret(key_id, rotation)), signs_from)

        def make(remember: Remember) -> RotatedSecret:
            now, rotation = self.clock.now(), secrets.token_hex(8)
            new = ResumeSecret(self.keys.active_id(), rotation, wish.moment(now))

            def step(found: Deployment) -> Configured:
                changed = found.with_resume_secret(new, now)
                return Configured(changed, _resume_audited(found), _resume_audited(changed))

            kind, signs_from = EventKind.RESUME_SECRET_ROTATED, wish.moment(now)
            made = remember(f"{new.key_id}/{rotation}/{signs_from.isoformat()}")
            self.change_configuration(deployment_id, kind, actor, step, made)
            return issued(new.key_id, rotation, signs_from)

        def again(record: CallRecord) -> RotatedSecret:
            key_id, rotation, signs_from = record.made.split("/")
            return issued(key_id, rotation, datetime.fromisoformat(signs_from))

        return self.once(call, make, again)

    def _secret(self, deployment_id: int, wanted: ResumeSecret) -> str:
        try:
            return resume_secret_of(self.keys, deployment_id, wanted)
        except LookupError as gone:
            raise NotFound(f"The resume secret cannot be derived: {gone}.") from None


def _replacing(
    document: Callable[[Deployment], Any], change: Callable[[Deployment], Deployment], if_match: str | None = None
) -> Callable[[Deployment], Configured | None]:
    """Return the step that makes a change, unless the document of it stays as it is or is not what `if_match` names."""

    def step(found: Deployment) -> Configured | None:
        changed = change(found)
        before, after = document(found), document(changed)
        require_match(if_match, before)
        return Configured(changed, before, after) if after != before else None

    return step


def _resume_audited(found: Deployment) -> Mapping[str, Any]:
    """Return what the log shows of the resume secrets: which they are, and nothing that they could be derived from."""
    newest = found.resume_secrets[-1] if found.resume_secrets else ResumeSecret(found.resume_key_id)
    moment = rfc3339(newest.signs_from) if newest.signs_from else None
    return {"signing_key": newest.key_id, "rotation": newest.rotation, "resume_secret_signs_from": moment}


def member_of(deployment: Deployment, email: str) -> Member:
    """Return the member of an address; raises NotFound."""
    found = next((one for one in deployment.members if same_address(one.email, email)), None)
    if found is None:
        raise NotFound(f"Deployment {deployment.deployment_id} has no member {email}.")
    return found


def key_of(deployment: Deployment, key_id: str) -> ApiKey:
    """Return the API key of an id; raises NotFound."""
    found = deployment.api_keys.get(key_id)
    if found is None:
        raise NotFound(f"Deployment {deployment.deployment_id} has no API key {key_id}.")
    return found
