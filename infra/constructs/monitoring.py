"""Alarms, and one dashboard."""

from collections.abc import Mapping, Sequence

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from flow_hitl.platform import telemetry
from infra.constructs.findings import accept
from infra.constructs.functions import HitlFunction
from infra.constructs.http_api import REFUSED_CALLS, HttpApi
from infra.constructs.queues import Queues
from infra.names import alarm_description
from infra.options import Options

CLOUDWATCH = "cloudwatch.amazonaws.com"
PERIOD = Duration.minutes(5)
STREAM_AGE_LIMIT = Duration.minutes(5)
DASHBOARD_WIDTH = 24
# What SES recommends to watch: Amazon SES developer guide, "Creating reputation monitoring alarms".
_REPUTATION = {"Reputation.BounceRate": 0.05, "Reputation.ComplaintRate": 0.001}
_CONCURRENT = cloudwatch.Metric(
    namespace="AWS/Lambda", metric_name="ConcurrentExecutions", period=PERIOD, statistic="Maximum"
)


class Monitoring(Construct):
    """Alarms that go to one topic, and a dashboard of them and of what they watch."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        key: kms.IKey,
        api: HttpApi,
        functions: Sequence[HitlFunction],
        stream_readers: Sequence[HitlFunction],
        queues: Queues,
        tables: Sequence[dynamodb.ITable],
        options: Options,
    ) -> None:
        super().__init__(scope, construct_id)
        self.topic = sns.Topic(self, "AlarmTopic", master_key=key, enforce_ssl=options.require_tls)
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="CloudWatchPublishesAlarms",
                principals=[iam.ServicePrincipal(CLOUDWATCH)],
                actions=["sns:Publish"],
                resources=[self.topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
            )
        )
        if options.alarm_email:
            accept(
                self.topic.add_subscription(subscriptions.EmailSubscription(options.alarm_email)),
                "SNS itself tries a mail again; an alarm also stays on the dashboard for as long as it lasts.",
                "Serverless-SNSRedrivePolicy",
            )
        self.alarms: list[cloudwatch.Alarm] = []
        self._watch_queues(queues)
        self._watch_functions(functions)
        self._watch_stream(stream_readers)
        self._watch_api(api, options.stack_name)
        self._watch_email()
        self._watch_tables(tables)
        self._watch_what_functions_count(options.stack_name)
        self._draw_dashboard(api, functions, queues, tables, options.stack_name)

    def _watch_queues(self, queues: Queues) -> None:
        for name, queue in queues.dead_letter_queues.items():
            self._alarm(f"dead letters: {name}", _waiting(queue), 1)
        for name, work in queues.work_queues.items():
            oldest = work.queue.metric_approximate_age_of_oldest_message(period=PERIOD, statistic="Maximum")
            self._alarm(f"late messages: {name}", oldest, work.plan.late_seconds)

    def _watch_functions(self, functions: Sequence[HitlFunction]) -> None:
        for each in functions:
            self._alarm(f"errors: {each.name}", each.function.metric_errors(period=PERIOD), 1)
            # A burst in a new account, which has few concurrent executions, is tried again and done a moment later.
            self._alarm(f"throttles: {each.name}", each.function.metric_throttles(period=PERIOD), 1, periods=3)

    def _watch_stream(self, readers: Sequence[HitlFunction]) -> None:
        for each in readers:
            age = each.function.metric("IteratorAge", period=PERIOD, statistic="Maximum")
            self._alarm(f"late audit stream: {each.name}", age, STREAM_AGE_LIMIT.to_milliseconds())

    def _watch_api(self, api: HttpApi, service: str) -> None:
        self._alarm("API server errors", api.api.metric_server_error(period=PERIOD, statistic="Sum"), 1)
        self._alarm("calls refused with 429", _counted(service, REFUSED_CALLS, PERIOD), 1)

    def _watch_email(self) -> None:
        """Raise alarms for what SES measures of the account: it pauses accounts at about twice these shares."""
        for what, (metric, most) in zip(("bounce rate", "complaint rate"), _REPUTATION.items(), strict=True):
            self._alarm(what, _reputation(metric), most)

    def _watch_tables(self, tables: Sequence[dynamodb.ITable]) -> None:
        for table in tables:
            for metric in ("ReadThrottleEvents", "WriteThrottleEvents"):
                throttled = table.metric(metric, period=PERIOD, statistic="Sum")
                name = f"{table.node.path.split('/')[-2]} {metric.partition('Throttle')[0]}".lower()
                self._alarm(f"table throttled: {name}", throttled, 1, periods=3)

    def _watch_what_functions_count(self, service: str) -> None:
        """Raise alarms for what functions count: what must never happen, and what needs the operator."""
        for what, metric in (
            ("audit event changed", telemetry.AUDIT_EVENT_CHANGED),
            ("content not erased", telemetry.CONTENT_HELD),
            ("creator unreachable", telemetry.CREATOR_UNREACHABLE),
            ("email uncertain", telemetry.MAIL_UNCERTAIN),
            ("event not counted", telemetry.EVENT_NOT_COUNTED),
            ("quota nearly used", telemetry.QUOTA_NEARLY_USED),
            ("late in spite of the sweep", telemetry.SWEEP_FOUND),
            ("usage not counted", telemetry.USAGE_NOT_COUNTED),
        ):
            self._alarm(what, _counted(service, metric, PERIOD), 1)
        # Attempts are up to an hour apart: the alarm stays for as long as they go on.
        self._alarm("a message keeps failing", _counted(service, telemetry.MESSAGE_KEEPS_FAILING, Duration.hours(1)), 1)
        # Three runs and a bit: nothing else tells that nobody looks.
        self._alarm("no sweep", _counted(service, telemetry.SWEEP_ENDED, Duration.minutes(20)), 1, is_wanted=True)
        self._alarm("figures late", _counted(service, telemetry.FIGURES_KEPT, Duration.hours(1)), 1, is_wanted=True)

    def _alarm(
        self, what: str, metric: cloudwatch.IMetric, threshold: float, *, periods: int = 1, is_wanted: bool = False
    ) -> None:
        """Raise an alarm when the metric reaches the threshold in each of some periods, one after the other.

        If it `is_wanted`, when it does not. Missing data is fine, except of what is wanted.
        """
        reached = cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
        missed = cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD
        missing = cloudwatch.TreatMissingData
        alarm = cloudwatch.Alarm(
            self,
            what.title().replace(":", "").replace("_", "").replace(" ", ""),
            metric=metric,
            threshold=threshold,
            evaluation_periods=periods,
            comparison_operator=missed if is_wanted else reached,
            treat_missing_data=missing.BREACHING if is_wanted else missing.NOT_BREACHING,
            alarm_description=alarm_description(what),
        )
        alarm.add_alarm_action(actions.SnsAction(self.topic))
        self.alarms.append(alarm)

    def _draw_dashboard(
        self,
        api: HttpApi,
        functions: Sequence[HitlFunction],
        queues: Queues,
        tables: Sequence[dynamodb.ITable],
        service: str,
    ) -> None:
        """Draw what an operator reads from top to bottom: are promises kept, how much goes on, what does it cost."""
        work = queues.work_queues
        cloudwatch.Dashboard(self, "Dashboard", default_interval=Duration.days(1)).add_widgets(
            _heading(
                "Promises", "Every line below should lie at zero. An alarm that is raised names its runbook page."
            ),
            cloudwatch.AlarmStatusWidget(title="Alarms", alarms=list(self.alarms), width=DASHBOARD_WIDTH, height=5),
            _graph(
                "Overdue in spite of the sweep, and changes of the audit log",
                [_counted(service, name, PERIOD) for name in (telemetry.SWEEP_FOUND, telemetry.AUDIT_EVENT_CHANGED)],
            ),
            _graph("Dead letters", _waiting_in(queues.dead_letter_queues)),
            _graph(
                "Resumptions and webhooks: age of the oldest message",
                [_oldest(work[name].queue, name) for name in ("receipt", "resume", "webhook")],
            ),
            _graph(
                "Emails: age of the oldest message",
                [_oldest(work[name].queue, name) for name in ("inbound_mail", "email", "mail_feedback")],
            ),
            _graph("Emails: bounces and complaints, as a share", [_reputation(name) for name in _REPUTATION]),
            _graph(
                "Messages that keep failing, uncertain emails, creators who cannot be reached",
                [
                    _counted(service, name, PERIOD)
                    for name in (
                        telemetry.MESSAGE_KEEPS_FAILING,
                        telemetry.MAIL_UNCERTAIN,
                        telemetry.CREATOR_UNREACHABLE,
                    )
                ],
            ),
            _heading("Load and latency", "How much goes on, and how long it takes."),
            _graph(
                "API requests", [api.api.metric_count(), api.api.metric_client_error(), api.api.metric_server_error()]
            ),
            _graph("API latency", [api.api.metric_latency(statistic="p50"), api.api.metric_latency(statistic="p99")]),
            _graph("Function calls", [each.function.metric_invocations(label=each.name) for each in functions]),
            _graph("Function errors", [each.function.metric_errors(label=each.name) for each in functions]),
            _graph("Function duration, p99", [_duration(each) for each in functions]),
            _graph("Waiting messages", _waiting_in({name: each.queue for name, each in work.items()})),
            _heading("Cost and quotas", "What the bill grows with, and what is refused when a quota is used up."),
            _graph("Write units of the tables, without indexes", [_units(table, "Write") for table in tables]),
            _graph("Read units of the tables, without indexes", [_units(table, "Read") for table in tables]),
            _graph("Emails sent", [_ses("Send", Duration.hours(1), "Sum")]),
            _graph("Concurrent functions of the account", [_CONCURRENT]),
            cloudwatch.GraphWidget(
                title="Quotas: nearly used, refused with 429, and functions throttled",
                left=[
                    _counted(service, telemetry.QUOTA_NEARLY_USED, PERIOD),
                    _counted(service, REFUSED_CALLS, PERIOD),
                    *(each.function.metric_throttles(label=f"throttled: {each.name}") for each in functions),
                ],
                width=DASHBOARD_WIDTH,
            ),
        )


def _counted(service: str, metric: str, period: Duration) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace=telemetry.NAMESPACE,
        metric_name=metric,
        dimensions_map={"service": service},
        period=period,
        statistic="Sum",
    )


def _waiting(queue: sqs.IQueue, label: str | None = None) -> cloudwatch.Metric:
    return queue.metric_approximate_number_of_messages_visible(period=PERIOD, statistic="Maximum", label=label)


def _waiting_in(queues: Mapping[str, sqs.IQueue]) -> list[cloudwatch.Metric]:
    return [_waiting(queue, name) for name, queue in queues.items()]


def _duration(each: HitlFunction) -> cloudwatch.Metric:
    return each.function.metric_duration(label=each.name, statistic="p99")


def _oldest(queue: sqs.IQueue, label: str) -> cloudwatch.Metric:
    return queue.metric_approximate_age_of_oldest_message(period=PERIOD, statistic="Maximum", label=label)


def _reputation(metric: str) -> cloudwatch.Metric:
    return _ses(metric, Duration.hours(1), "Maximum")


def _ses(metric: str, period: Duration, statistic: str) -> cloudwatch.Metric:
    return cloudwatch.Metric(namespace="AWS/SES", metric_name=metric, period=period, statistic=statistic)


def _units(table: dynamodb.ITable, kind: str) -> cloudwatch.Metric:
    name = table.node.path.split("/")[-2].lower()
    return table.metric(f"Consumed{kind}CapacityUnits", period=PERIOD, statistic="Sum", label=name)


def _heading(title: str, says: str) -> cloudwatch.TextWidget:
    return cloudwatch.TextWidget(markdown=f"# {title}\n{says}", width=DASHBOARD_WIDTH, height=2)


def _graph(title: str, metrics: Sequence[cloudwatch.IMetric]) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=list(metrics), width=DASHBOARD_WIDTH // 2)
