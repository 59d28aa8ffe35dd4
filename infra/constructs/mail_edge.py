"""What the edge has by custom resources: identities, the receipt rule, DNS records (see `infra/mail_edge/`)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from aws_cdk import CustomResource, Duration, IgnoreMode, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_ses as ses
from aws_cdk import aws_sns as sns
from constructs import Construct

from infra.constructs.data import MAIL_PREFIX
from infra.constructs.findings import accept
from infra.constructs.layers import accept_runtime_findings
from infra.mail_edge.sender_identity import DKIM_RECORDS, MAIL_FROM
from infra.names import receipt_rule_name
from infra.options import Options

CODE_DIRECTORY = Path(__file__).resolve().parent.parent
RULE_ACTIONS = (
    "ses:DescribeActiveReceiptRuleSet",
    "ses:SetActiveReceiptRuleSet",
    "ses:ListReceiptRuleSets",
    "ses:CreateReceiptRuleSet",
    "ses:DeleteReceiptRuleSet",
    "ses:DescribeReceiptRuleSet",
    "ses:CreateReceiptRule",
    "ses:UpdateReceiptRule",
    "ses:DeleteReceiptRule",
)
IDENTITY_ACTIONS = (
    "ses:GetEmailIdentity",
    "ses:CreateEmailIdentity",
    "ses:DeleteEmailIdentity",
    "ses:TagResource",
    "ses:PutEmailIdentityMailFromAttributes",
)
_CHANGE = "route53:ChangeResourceRecordSets"
MAIL_FROM_RECORDS = ("MailFromMxRecord", "MailFromSpfRecord")


class MailEdge(Construct):
    """The one function of the custom resources, and the resources that it makes."""

    def __init__(self, scope: Construct, construct_id: str, domains: Sequence[str], options: Options) -> None:
        super().__init__(scope, construct_id)
        self._options = options
        self._function = self._make_function(domains)

    def add_identity(
        self, construct_id: str, domain: str, configuration_set: ses.IConfigurationSet
    ) -> Mapping[str, str]:
        """Have SES know a domain and return its DNS records by their names, once deployed."""
        stack, sends = Stack.of(self), domain == self._options.sender_domain
        records = [f"DkimRecord{number}" for number in range(1, DKIM_RECORDS + 1)]
        properties = {
            "Domain": domain,
            "Stack": self._options.stack_name,
            "ConfigurationSetName": configuration_set.configuration_set_name,
        } | ({"FeedbackHost": f"feedback-smtp.{stack.region}.amazonses.com"} if sends else {})
        identity = self._add(construct_id, "Custom::SenderIdentity", properties)
        return {name: identity.get_att_string(name) for name in (*records, *(MAIL_FROM_RECORDS if sends else ()))}

    def add_dns_record(self, construct_id: str, hosted_zone: str, record: str) -> str:
        """Make a record in a hosted zone, unless there is one, and return its state, once deployed."""
        made = self._add(construct_id, "Custom::DnsRecord", {"HostedZone": hosted_zone, "Record": record})
        return made.get_att_string("State")

    def _add(self, construct_id: str, kind: str, properties: Mapping[str, str]) -> CustomResource:
        """Add a resource that our function makes and looks after."""
        return CustomResource(
            self,
            construct_id,
            service_token=self._function.function_arn,
            resource_type=kind,
            service_timeout=Duration.minutes(5),
            properties=properties,
        )

    def add_receipt_rule(self, mail: s3.IBucket, receipts: sns.ITopic) -> str:
        """Have SES store email for the inbound domain, and return the name of the rule set, once deployed."""
        rule = CustomResource(
            self,
            "ReceiptRule",
            service_token=self._function.function_arn,
            resource_type="Custom::ReceiptRule",
            service_timeout=Duration.minutes(5),
            properties={
                "OwnRuleSetName": self._options.stack_name,
                "Rule": {
                    "Name": receipt_rule_name(self._options.stack_name),
                    "Enabled": True,
                    "ScanEnabled": True,
                    "TlsPolicy": "Optional",
                    "Recipients": [self._options.inbound_domain],
                    "Actions": [
                        {
                            "S3Action": {
                                "BucketName": mail.bucket_name,
                                "ObjectKeyPrefix": MAIL_PREFIX,
                                "TopicArn": receipts.topic_arn,
                            }
                        }
                    ],
                },
            },
        )
        return rule.get_att_string("RuleSetName")

    def _dns_rights(self, domains: Sequence[str]) -> Sequence[iam.PolicyStatement]:
        """Return the rights to the hosted zone: to change no names but those of our records."""
        if self._options.hosted_zone_id is None:
            return ()
        zone = f"arn:{Stack.of(self).partition}:route53:::hostedzone/{self._options.hosted_zone_id}"
        names = [
            f"{below}{domain}" for domain in domains for below in ("", "*._domainkey.", f"{MAIL_FROM}.", "_dmarc.")
        ]
        ours = {"ForAllValues:StringLike": {f"{_CHANGE}NormalizedRecordNames": [*names, *self._own_domain()]}}
        return (
            iam.PolicyStatement(actions=["route53:GetHostedZone", "route53:ListResourceRecordSets"], resources=[zone]),
            iam.PolicyStatement(actions=[_CHANGE], resources=[zone], conditions=ours),
        )

    def _own_domain(self) -> Sequence[str]:
        return (self._options.domain_name,) if self._options.domain_name else ()

    def _make_function(self, domains: Sequence[str]) -> lambda_.Function:
        log_group = logs.LogGroup(
            self, "Log", retention=logs.RetentionDays.THREE_MONTHS, removal_policy=RemovalPolicy.DESTROY
        )
        identities = [
            Stack.of(self).format_arn(service="ses", resource="identity", resource_name=domain) for domain in domains
        ]
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            inline_policies={
                "mail-edge": iam.PolicyDocument(
                    statements=[
                        iam.PolicyStatement(
                            actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[log_group.log_group_arn]
                        ),
                        iam.PolicyStatement(actions=list(RULE_ACTIONS), resources=["*"]),
                        iam.PolicyStatement(actions=list(IDENTITY_ACTIONS), resources=identities),
                        *self._dns_rights(domains),
                    ]
                )
            },
        )
        accept(
            role,
            "SES knows no ARNs for receipt rules and rule sets.",
            "AwsSolutions-IAM5[Resource::*]",
            "Serverless-LambdaStarPermissions",
        )
        function = lambda_.Function(
            self,
            "Function",
            handler="mail_edge.custom_resources.handler",
            code=lambda_.Code.from_asset(
                str(CODE_DIRECTORY), ignore_mode=IgnoreMode.GIT, exclude=["*", "!mail_edge", "!mail_edge/*.py"]
            ),
            runtime=lambda_.Runtime(f"python{self._options.python}", lambda_.RuntimeFamily.PYTHON),
            role=role.without_policy_updates(),
            log_group=log_group,
            timeout=Duration.minutes(1),
            memory_size=256,
        )
        accept_runtime_findings(function)
        accept(
            function,
            "It runs only when the stack is deployed, and reports every failure to CloudFormation.",
            "Serverless-LambdaTracing",
            "Serverless-LambdaDLQ",
        )
        return function
