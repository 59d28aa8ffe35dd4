"""The SES receipt rule that stores inbound email and publishes its receipt, made by a custom resource."""

from pathlib import Path

from aws_cdk import CustomResource, Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from constructs import Construct

from infra.constructs.data import MAIL_PREFIX
from infra.constructs.findings import accept
from infra.constructs.layers import accept_runtime_findings
from infra.names import receipt_rule_name
from infra.options import Options

CODE_DIRECTORY = Path(__file__).resolve().parent.parent / "mail_edge"
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


class ReceiptRule(Construct):
    """Our rule in the active rule set (see `infra/mail_edge/receipt_rule.py`)."""

    def __init__(
        self, scope: Construct, construct_id: str, mail: s3.IBucket, receipts: sns.ITopic, options: Options
    ) -> None:
        super().__init__(scope, construct_id)
        self.resource = CustomResource(
            self,
            "Rule",
            service_token=self._function(options).function_arn,
            resource_type="Custom::ReceiptRule",
            service_timeout=Duration.minutes(5),
            properties={
                "OwnRuleSetName": options.stack_name,
                "Rule": {
                    "Name": receipt_rule_name(options.stack_name),
                    "Enabled": True,
                    "ScanEnabled": True,
                    "TlsPolicy": "Optional",
                    "Recipients": [options.inbound_domain],
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

    @property
    def rule_set_name(self) -> str:
        """The rule set that has the rule, once deployed."""
        return self.resource.get_att_string("RuleSetName")

    def _function(self, options: Options) -> lambda_.Function:
        log_group = logs.LogGroup(
            self, "Log", retention=logs.RetentionDays.THREE_MONTHS, removal_policy=RemovalPolicy.DESTROY
        )
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            inline_policies={
                "receipt-rule": iam.PolicyDocument(
                    statements=[
                        iam.PolicyStatement(
                            actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[log_group.log_group_arn]
                        ),
                        iam.PolicyStatement(actions=list(RULE_ACTIONS), resources=["*"]),
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
            handler="receipt_rule.handler",
            code=lambda_.Code.from_asset(str(CODE_DIRECTORY), exclude=["__pycache__", "__init__.py"]),
            runtime=lambda_.Runtime(f"python{options.python}", lambda_.RuntimeFamily.PYTHON),
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
