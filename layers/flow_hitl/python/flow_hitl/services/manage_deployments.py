"""What an operator does to deployments: create them, issue and revoke keys, set settings and routing rules."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from flow_hitl.domain.address import same_address
from flow_hitl.domain.deployment import ApiKey, Deployment, DeploymentSettings, Member, Permission, RoutingRule
from flow_hitl.domain.errors import NotFound
from flow_hitl.ports import Clock, DeploymentStore
from flow_hitl.services.authenticate import secret_digest
from flow_hitl.signing.keys import KeyRing, resume_signing_secret


@dataclass(frozen=True)
class IssuedKey:
    """An API key together with its secret text, which is shown this once."""

    api_key: ApiKey
    text: str


@dataclass(frozen=True)
class ManageDeployments:
    """Every change reads the deployment, changes one thing and writes it back if nobody else has in between."""

    deployments: DeploymentStore
    keys: KeyRing
    clock: Clock

    def create(self, *, name: str, creator_email: str, organization_id: int) -> Deployment:
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
        self.deployments.save(deployment, expected_version=None)
        return deployment

    def list(self) -> Sequence[Deployment]:
        return [self.deployments.load(deployment_id) for deployment_id in self.deployments.list_ids()]

    def show(self, deployment_id: int) -> Deployment:
        return self.deployments.load(deployment_id)

    def issue_key(
        self, deployment_id: int, *, name: str, permissions: frozenset[Permission], expires_at: datetime | None = None
    ) -> IssuedKey:
        """Add an API key and return it with its text `hitl_<deployment>_<key id>_<secret>`."""
        secret, key_id = secrets.token_urlsafe(32), secrets.token_hex(4)
        api_key = ApiKey(key_id, name, secret_digest(secret), permissions, self.clock.now(), expires_at)
        deployment = self.deployments.load(deployment_id)
        self._save(deployment, api_keys={**deployment.api_keys, key_id: api_key})
        return IssuedKey(api_key, f"hitl_{deployment_id}_{key_id}_{secret}")

    def revoke_key(self, deployment_id: int, key_id: str) -> ApiKey:
        """Remove an API key, from the next request on; raises NotFound."""
        deployment = self.deployments.load(deployment_id)
        remaining: Mapping[str, ApiKey] = {kid: key for kid, key in deployment.api_keys.items() if kid != key_id}
        if key_id not in deployment.api_keys:
            raise NotFound(f"Deployment {deployment_id} has no API key {key_id}.")
        self._save(deployment, api_keys=remaining)
        return deployment.api_keys[key_id]

    def set_settings(self, deployment_id: int, settings: DeploymentSettings) -> Deployment:
        return self._save(self.deployments.load(deployment_id), settings=settings)

    def set_rules(self, deployment_id: int, rules: Sequence[RoutingRule]) -> Deployment:
        return self._save(self.deployments.load(deployment_id), rules=tuple(rules))

    def set_member(self, deployment_id: int, member: Member) -> Deployment:
        """Add a member, or replace the one of the same address."""
        deployment = self.deployments.load(deployment_id)
        others = tuple(one for one in deployment.members if not same_address(one.email, member.email))
        return self._save(deployment, members=(*others, member))

    def remove_member(self, deployment_id: int, email: str) -> Deployment:
        """Remove a member; raises NotFound."""
        deployment = self.deployments.load(deployment_id)
        others = tuple(one for one in deployment.members if not same_address(one.email, email))
        if len(others) == len(deployment.members):
            raise NotFound(f"Deployment {deployment_id} has no member {email}.")
        return self._save(deployment, members=others)

    def resume_secret(self, deployment_id: int) -> str:
        """Return the secret with which the deployment's resumptions are signed."""
        deployment = self.deployments.load(deployment_id)
        key = self.keys.key(deployment.resume_key_id)
        if key is None:
            raise NotFound(f"The signing key {deployment.resume_key_id} is not in the key ring.")
        return resume_signing_secret(key, deployment_id)

    def _save(self, deployment: Deployment, **changes: object) -> Deployment:
        changed: Deployment = replace(deployment, version=deployment.version + 1, **changes)  # type: ignore[arg-type]
        self.deployments.save(changed, expected_version=deployment.version)
        return changed
