"""The custom resource that has SES know a domain, without taking over one that the account has verified already.

CloudFormation's own resource fails if the identity exists, and would delete it with the stack although other programs
send from it. An identity that we make carries a tag with our stack's name; only that is ever changed or deleted.
"""

from contextlib import suppress
from typing import Any

TAG = "flow-hitl:stack"
DKIM_RECORDS = 3
MAIL_FROM = "bounce"
"""The subdomain of the sender's domain that bounces go to, so that SPF is about the sender's domain, not Amazon's."""
_NONE_NEEDED = "none: SES knows the domain already, by other means"


def apply(ses: Any, request_type: str, properties: dict[str, Any], physical_id: str) -> tuple[str, dict[str, str]]:
    """Find or create the identity, or delete our own, and return the domain and the DNS records for DKIM.

    `ses` is a client of version 2, `properties` has `Domain`, `Stack`, `ConfigurationSetName`, and, for the sender's
    domain, the host of SES that takes bounces as `FeedbackHost`. The attributes are `DkimRecord1` to `3`, and with a
    host `MailFromMxRecord` and `MailFromSpfRecord`. Raises botocore's ClientError.
    """
    domain, stack = properties["Domain"], properties["Stack"]
    if request_type == "Delete":
        if _is_ours(_find(ses, physical_id), stack):
            ses.delete_email_identity(EmailIdentity=physical_id)
        return physical_id, {}
    if _find(ses, domain) is None:
        # Somebody else may have made it in the meantime.
        with suppress(ses.exceptions.AlreadyExistsException):
            ses.create_email_identity(
                EmailIdentity=domain,
                ConfigurationSetName=properties["ConfigurationSetName"],
                Tags=[{"Key": TAG, "Value": stack}],
            )
    identity = _find(ses, domain) or {}
    host = properties.get("FeedbackHost")
    mail_from = _mail_from(ses, domain, identity, stack, host) if host else {}
    return domain, _dkim_records(domain, identity) | mail_from


def _mail_from(ses: Any, domain: str, identity: dict[str, Any], stack: str, host: str) -> dict[str, str]:
    """Have bounces go to a subdomain of ours, unless that is chosen already, and return its DNS records."""
    ours = f"{MAIL_FROM}.{domain}"
    chosen = identity.get("MailFromAttributes", {}).get("MailFromDomain")
    if not _is_ours(identity, stack) or chosen not in (None, "", ours):
        return {"MailFromMxRecord": _NONE_NEEDED, "MailFromSpfRecord": _NONE_NEEDED}
    # Until its records are set, SES sends as it would without it.
    ses.put_email_identity_mail_from_attributes(
        EmailIdentity=domain, MailFromDomain=ours, BehaviorOnMxFailure="USE_DEFAULT_VALUE"
    )
    spf = f'{ours} TXT "v=spf1 include:amazonses.com ~all"'
    return {"MailFromMxRecord": f"{ours} MX 10 {host}", "MailFromSpfRecord": spf}


def _find(ses: Any, domain: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = ses.get_email_identity(EmailIdentity=domain)
    except ses.exceptions.NotFoundException:
        return None
    return found


def _is_ours(identity: dict[str, Any] | None, stack: str) -> bool:
    return identity is not None and {"Key": TAG, "Value": stack} in identity.get("Tags", [])


def _dkim_records(domain: str, identity: dict[str, Any]) -> dict[str, str]:
    dkim = identity.get("DkimAttributes", {})
    # With a key of its own ("EXTERNAL"), the domain's owner has set the one record there is.
    tokens = dkim.get("Tokens", []) if dkim.get("SigningAttributesOrigin", "AWS_SES") != "EXTERNAL" else []
    records = [f"{token}._domainkey.{domain} CNAME {token}.dkim.amazonses.com" for token in tokens[:DKIM_RECORDS]]
    records += [_NONE_NEEDED] * (DKIM_RECORDS - len(records))
    return {f"DkimRecord{number}": record for number, record in enumerate(records, start=1)}
