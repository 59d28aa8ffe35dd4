"""The way a mail's receipt takes: SES publishes it to a topic, which hands it to the inbound mail queue as it is."""

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


class Receipts(Construct):
    """The topic of receipts; SES may publish there and put mail into the bucket, for this account only."""

    def __init__(
        self, scope: Construct, construct_id: str, key: kms.IKey, mail: s3.Bucket, work: WorkQueue, options: Options
    ) -> None:
        super().__init__(scope, construct_id)
        this_account = {"StringEquals": {"aws:SourceAccount": Stack.of(self).account}}
        self.topic = sns.Topic(self, "Topic", master_key=key, enforce_ssl=options.require_tls)
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="SesPublishesReceipts",
                principals=[iam.ServicePrincipal(SES)],
                actions=["sns:Publish"],
                resources=[self.topic.topic_arn],
                conditions=this_account,
            )
        )
        self.topic.add_subscription(
            subscriptions.SqsSubscription(work.queue, raw_message_delivery=True, dead_letter_queue=work.dead_letters)
        )
        mail.add_to_resource_policy(
            iam.PolicyStatement(
                sid="SesStoresInboundMail",
                principals=[iam.ServicePrincipal(SES)],
                actions=["s3:PutObject"],
                resources=[mail.arn_for_objects(f"{MAIL_PREFIX}*")],
                conditions=this_account,
            )
        )
