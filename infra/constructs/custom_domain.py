"""The custom domain of the API: its certificate, its name in API Gateway, and the mapping to our API."""

from aws_cdk import Token
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_certificatemanager as acm
from constructs import Construct

from infra.constructs.http_api import HttpApi
from infra.options import Options


class CustomDomain(Construct):
    """`options.domain`, which leads to the API; `target` and `target_zone` are where its DNS record points to."""

    def __init__(self, scope: Construct, construct_id: str, options: Options, api: HttpApi) -> None:
        super().__init__(scope, construct_id)
        name = apigateway.CfnDomainName(
            self,
            "Name",
            domain_name=options.domain_name or "",
            domain_name_configurations=[
                apigateway.CfnDomainName.DomainNameConfigurationProperty(
                    certificate_arn=options.certificate_arn or self._certificate(options),
                    endpoint_type="REGIONAL",
                    security_policy="TLS_1_2",
                )
            ],
        )
        apigateway.CfnApiMapping(
            self,
            "Mapping",
            api_id=api.api.api_id,
            domain_name=name.ref,
            stage="$default",
            api_mapping_key=options.domain_path or None,
        )
        self.target = Token.as_string(name.get_att("RegionalDomainName"))
        self.target_zone = Token.as_string(name.get_att("RegionalHostedZoneId"))

    def _certificate(self, options: Options) -> str:
        """Make the certificate; ACM proves by the hosted zone that the domain is ours."""
        domain = options.domain_name or ""
        certificate = acm.CfnCertificate(
            self,
            "Certificate",
            domain_name=domain,
            validation_method="DNS",
            domain_validation_options=[
                acm.CfnCertificate.DomainValidationOptionProperty(
                    domain_name=domain, hosted_zone_id=options.hosted_zone_id
                )
            ],
        )
        return certificate.ref
