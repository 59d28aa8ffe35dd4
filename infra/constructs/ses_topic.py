"""A topic that SES publishes to, and the queue that gets its messages unwrapped."""

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from infra.constructs.data import MAIL_PREFIX
from infra.constructs.queues import WorkQueue
from infra.options import Options

SES = "ses.amazonaws.com"


class SesTopic(Construct):
    """A topic for SES of this account only; messages reach the work queue without SNS's envelope."""

    def __init__(self, scope: Construct, construct_id: str, key: kms.IKey, work: WorkQueue, options: Options) -> None:
        super().__init__(scope, construct_id)
        self.topic = sns.Topic(self, "Topic", master_key=key, enforce_ssl=options.require_tls)
        self.topic.add_to_resource_policy(_ses_may("sns:Publish", self.topic.topic_arn, self))
        self.topic.add_subscription(
            subscriptions.SqsSubscription(work.queue, raw_message_delivery=True, dead_letter_queue=work.dead_letters)
        )


def let_ses_store_mail(mail: s3.Bucket) -> None:
    """Let SES put inbound email into the bucket, for this account only."""
    mail.add_to_resource_policy(_ses_may("s3:PutObject", mail.arn_for_objects(f"{MAIL_PREFIX}*"), mail))


def _ses_may(action: str, resource: str, scope: Construct) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        sid="SesForThisAccount",
        principals=[iam.ServicePrincipal(SES)],
        actions=[action],
        resources=[resource],
        conditions={"StringEquals": {"aws:SourceAccount": Stack.of(scope).account}},
    )
