"""The edge's template with a hosted zone and a custom domain: certificate, name, mapping, and DNS records."""

from typing import Any

import pytest

from tests.infra.conftest import WITH_DOMAIN, Assembly

ZONE = WITH_DOMAIN["hosted_zone"]


@pytest.fixture(scope="session")
def edge(with_domain: Assembly) -> Any:
    return with_domain.mail_edge


def records(edge: Any) -> list[str]:
    return [str(each["Record"]) for each in edge.properties("Custom::DnsRecord")]


def test_the_certificate_is_proven_by_the_hosted_zone(edge: Any) -> None:
    (certificate,) = edge.properties("AWS::CertificateManager::Certificate")
    assert (certificate["DomainName"], certificate["ValidationMethod"]) == ("api.example.com", "DNS")
    assert certificate["DomainValidationOptions"] == [{"DomainName": "api.example.com", "HostedZoneId": ZONE}]


def test_the_path_of_the_domain_leads_to_the_api(edge: Any) -> None:
    (name,) = edge.properties("AWS::ApiGatewayV2::DomainName")
    (configuration,) = name["DomainNameConfigurations"]
    assert (name["DomainName"], configuration["SecurityPolicy"]) == ("api.example.com", "TLS_1_2")
    (mapping,) = edge.properties("AWS::ApiGatewayV2::ApiMapping")
    assert (mapping["Stage"], mapping["ApiMappingKey"]) == ("$default", "hitl")
    assert "OutputRefHttpApi" in str(mapping["ApiId"]["Fn::ImportValue"])


def test_links_lead_to_the_domain(with_domain: Assembly) -> None:
    variables = with_domain.core.function("intake")["Environment"]["Variables"]
    assert "https://api.example.com/hitl" in variables.values()


def test_every_record_of_email_and_domain_is_made_and_what_became_of_it_is_an_output(edge: Any) -> None:
    names = {name.removesuffix("State") for name in edge.template["Outputs"] if name.endswith("State")}
    assert names == {
        "IdentityDkimRecord1",
        "IdentityDkimRecord2",
        "IdentityDkimRecord3",
        "IdentityMailFromMxRecord",
        "IdentityMailFromSpfRecord",
        "InboundMxRecord",
        "DmarcRecord",
        "DomainRecord",
    }
    assert {each["HostedZone"] for each in edge.properties("Custom::DnsRecord")} == {ZONE}
    assert '_dmarc.hitl.example.com TXT "v=DMARC1; p=quarantine"' in records(edge)
    assert any("api.example.com ALIAS " in record and "RegionalHostedZoneId" in record for record in records(edge))
    assert "api.example.com CNAME " in str(edge.template["Outputs"]["DomainRecord"]["Value"])


def test_only_our_names_in_the_zone_may_be_changed(edge: Any) -> None:
    (role,) = edge.properties("AWS::IAM::Role")
    statements = role["Policies"][0]["PolicyDocument"]["Statement"]
    (change,) = [each for each in statements if each["Action"] == "route53:ChangeResourceRecordSets"]
    assert str(change["Resource"]).endswith(f":route53:::hostedzone/{ZONE}']]}}")
    assert change["Condition"]["ForAllValues:StringLike"] == {
        "route53:ChangeResourceRecordSetsNormalizedRecordNames": [
            "hitl.example.com",
            "*._domainkey.hitl.example.com",
            "bounce.hitl.example.com",
            "_dmarc.hitl.example.com",
            "api.example.com",
        ]
    }


def test_no_record_is_cloudformations_which_fails_if_there_is_one(edge: Any) -> None:
    assert edge.of_type("AWS::Route53::RecordSet") == {}


def test_without_a_hosted_zone_there_are_no_rights_to_one_and_the_records_are_outputs(assembly: Assembly) -> None:
    assert assembly.mail_edge.of_type("Custom::DnsRecord") == {}
    assert "route53" not in str(assembly.mail_edge.properties("AWS::IAM::Role"))
    outputs = assembly.mail_edge.template["Outputs"]
    assert {"InboundMxRecord", "IdentityMailFromMxRecord", "DmarcRecord"} <= outputs.keys()
