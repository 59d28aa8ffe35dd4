"""Deployments, and how they are changed."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from flow_hitl.platform.wiring import PlatformParts

if TYPE_CHECKING:
    from flow_hitl.deployments.change_configuration import ChangeConfiguration
    from flow_hitl.deployments.count_usage import CountAnswers, CountUsage
    from flow_hitl.deployments.deployment_store import DynamoDeploymentStore
    from flow_hitl.deployments.key_uses import DynamoKeyUses
    from flow_hitl.deployments.manage_deployments import ManageDeployments
    from flow_hitl.deployments.manage_signing_keys import ManageSigningKeys


class DeploymentsParts(PlatformParts):
    @cached_property
    def _deployments(self) -> DynamoDeploymentStore:
        from flow_hitl.deployments.deployment_store import DynamoDeploymentStore

        settings = self.settings
        return DynamoDeploymentStore(
            self.client("dynamodb"), settings.deployments_table, settings.audit_table, settings.requests_table
        )

    @cached_property
    def _key_uses(self) -> DynamoKeyUses:
        from flow_hitl.deployments.key_uses import DynamoKeyUses

        return DynamoKeyUses(self.client("dynamodb"), self.settings.requests_table)

    @cached_property
    def count_usage(self) -> CountUsage:
        from flow_hitl.deployments.count_usage import CountUsage
        from flow_hitl.deployments.usage_log import DynamoUsageLog

        return CountUsage(DynamoUsageLog(self.client("dynamodb"), self.settings.deployments_table))

    @cached_property
    def count_answers(self) -> CountAnswers:
        from flow_hitl.deployments.count_usage import CountAnswers
        from flow_hitl.deployments.usage_log import DynamoUsageLog

        return CountAnswers(DynamoUsageLog(self.client("dynamodb"), self.settings.deployments_table))

    @cached_property
    def manage_deployments(self) -> ManageDeployments:
        from flow_hitl.deployments.manage_deployments import ManageDeployments

        return ManageDeployments(
            self._deployments, self.change_configuration, self._key_uses, self.once, self._keys, self.clock
        )

    @cached_property
    def change_configuration(self) -> ChangeConfiguration:
        from flow_hitl.deployments.change_configuration import ChangeConfiguration

        return ChangeConfiguration(self._deployments, self.clock, self.ids, self.pause)

    @cached_property
    def manage_signing_keys(self) -> ManageSigningKeys:
        from flow_hitl.deployments.manage_signing_keys import ManageSigningKeys

        return ManageSigningKeys(self._keys, self._deployments, self.clock)
