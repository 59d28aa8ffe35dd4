"""What a deployment would meet in the DNS and around its custom domain: hosted zone, certificate, records."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from flow_hitl.diagnosis.findings import Finding, info, ok, problem
from flow_hitl.platform.aws import client
from flow_hitl.platform.dynamodb import error_code
from flow_hitl.platform.no_answer import Unknown
from infra.cli.found import Zone, find_stack, find_zones, outputs_of
from infra.cli.report import not_asked
from infra.names import dmarc_record
from infra.options import Options

_DNS_SECONDS = 5.0
_ADDRESSES = ("A", "AAAA", "CNAME")


def hosted_zone(options: Options) -> Iterator[Finding]:
    """Look for the hosted zone, and whether the DNS asks it."""
    if options.hosted_zone is None:
        return
    zones = find_zones(options.hosted_zone)
    if not zones:
        yield problem(
            f"There is no public hosted zone {options.hosted_zone} in this account.",
            "See those that there are: aws route53 list-hosted-zones. Or leave hosted_zone out, and set the records "
            "that the deployment prints.",
        )
        return
    if len(zones) > 1:
        ids = ", ".join(zone.zone_id for zone in zones)
        yield problem(f"There are {len(zones)} hosted zones {options.hosted_zone}.", f"Write one's id instead: {ids}")
        return
    (zone,) = zones
    yield ok(f"DNS records are made in the hosted zone {zone.name} ({zone.zone_id}).")
    yield from _delegated(zone)
    if options.domain_name and not options.certificate_arn and not zone.has(options.domain_name):
        yield problem(
            f"{options.domain_name} is not in {zone.name}, so no certificate can be made by it.",
            "Choose a domain in the zone, or give certificate_arn.",
        )
    outside = [name for name in (options.inbound_domain, options.sender_domain) if not zone.has(name)]
    for name in dict.fromkeys(outside):
        yield info(f"{name} is not in {zone.name}.", "Set its records by hand: the deployment prints them.")


def _delegated(zone: Zone) -> Iterator[Finding]:
    found = resolve(zone.name, "NS")
    if isinstance(found, Unknown):
        yield not_asked("the DNS", found)
    elif not {one.rstrip(".").lower() for one in found} & {one.rstrip(".").lower() for one in zone.name_servers}:
        yield problem(
            f"The DNS does not ask the hosted zone {zone.name}: nobody would see records in it.",
            f"Set its name servers where {zone.name} is registered: {', '.join(zone.name_servers)}",
        )


def certificate(options: Options) -> Iterator[Finding]:
    """Look for the certificate of the custom domain, where it is not made by a hosted zone."""
    name = options.domain_name
    if name is None:
        return
    acm = client("acm")
    if options.certificate_arn:
        yield _given(acm, name, options.certificate_arn)
        return
    if options.hosted_zone:
        yield ok(f"The deployment makes a certificate for {name}.")
        return
    pages = acm.get_paginator("list_certificates").paginate(CertificateStatuses=["ISSUED", "PENDING_VALIDATION"])
    listed = [one for page in pages for one in page["CertificateSummaryList"]]
    arns = [one["CertificateArn"] for one in listed if _covers(one["DomainName"], name)]
    found = [acm.describe_certificate(CertificateArn=arn)["Certificate"] for arn in arns]
    for one in sorted(found, key=lambda one: str(one["Status"])):
        if one["Status"] == "ISSUED":
            yield problem(
                f"ACM has a certificate for {name}, which {options.stack_name} is not told.",
                f'Add to the options: certificate_arn = "{one["CertificateArn"]}"',
            )
        else:
            yield problem(f"The certificate for {name} is not validated yet.", _validation(one))
        return
    region = acm.meta.region_name
    yield problem(
        f"{name} has no certificate, and no hosted_zone to make one by.",
        f"aws acm request-certificate --domain-name {name} --validation-method DNS --region {region}; "
        "then run this again for the DNS record that proves that the domain is yours.",
    )


def _given(acm: Any, name: str, arn: str) -> Finding:
    region = acm.meta.region_name
    if arn.split(":")[3] != region:
        return problem(f"The certificate for {name} is in another region.", f"Request it in {region}.")
    try:
        found = acm.describe_certificate(CertificateArn=arn)["Certificate"]
    except ClientError as error:
        if error_code(error) != "ResourceNotFoundException":
            raise
        return problem(f"ACM has no certificate {arn}.", "See those that there are: aws acm list-certificates")
    names = [found["DomainName"], *found.get("SubjectAlternativeNames", [])]
    if not any(_covers(one, name) for one in names):
        return problem(
            f"The certificate is for {', '.join(dict.fromkeys(names))}, not for {name}.", "Give another one."
        )
    if found["Status"] == "PENDING_VALIDATION":
        return problem(f"The certificate for {name} is not validated yet.", _validation(found))
    if found["Status"] != "ISSUED":
        return problem(f"The certificate for {name} is of no use: {found['Status']}.", "Request a new one.")
    return ok(f"The certificate for {name} is valid.")


def _covers(of_certificate: str, name: str) -> bool:
    """Tell whether a certificate's name, which may begin with `*.`, stands for a name."""
    first, _, rest = name.partition(".")
    return of_certificate.lower() in (name, f"*.{rest}") and bool(first)


def _validation(found: Mapping[str, Any]) -> str:
    options = [one["ResourceRecord"] for one in found["DomainValidationOptions"] if "ResourceRecord" in one]
    if not options:
        return "Wait a minute for ACM to say which DNS record proves that the domain is yours."
    records = "; ".join(f"{one['Name'].rstrip('.')} {one['Type']} {one['Value'].rstrip('.')}" for one in options)
    return f"Set this DNS record, and wait until ACM has seen it: {records}"


def domain(options: Options) -> Iterator[Finding]:
    """Look whether the custom domain is free: in API Gateway, and in the DNS."""
    name = options.domain_name
    if name is None:
        return
    edge = outputs_of(find_stack(f"{options.stack_name}-mail-edge") or {})
    ours, _, target = edge.get("DomainRecord", "").partition(" CNAME ")
    if ours != name and _in_api_gateway(name):
        yield problem(
            f"API Gateway of this account has {name} already.",
            f'Write base_url = "https://{options.domain}" instead of domain, deploy, and map it: aws apigatewayv2 '
            f"create-api-mapping --domain-name {name} --stage '$default' --api-id (the output ApiId of "
            f"{options.stack_name}){f' --api-mapping-key {options.domain_path}' if options.domain_path else ''}",
        )
        return
    leads = _leads_to(options, name)
    if isinstance(leads, Unknown):
        yield not_asked("the DNS", leads)
    elif not leads and ours == name and not options.hosted_zone:
        yield info(f"{name} leads nowhere yet.", f"Set: {edge['DomainRecord']}")
    elif leads and (ours != name or target.lower() not in leads):
        yield problem(
            f"{name} leads to {', '.join(leads)} today, and that record is not changed.",
            "Delete it, or choose another domain.",
        )
    else:
        yield ok(f"{name} is free, or leads here.")


def _in_api_gateway(name: str) -> bool:
    try:
        client("apigatewayv2").get_domain_name(DomainName=name)
    except ClientError as error:
        if error_code(error) == "NotFoundException":
            return False
        raise
    return True


def _leads_to(options: Options, name: str) -> Sequence[str] | Unknown:
    """Return where a name leads, by its hosted zone if it has one, else by the DNS."""
    for zone in find_zones(options.hosted_zone) if options.hosted_zone else ():
        if zone.has(name):
            return [value for kind in _ADDRESSES for value in in_zone(zone, name, kind)]
    found = resolve(name, "CNAME")
    if found:
        return found if isinstance(found, Unknown) else [one.rstrip(".").lower() for one in found]
    return resolve(name, "A")


def in_zone(zone: Zone, name: str, kind: str) -> Sequence[str]:
    """Return the values of a record in a hosted zone, lower case and without the last dot."""
    listed = client("route53").list_resource_record_sets(HostedZoneId=zone.zone_id, StartRecordName=name, MaxItems="20")
    found = [one for one in listed["ResourceRecordSets"] if (one["Name"].rstrip("."), one["Type"]) == (name, kind)]
    values = [one["AliasTarget"]["DNSName"] for one in found if "AliasTarget" in one]
    values += [record["Value"] for one in found for record in one.get("ResourceRecords", [])]
    return [value.rstrip(".").lower() for value in values]


def mx(options: Options, region: str) -> Iterator[Finding]:
    """Look where email for the inbound domain goes: a record that exists is never changed."""
    name, ours = options.inbound_domain, f"inbound-smtp.{region}.amazonaws.com"
    answer, zone = resolve(name, "MX"), _zone_of(options, name)
    if isinstance(answer, Unknown):
        yield not_asked("the DNS", answer)
        return
    # Nobody may be asking the zone yet.
    found = answer or (in_zone(zone, name, "MX") if zone else [])
    hosts = [record.split()[-1].rstrip(".").lower() for record in found]
    if hosts == [ours]:
        yield ok(f"The MX record of {name} points to SES.")
    elif hosts:
        yield problem(
            f"Email for {name} goes to {', '.join(sorted(hosts))} today, and that record is not changed.",
            "Choose a subdomain that receives no other email, such as hitl.example.com, as inbound_domain.",
        )
    elif zone:
        yield ok(f"{name} has no MX record yet; the deployment makes it.")
    else:
        yield info(f"{name} has no MX record yet.", f"After the deployment, set: {name} MX 10 {ours}")


def dmarc(options: Options) -> Iterator[Finding]:
    """Look whether the sender's domain says what others should do with forged email."""
    name = options.sender_domain
    found = resolve(f"_dmarc.{name}", "TXT")
    if isinstance(found, Unknown):
        yield not_asked("the DNS", found)
    elif any("v=DMARC1" in record for record in found):
        yield ok(f"{name} has a DMARC record.")
    elif name == options.inbound_domain and _zone_of(options, name):
        yield ok(f"{name} has no DMARC record yet; the deployment makes it.")
    else:
        yield info(
            f"{name} has no DMARC record: some mail services distrust email from there.",
            f"Set, for example: {dmarc_record(name)}",
        )


def _zone_of(options: Options, name: str) -> Zone | None:
    """Return the hosted zone in which a name's records are made."""
    zones = find_zones(options.hosted_zone) if options.hosted_zone else []
    return zones[0] if len(zones) == 1 and zones[0].has(name) else None


def resolve(name: str, kind: str) -> list[str] | Unknown:
    """Ask the DNS for the records of a name; none where there is no such name."""
    import dns.exception
    import dns.resolver

    try:
        return [record.to_text() for record in dns.resolver.resolve(name, kind, lifetime=_DNS_SECONDS)]
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    except dns.exception.DNSException as error:
        return Unknown(type(error).__name__)
