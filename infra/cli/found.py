"""What more than one command looks up in AWS: stacks, hosted zones, alarms that are on, and dead letters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from flow_hitl.platform.aws import client
from flow_hitl.platform.dead_letter_counts import SqsDeadLetterCounts
from flow_hitl.platform.dynamodb import error_code
from flow_hitl.platform.environment import Settings
from flow_hitl.platform.no_answer import Unknown
from infra.names import ALARM_PREFIX
from infra.options import is_zone_id


@dataclass(frozen=True)
class Zone:
    """A public hosted zone of Route 53; names are without the last dot."""

    zone_id: str
    name: str
    name_servers: Sequence[str]

    def has(self, name: str) -> bool:
        """Tell whether a name is in the zone."""
        return f".{name}".endswith(f".{self.name}")


def find_stack(name: str) -> Mapping[str, Any] | None:
    """Return a stack as CloudFormation describes it, None if there is none."""
    try:
        found: Mapping[str, Any] = client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        # CloudFormation's way to say that there is none.
        if error_code(error) == "ValidationError":
            return None
        raise
    return found


def outputs_of(stack: Mapping[str, Any]) -> Mapping[str, str]:
    """Return a stack's outputs by their names."""
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def find_zones(hosted_zone: str) -> Sequence[Zone]:
    """Return the public hosted zones that have an id or a name."""
    route53 = client("route53")
    if is_zone_id(hosted_zone):
        ids = [hosted_zone]
    else:
        listed = route53.list_hosted_zones_by_name(DNSName=hosted_zone)["HostedZones"]
        ids = [one["Id"].rpartition("/")[2] for one in listed if one["Name"].rstrip(".") == hosted_zone]
    zones = []
    for zone_id in ids:
        try:
            found = route53.get_hosted_zone(Id=zone_id)
        except ClientError as error:
            if error_code(error) == "NoSuchHostedZone":
                continue
            raise
        if not found["HostedZone"].get("Config", {}).get("PrivateZone"):
            servers = sorted(found.get("DelegationSet", {}).get("NameServers", []))
            zones.append(Zone(zone_id, found["HostedZone"]["Name"].rstrip(".").lower(), servers))
    return zones


def alarms_on(stack: str) -> Sequence[Mapping[str, Any]]:
    """Return the stack's alarms that are on, as CloudWatch describes them."""
    pages = (
        client("cloudwatch")
        .get_paginator("describe_alarms")
        .paginate(StateValue="ALARM", AlarmNamePrefix=f"{stack}-", AlarmTypes=["MetricAlarm"])
    )
    alarms = [alarm for page in pages for alarm in page["MetricAlarms"]]
    return [alarm for alarm in alarms if alarm.get("AlarmDescription", "").startswith(ALARM_PREFIX)]


def dead_letter_numbers(settings: Settings) -> Mapping[str, int | Unknown]:
    """Return how many messages rest in each dead-letter queue."""
    queues = SqsDeadLetterCounts(client("sqs"), settings.dead_letter_queue_url)
    return {name: queues.number(name) for name in settings.dead_letter_queues}
