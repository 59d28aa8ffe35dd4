"""The edge, which only AWS has: SES identities, the receipt rule, DNS records, and the custom domain."""

from typing import Any

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_ses as ses
from constructs import Construct

from infra.constructs.custom_domain import CustomDomain
from infra.constructs.mail_edge import MailEdge
from infra.core_stack import CoreStack
from infra.mail_edge.dns_record import ALIAS
from infra.names import dmarc_record
from infra.options import Options


class MailEdgeStack(Stack):
    """Email in and out, and the custom domain; the outputs are the DNS records, and what became of each.

    Without a hosted zone, the domain's owner has to set them.
    """

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
            for record, line in edge.add_identity(name, domain, configuration_set).items():
                self._record(edge, f"{name}{record}", line, options)
        CfnOutput(self, "RuleSetName", value=edge.add_receipt_rule(core.data.mail, core.receipts.topic))
        host = f"inbound-smtp.{self.region}.{self.url_suffix}"
        self._record(edge, "InboundMxRecord", f"{options.inbound_domain} MX 10 {host}", options)
        if options.sender_domain == options.inbound_domain:
            # Of a domain that others send from too, its owner decides.
            self._record(edge, "DmarcRecord", dmarc_record(options.sender_domain), options)
        if options.domain_name:
            custom = CustomDomain(self, "CustomDomain", options, core.api)
            alias = f"{options.domain_name} {ALIAS} {custom.target} {custom.target_zone}"
            self._record(edge, "DomainRecord", f"{options.domain_name} CNAME {custom.target}", options, alias)

    def _record(self, edge: MailEdge, name: str, line: str, options: Options, in_route53: str | None = None) -> None:
        """Output a record, and make it where the DNS is ours; the output `…State` then says what came of it."""
        CfnOutput(self, name, value=line)
        if options.hosted_zone_id:
            state = edge.add_dns_record(name, options.hosted_zone_id, in_route53 or line)
            CfnOutput(self, f"{name}State", value=state)
