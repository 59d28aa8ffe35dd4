"""The data: three tables, buckets, the signing secret, and the key that encrypts other secrets."""

from typing import Any, cast

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from flow_hitl.proof.export import EXPORTS_KEPT
from infra.constructs.findings import accept
from infra.options import Options
from infra.tables import AUDIT, DEPLOYMENTS, REQUESTS, Key, Table

AUDIT_MUTATIONS = (
    "dynamodb:UpdateItem",
    "dynamodb:DeleteItem",
    "dynamodb:BatchWriteItem",
    "dynamodb:PartiQLInsert",
    "dynamodb:PartiQLUpdate",
    "dynamodb:PartiQLDelete",
)
MAIL_PREFIX = "inbound/"
MAIL_RETENTION = Duration.days(30)

ATTRIBUTE_TYPES = {"S": dynamodb.AttributeType.STRING, "N": dynamodb.AttributeType.NUMBER}


class DataTable(Construct):
    """A table of `infra.tables`: on demand, encrypted, with point-in-time recovery."""

    def __init__(self, scope: Construct, construct_id: str, table: Table, options: Options) -> None:
        super().__init__(scope, construct_id)
        self.table = dynamodb.Table(
            self,
            "Table",
            partition_key=_attribute(table.partition),
            sort_key=_attribute(table.sort),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.AWS_MANAGED,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=options.keeps_data,
            removal_policy=removal_policy(options),
            time_to_live_attribute=table.ttl_attribute,
            stream=dynamodb.StreamViewType.NEW_IMAGE if table.streams_new_images else None,
        )
        for index in table.indexes:
            self.table.add_global_secondary_index(
                index_name=index.name,
                partition_key=_attribute(index.partition),
                sort_key=_attribute(index.sort),
                projection_type=dynamodb.ProjectionType.INCLUDE if index.carries else dynamodb.ProjectionType.KEYS_ONLY,
                non_key_attributes=list(index.carries) or None,
            )

    def index_arn(self, name: str) -> str:
        """Return the ARN of one index."""
        return f"{self.table.table_arn}/index/{name}"


class Data(Construct):
    """Tables, buckets, the secret that signs reply addresses and links, and the key of the webhooks' secrets."""

    def __init__(self, scope: Construct, construct_id: str, options: Options) -> None:
        super().__init__(scope, construct_id)
        self.requests = DataTable(self, "Requests", REQUESTS, options)
        self.audit = DataTable(self, "Audit", AUDIT, options)
        self.deployments = DataTable(self, "Deployments", DEPLOYMENTS, options)
        _deny_changes_of(self.audit.table)
        self.content = private_bucket(self, "Content", options, [])
        self.mail = private_bucket(self, "Mail", options, [s3.LifecycleRule(expiration=MAIL_RETENTION)])
        kept = Duration.days(EXPORTS_KEPT.days)
        self.exports = private_bucket(self, "Exports", options, [s3.LifecycleRule(expiration=kept)])
        self.webhook_key = kms.Key(
            self,
            "WebhookKey",
            description="Flow HITL: encrypts the signing secrets of webhooks",
            enable_key_rotation=True,
            removal_policy=removal_policy(options),
        )
        self.secret = secretsmanager.Secret(
            self,
            "SigningSecret",
            description="Flow HITL: keys that sign reply addresses, links and callback URLs",
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template='{"active":"1"}',  # noqa: S106 - which key signs, not a key
                generate_string_key="1",
                password_length=64,
                exclude_punctuation=True,
            ),
            removal_policy=removal_policy(options),
        )
        # Not `Ref`, which emulators resolve to the name; IAM compares ARNs.
        self.secret_arn = cast("secretsmanager.CfnSecret", self.secret.node.default_child).attr_id
        accept(
            self.secret,
            "A key is changed by adding a new one and naming it active: the old one must go on verifying the addresses "
            "and links that it signed, which a rotation on a timer would break.",
            "AwsSolutions-SMG4",
        )


def removal_policy(options: Options) -> RemovalPolicy:
    """Return what happens to stored data when the stack is deleted."""
    return RemovalPolicy.RETAIN if options.keeps_data else RemovalPolicy.DESTROY


def _attribute(key: Key) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=key.name, type=ATTRIBUTE_TYPES[key.type])


def _deny_changes_of(audit: dynamodb.Table) -> None:
    """Deny everyone changes of audit events; an administrator may still delete the whole table."""
    audit.add_to_resource_policy(
        iam.PolicyStatement(
            sid="AuditEventsAreNeverChanged",
            effect=iam.Effect.DENY,
            principals=[iam.StarPrincipal()],
            actions=list(AUDIT_MUTATIONS),
            resources=["*"],  # here: the table and its indexes; its ARN would be circular
        )
    )


def private_bucket(
    scope: Construct, construct_id: str, options: Options, rules: list[s3.LifecycleRule], **more: Any
) -> s3.Bucket:
    """Make an encrypted bucket without public access; `more` are further properties."""
    bucket = s3.Bucket(
        scope,
        construct_id,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        encryption=s3.BucketEncryption.S3_MANAGED,
        enforce_ssl=options.require_tls,
        minimum_tls_version=1.2 if options.require_tls else None,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        lifecycle_rules=[s3.LifecycleRule(abort_incomplete_multipart_upload_after=Duration.days(1)), *rules],
        removal_policy=removal_policy(options),
        **more,
    )
    accept(
        bucket,
        "Only our functions and SES reach this bucket, by exact grants, and what they do with an object stands in the "
        "audit log. An account that wants more has CloudTrail's data events.",
        "AwsSolutions-S1",
    )
    return bucket
