"""Warn when a saved configuration is allowed but probably not what its author means."""

from collections.abc import Iterator, Mapping

from flow_hitl.deployments.deployment import AutoResponseSetting, Deployment
from flow_hitl.platform.records import dataclass
from flow_hitl.requests.deciding.matching import spelling_advice
from flow_hitl.requests.ports import RequestStore

_RECENT = 20
_UNHEARD = (
    "Email notifications are off and no webhook is active: requests will only appear in the dashboard. "
    "Sign-in and confirmation emails are still sent."
)


@dataclass(frozen=True)
class ConfigurationWarnings:
    """Check a deployment's configuration and its recent requests."""

    requests: RequestStore

    def __call__(self, deployment: Deployment) -> tuple[str, ...]:
        """Return a sentence for each warning."""
        return (*self.of_email(deployment), *self.of_rules(deployment), *self.of_auto_response(deployment))

    def of_email(self, deployment: Deployment) -> tuple[str, ...]:
        """Return warnings about email notifications."""
        if deployment.settings.email_notifications or deployment.webhook_events:
            return ()
        return (_UNHEARD,)

    def of_rules(self, deployment: Deployment) -> tuple[str, ...]:
        """Return warnings about the routing rules and their auto-responses."""
        own = {rule.name: rule.auto_response for rule in deployment.rules if rule.auto_response}
        return (*self._never_asked(deployment), *self._never_offered(deployment, own))

    def of_auto_response(self, deployment: Deployment) -> tuple[str, ...]:
        """Return warnings about the deployment's auto-response."""
        return tuple(self._never_offered(deployment, {"": deployment.settings.auto_response}))

    def _never_asked(self, deployment: Deployment) -> Iterator[str]:
        for rule in deployment.rules:
            refusal = deployment.refusal_of(rule.assign_to_email) if rule.assign_to_email else None
            if refusal:
                yield f'The rule "{rule.name}" will not reach {rule.assign_to_email}: {refusal}.'

    def _never_offered(self, deployment: Deployment, settings: Mapping[str, AutoResponseSetting]) -> Iterator[str]:
        enabled = {name: one.default_outcome for name, one in settings.items() if one.enabled}
        recent = self.requests.recent_heads(deployment.deployment_id, _RECENT) if enabled else ()
        for rule, outcome in enabled.items():
            # A rule's outcome is checked against the rule's own requests, the deployment's against all.
            of_flows = [head for head in recent if head.emit_options and not head.test]
            asked = [head for head in of_flows if head.routing_rule == rule or not rule]
            without = [head for head in asked if outcome not in head.emit_options]
            if without:
                methods = ", ".join(sorted({head.method_name for head in without}))
                whose = f'of the rule "{rule}" ' if rule else ""
                # Outcomes are compared exactly, unlike a person's answer.
                advice = next(filter(None, (spelling_advice(outcome or "", head.emit_options) for head in without)), "")
                yield (
                    f'The auto-response "{outcome}" {whose}is no emit option of {len(without)} of the last '
                    f"{len(asked)} requests ({methods}): such requests will not be answered automatically.{advice}"
                )
