"""Sealing the audit log: the signing key, the locked bucket, and when that is done."""

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.constructs.data import private_bucket, removal_policy
from infra.options import Options

# Some time after the hour, when nothing of the hour before is still being written.
HOURLY = "cron(15 * * * ? *)"
LOCK_BYPASSES = (
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:BypassGovernanceRetention",
    "s3:PutObjectRetention",
    "s3:PutObjectLegalHold",
)


class Seals(Construct):
    """The digests' bucket under Object Lock, and the key that signs them."""

    def __init__(self, scope: Construct, construct_id: str, options: Options) -> None:
        super().__init__(scope, construct_id)
        self.bucket = private_bucket(
            self, "Bucket", options, [], versioned=True, object_lock_default_retention=_retention(options)
        )
        if options.seal_lock != "none":
            self.bucket.add_to_resource_policy(
                iam.PolicyStatement(
                    sid="SealsAreNeverChanged",
                    effect=iam.Effect.DENY,
                    principals=[iam.StarPrincipal()],
                    actions=list(LOCK_BYPASSES),
                    resources=[self.bucket.arn_for_objects("*")],
                )
            )
        self.key = kms.Key(
            self,
            # Another number makes another key; the one before is kept, or deleted, as other data.
            "Key" if options.seal_key == 1 else f"Key{options.seal_key}",
            description="Flow HITL: signs the digests of the audit log",
            key_spec=kms.KeySpec.ECC_NIST_P256,
            key_usage=kms.KeyUsage.SIGN_VERIFY,
            removal_policy=removal_policy(options),
        )


def _retention(options: Options) -> s3.ObjectLockRetention | None:
    kept = Duration.days(options.seal_retention_days)
    match options.seal_lock:
        case "compliance":
            return s3.ObjectLockRetention.compliance(kept)
        case "governance":
            return s3.ObjectLockRetention.governance(kept)
        case "none":
            return None
