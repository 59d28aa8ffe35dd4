"""The mail edge, which only AWS has: SES identities and the receipt rule."""

from typing import Any

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_ses as ses
from constructs import Construct

from infra.constructs.mail_edge import MailEdge
from infra.core_stack import CoreStack
from infra.options import Options


class MailEdgeStack(Stack):
    """Email in and out; the outputs are the DNS records that the domain's owner has to set."""

    def __init__(self, scope: Construct, construct_id: str, options: Options, core: CoreStack, **kwargs: Any) -> None:
        super().__init__(scope, construct_id, **kwargs)
        configuration_set = ses.ConfigurationSet(
            self,
            "ConfigurationSet",
            configuration_set_name=options.stack_name,
            reputation_metrics=True,
            # We handle complaints: SES would suppress the address for every deployment, and for signing in.
            suppression_reasons=ses.SuppressionReasons.BOUNCES_ONLY,
        )
        # The L2 would change the core stack's topic policy, and so make the stacks depend on each other.
        destination = ses.CfnConfigurationSetEventDestination
        destination(
            self,
            "MailEvents",
            configuration_set_name=configuration_set.configuration_set_name,
            event_destination=destination.EventDestinationProperty(
                matching_event_types=["bounce", "complaint", "reject"],
                sns_destination=destination.SnsDestinationProperty(topic_arn=core.mail_events.topic.topic_arn),
            ),
        )
        domains = tuple(dict.fromkeys([options.inbound_domain, options.sender_domain]))
        edge = MailEdge(self, "MailEdge", domains, options)
        for number, domain in enumerate(domains):
            name = f"Identity{number or ''}"
            for position, record in enumerate(edge.add_identity(name, domain, configuration_set), start=1):
                CfnOutput(self, f"{name}DkimRecord{position}", value=record)
        CfnOutput(self, "RuleSetName", value=edge.add_receipt_rule(core.data.mail, core.receipts.topic))
        CfnOutput(
            self,
            "InboundMxRecord",
            value=f"{options.inbound_domain} MX 10 inbound-smtp.{self.region}.{self.url_suffix}",
        )
