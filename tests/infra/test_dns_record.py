"""The custom resource makes DNS records in a hosted zone, and never changes or deletes one that others made."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from infra.mail_edge import dns_record

SES = "inbound-smtp.eu-west-1.amazonaws.com"
MX = f"hitl.example.com MX 10 {SES}"
SPF = 'bounce.hitl.example.com TXT "v=spf1 include:amazonses.com ~all"'
DKIM = "abc._domainkey.hitl.example.com CNAME abc.dkim.amazonses.com"
ALIAS = "reviews.example.com ALIAS d-1.execute-api.eu-west-1.amazonaws.com ZLD1"


class Zone:
    """A hosted zone for example.com."""

    def __init__(self) -> None:
        self.route53: Any = boto3.client("route53", region_name="us-east-1")
        made = self.route53.create_hosted_zone(Name="example.com", CallerReference="1")["HostedZone"]
        self.zone = made["Id"].rpartition("/")[2]

    def create(self, line: str) -> tuple[str, str]:
        return self.apply("Create", line, "none")

    def apply(self, request_type: str, line: str, physical_id: str) -> tuple[str, str]:
        """Return the physical id and the state."""
        properties = {"HostedZone": self.zone, "Record": line}
        physical_id, data = dns_record.apply(self.route53, request_type, properties, physical_id)
        return physical_id, data.get("State", "")

    def of_others(self, name: str, kind: str, value: str) -> None:
        record = {"Name": name, "Type": kind, "TTL": 60, "ResourceRecords": [{"Value": value}]}
        change = {"Action": "UPSERT", "ResourceRecordSet": record}
        self.route53.change_resource_record_sets(HostedZoneId=self.zone, ChangeBatch={"Changes": [change]})

    @property
    def records(self) -> dict[str, str]:
        """The values by name and type, without the zone's own."""
        listed = self.route53.list_resource_record_sets(HostedZoneId=self.zone)["ResourceRecordSets"]
        return {
            f"{one['Name'].rstrip('.')} {one['Type']}": one["AliasTarget"]["DNSName"]
            if "AliasTarget" in one
            else " ".join(value["Value"] for value in one["ResourceRecords"])
            for one in listed
            if one["Type"] not in ("NS", "SOA")
        }


@pytest.fixture
def zone() -> Iterator[Zone]:
    with mock_aws():
        yield Zone()


@pytest.mark.parametrize("line", [MX, SPF, DKIM, ALIAS])
def test_a_record_is_made_and_goes_with_the_stack(zone: Zone, line: str) -> None:
    physical_id, state = zone.create(line)
    assert (state, len(zone.records)) == ("made", 1)
    assert zone.apply("Update", line, physical_id) == (physical_id, "made")
    zone.apply("Delete", line, physical_id)
    assert zone.records == {}


def test_an_mx_record_of_others_is_never_overwritten(zone: Zone) -> None:
    zone.of_others("hitl.example.com", "MX", "10 mail.example.com.")
    physical_id, state = zone.create(MX)
    zone.apply("Update", MX, physical_id)
    zone.apply("Delete", MX, physical_id)
    assert (state, zone.records) == ("other", {"hitl.example.com MX": "10 mail.example.com."})


def test_a_record_that_was_set_by_hand_counts_and_stays(zone: Zone) -> None:
    zone.of_others("hitl.example.com", "MX", f"10 {SES.upper()}.")
    physical_id, state = zone.create(MX)
    zone.apply("Delete", MX, physical_id)
    assert (state, len(zone.records)) == ("there", 1)


@pytest.mark.parametrize(
    ("name", "kind", "value", "line"),
    [
        ("reviews.example.com", "CNAME", "elsewhere.example.com", ALIAS),
        ("reviews.example.com", "AAAA", "2001:db8::1", ALIAS),
        ("hitl.example.com", "CNAME", "elsewhere.example.com", MX),
        ("abc._domainkey.hitl.example.com", "TXT", '"v=DKIM1"', DKIM),
    ],
)
def test_a_name_that_others_use_in_another_way_is_theirs(
    zone: Zone, name: str, kind: str, value: str, line: str
) -> None:
    zone.of_others(name, kind, value)
    assert zone.create(line)[1] == "other"
    assert zone.records == {f"{name} {kind}": value}


def test_records_of_other_kinds_beside_it_do_not_matter(zone: Zone) -> None:
    zone.of_others("hitl.example.com", "TXT", '"site-verification=1"')
    assert zone.create(MX)[1] == "made"


def test_what_we_made_follows_a_change_and_the_old_id_deletes_nothing(zone: Zone) -> None:
    old, _ = zone.create(ALIAS)
    moved = ALIAS.replace("d-1.", "d-2.")
    new, state = zone.apply("Update", moved, old)
    zone.apply("Delete", ALIAS, old)
    assert (state, new != old) == ("made", True)
    assert zone.records == {"reviews.example.com A": "d-2.execute-api.eu-west-1.amazonaws.com"}


def test_what_somebody_changed_since_is_theirs(zone: Zone) -> None:
    physical_id, _ = zone.create(MX)
    zone.of_others("hitl.example.com", "MX", "10 mail.example.com.")
    new, state = zone.apply("Update", MX, physical_id)
    for one in (physical_id, new):
        zone.apply("Delete", MX, one)
    assert (state, zone.records) == ("other", {"hitl.example.com MX": "10 mail.example.com."})


def test_what_somebody_deleted_is_made_again(zone: Zone) -> None:
    zone.of_others("hitl.example.com", "MX", f"10 {SES}")
    physical_id, _ = zone.create(MX)
    theirs = zone.route53.list_resource_record_sets(HostedZoneId=zone.zone)["ResourceRecordSets"]
    (mx,) = [one for one in theirs if one["Type"] == "MX"]
    change = {"Action": "DELETE", "ResourceRecordSet": mx}
    zone.route53.change_resource_record_sets(HostedZoneId=zone.zone, ChangeBatch={"Changes": [change]})
    assert zone.apply("Update", MX, physical_id)[1] == "made"


def test_a_name_outside_of_the_zone_is_left_to_its_owner(zone: Zone) -> None:
    physical_id, state = zone.create("hitl.example.org MX 10 host")
    zone.apply("Delete", MX, physical_id)
    assert (state, zone.records) == ("outside", {})


def test_where_no_record_is_needed_none_is_made(zone: Zone) -> None:
    assert zone.create("none: SES knows the domain already, by other means") == ("none", "none")
    assert zone.apply("Delete", MX, "none") == ("none", "")
