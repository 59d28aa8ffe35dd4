"""The custom resource that makes a DNS record in a hosted zone of Route 53, and never changes one that others made.

CloudFormation's own resource fails if the record exists, although it may say what ours would. Route 53 knows no tags,
so what we made is told by the physical id: it holds a hash of the record as we wrote it. Only what is still so is
changed or deleted. If CloudFormation asks twice because an answer was lost, the record counts as made by others, and
stays.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

ALIAS = "ALIAS"
"""The kind that Route 53 has for names that lead to an API: `name ALIAS target zone-of-the-target`."""
_SECONDS = 300
_ADDRESSES = ("A", "AAAA", "CNAME")


@dataclass(frozen=True)
class _Record:
    name: str
    kind: str
    value: str

    @classmethod
    def parse(cls, line: str) -> "_Record | None":
        """Read a line such as `hitl.example.com MX 10 host`; None for `none: …`, where none is needed."""
        if line.startswith("none:"):
            return None
        return cls(*line.split(" ", 2))

    @property
    def type(self) -> str:
        return "A" if self.kind == ALIAS else self.kind

    @property
    def digest(self) -> str:
        return _digest([_plain(self.kind, self.value)])

    def to_route53(self) -> dict[str, Any]:
        if self.kind == ALIAS:
            target, zone = self.value.split(" ")
            alias = {"DNSName": target, "HostedZoneId": zone, "EvaluateTargetHealth": False}
            return {"Name": self.name, "Type": "A", "AliasTarget": alias}
        records = [{"Value": self.value}]
        return {"Name": self.name, "Type": self.kind, "TTL": _SECONDS, "ResourceRecords": records}

    def prevents(self, other: dict[str, Any]) -> bool:
        """Tell whether another record of the same name stands where this one would."""
        if self.kind == ALIAS:
            return other["Type"] in _ADDRESSES
        return other["Type"] == self.type or "CNAME" in (other["Type"], self.type)


def apply(route53: Any, request_type: str, properties: dict[str, Any], physical_id: str) -> tuple[str, dict[str, str]]:
    """Make, find or delete the record, and return its physical id and the attribute `State`.

    `properties` has the id of the `HostedZone` and the `Record` as a line. `State` is `made`; `there`, where others
    made the same; `other`, where there is another, which stays; `outside` of the zone; or `none`, where none is needed.
    Raises botocore's ClientError.
    """
    if request_type == "Delete":
        _delete(route53, physical_id)
        return physical_id, {}
    zone, record = properties["HostedZone"], _Record.parse(properties["Record"])
    if record is None:
        return "none", {"State": "none"}
    state = _make(route53, zone, record, physical_id)
    owner = "made" if state == "made" else "others"
    return "/".join((owner, zone, record.type, record.name, record.digest)), {"State": state}


def _make(route53: Any, zone: str, record: _Record, physical_id: str) -> str:
    zone_name = _plain_name(route53.get_hosted_zone(Id=zone)["HostedZone"]["Name"])
    if not f".{record.name}".endswith(f".{zone_name}"):
        return "outside"
    found = [one for one in _records(route53, zone, record.name) if record.prevents(one)]
    written = f"made/{zone}/{record.type}/{record.name}/"
    ours = bool(found) and all(physical_id == written + _digest_of(one) for one in found)
    if [_digest_of(one) for one in found] == [record.digest]:
        return "made" if ours else "there"
    if found and not ours:
        return "other"
    _change(route53, zone, "UPSERT" if ours else "CREATE", record.to_route53())
    return "made"


def _delete(route53: Any, physical_id: str) -> None:
    owner, *place = physical_id.split("/")
    if owner != "made":
        return
    zone, kind, name, digest = place
    for one in _records(route53, zone, name):
        if (one["Type"], _digest_of(one)) == (kind, digest):
            _change(route53, zone, "DELETE", one)


def _records(route53: Any, zone: str, name: str) -> Sequence[dict[str, Any]]:
    """Return the records of a name: Route 53 lists them in the order of names, beginning there."""
    listed = route53.list_resource_record_sets(HostedZoneId=zone, StartRecordName=name, MaxItems="20")
    return [one for one in listed["ResourceRecordSets"] if _plain_name(one["Name"]) == name]


def _change(route53: Any, zone: str, action: str, record: dict[str, Any]) -> None:
    batch = {"Changes": [{"Action": action, "ResourceRecordSet": record}]}
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)


def _digest_of(record: dict[str, Any]) -> str:
    alias = record.get("AliasTarget")
    if alias:
        return _digest([_plain(ALIAS, f"{_plain_name(alias['DNSName'])} {alias['HostedZoneId']}")])
    return _digest(sorted(_plain(record["Type"], one["Value"]) for one in record.get("ResourceRecords", [])))


def _digest(values: list[str]) -> str:
    return hashlib.sha256("\n".join(values).encode()).hexdigest()[:16]


def _plain(kind: str, value: str) -> str:
    """Return a value in the one way that all who write it mean."""
    return value if kind in ("TXT", ALIAS) else _plain_name(value)


def _plain_name(name: str) -> str:
    return name.rstrip(".").lower()
