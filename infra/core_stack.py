"""The core stack: everything but the mail edge; the same template on AWS and on the local emulator."""

from dataclasses import asdict
from typing import Any

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from flow_hitl.platform import telemetry
from flow_hitl.platform.environment import Settings
from infra.constructs.access import Access
from infra.constructs.data import Data, removal_policy
from infra.constructs.functions import Functions
from infra.constructs.http_api import HttpApi
from infra.constructs.layers import Code
from infra.constructs.monitoring import CLOUDWATCH, Monitoring
from infra.constructs.queues import Queues
from infra.constructs.recurring import Recurring
from infra.constructs.scheduling import Scheduling
from infra.constructs.sealing import HOURLY, Seals
from infra.constructs.ses_topic import SES, SesTopic, let_ses_store_mail
from infra.options import Options
from infra.outputs import output_name
from infra.topology import HTTP_FUNCTIONS, MEASURES, RETENTIONS, SWEEPS, queue_settings

# pydantic would look through the metadata of every package for plugins, of which there are none.
START = {"PYDANTIC_DISABLE_PLUGINS": "__all__"}


class CoreStack(Stack):
    """Data, queues, functions, API, schedules, and monitoring."""

    def __init__(self, scope: Construct, construct_id: str, options: Options, **kwargs: Any) -> None:
        super().__init__(scope, construct_id, **kwargs)
        self.data = Data(self, "Data", options)
        self.seals = Seals(self, "Seals", options)
        self.queues = Queues(self, "Queues", options)
        key = self._topic_key(options)
        self.receipts = SesTopic(self, "Receipts", key, self.queues["inbound_mail"], options)
        self.mail_events = SesTopic(self, "MailEvents", key, self.queues["mail_feedback"], options)
        let_ses_store_mail(self.data.mail)
        self.scheduling = Scheduling(
            self, "Scheduling", [self.queues["deadline"].queue, self.queues.schedule_dead_letters]
        )
        self.api = HttpApi(self, "HttpApi", options)
        self.settings = self._settings(options)
        Recurring(self, "Hourly", self.queues["seal"], HOURLY)
        Recurring(self, "Sweeping", self.queues["sweep"], SWEEPS)
        Recurring(self, "Measuring", self.queues["measure"], MEASURES)
        Recurring(self, "Retaining", self.queues["retention"], RETENTIONS)
        access = Access(self, "Access", self.data, self.seals, self.queues, self.scheduling, options)
        self.functions = Functions(
            self,
            "Functions",
            Code(self, "Code", options),
            self.settings.to_environment() | {telemetry.SERVICE_VARIABLE: options.stack_name, **START},
            access,
        )
        for declared in HTTP_FUNCTIONS:
            self.api.serve(declared, self.functions[declared.name].function)
        self.monitoring = Monitoring(
            self,
            "Monitoring",
            key,
            self.api,
            self.functions.all,
            self.functions.stream_readers,
            self.queues,
            [self.data.requests.table, self.data.audit.table, self.data.deployments.table],
            options,
        )
        self._write_outputs(options)

    def _settings(self, options: Options) -> Settings:
        data, queues = self.data, self.queues
        return Settings(
            requests_table=data.requests.table.table_name,
            audit_table=data.audit.table.table_name,
            deployments_table=data.deployments.table.table_name,
            content_bucket=data.content.bucket_name,
            mail_bucket=data.mail.bucket_name,
            email_queue_url=queues["email"].queue.queue_url,
            deadline_queue_arn=queues["deadline"].queue.queue_arn,
            webhook_key_id=data.webhook_key.key_arn,
            seal_bucket=self.seals.bucket.bucket_name,
            seal_key_id=self.seals.key.key_arn,
            earlier_seal_keys=options.earlier_seal_keys,
            export_bucket=data.exports.bucket_name,
            scheduler_role_arn=self.scheduling.role.role_arn,
            scheduler_group=self.scheduling.group.schedule_group_name,
            signing_secret_id=data.secret_arn,
            base_url=options.base_url or self.api.api.api_endpoint,
            inbound_domain=options.inbound_domain,
            mail_from=options.mail_from,
            mail_configuration_set=options.stack_name,
            allow_insecure_urls=str(options.allow_insecure_urls).lower(),
            allowed_networks=options.allowed_networks,
            aws_client=options.aws_client,
            **queue_settings(
                lambda name: queues[name].queue.queue_name, lambda name: queues.dead_letter_queues[name].queue_name
            ),
        )

    def _topic_key(self, options: Options) -> kms.Key:
        """Make the topics' key: SES and CloudWatch cannot publish under the AWS-managed one."""
        key = kms.Key(self, "TopicKey", enable_key_rotation=True, removal_policy=removal_policy(options))
        # The topics' own policies take messages from this account alone. For SES, AWS's samples have no condition here,
        # and one that SES does not fill in would silence it.
        this_account = {"StringEquals": {"aws:SourceAccount": self.account}}
        for service in (iam.ServicePrincipal(SES), iam.ServicePrincipal(CLOUDWATCH, conditions=this_account)):
            key.grant(service, "kms:GenerateDataKey*", "kms:Decrypt")
        return key

    def _write_outputs(self, options: Options) -> None:
        """Output every setting, and what else the operator's commands and the local stack need."""
        queues = {f"{name}_queue_url": queue.queue_url for name, queue in self.queues.queues.items()} | {
            f"{name}_dead_letter_queue_url": queue.queue_url for name, queue in self.queues.dead_letter_queues.items()
        }
        outputs = (
            asdict(self.settings)
            | queues
            | {
                "stage": options.stage,
                "api_id": self.api.api.api_id,
                "api_url": self.api.api.api_endpoint,
                "receipts_topic_arn": self.receipts.topic.topic_arn,
                "mail_events_topic_arn": self.mail_events.topic.topic_arn,
                "alarm_topic_arn": self.monitoring.topic.topic_arn,
            }
        )
        for name, value in outputs.items():
            # CloudFormation has no empty outputs; settings that may be empty default to that.
            if value:
                CfnOutput(self, output_name(name), value=value)
