"""The operator's options: from `flow-hitl.toml`, or from CDK context (`cdk deploy -c name=value`), which prevails."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

from flow_hitl.platform.address import domain_of, is_mail_address
from flow_hitl.platform.outgoing_url import Destinations
from flow_hitl.proof.seal_store import earlier_keys

Architecture = Literal["arm64", "x86_64"]
Stage = Literal["production", "evaluation"]
Lock = Literal["governance", "compliance", "none"]
AwsClient = Literal["auto", "boto3"]

PYTHON_VERSIONS = ("3.11", "3.12", "3.13", "3.14")
_HOST = r"(?=[^/]{4,253}(?:/|$))[a-z0-9-]+(?:\.[a-z0-9-]+)+"
_PATH = r"(?:/[\w.~-]+)*"


@dataclass(frozen=True)
class Options:
    """The options of one stack; only `inbound_domain` and `alarm_email` must be given.

    `stage` says what deleting the stack does. `production` keeps all data; of an `evaluation` nothing is left.
    `alarm_email` gets the alarms, or nobody if it is None; as an option that is `none`.
    `allowed_networks` lists the private networks and hosts, separated by commas, that webhooks and resume URLs may use:
    `10.0.0.0/8,jira.internal.example,git.internal.example:8443`.
    `domain` is the custom domain that people and flows see, with a path if it maps only that:
    `api.example.com/hitl`; links lead there. Its certificate is `certificate_arn`, or is made where the DNS is ours:
    `hosted_zone`, the id or name of a hosted zone of Route 53, in which email's records are made too.
    `aws_client` is `auto` for our own client of what functions call most, `boto3` for the SDK everywhere.
    `packages_for_host` builds the layers for this machine instead of Lambda, for an emulator.
    `seal_lock` is the Object Lock mode of the audit log's digests, for `seal_retention_days`: an administrator can lift
    governance; nobody, not even the account's owner, can lift compliance. An evaluation has none, unless it is chosen.
    A higher `seal_key` replaces the key that signs digests, exports, and receipts. `earlier_seal_keys` lists the keys
    before, `BASE64@TIME,…`: each as `aws kms get-public-key` prints it, and a time after its replacement. What they
    signed until then stays verifiable.
    `require_tls` is false only for an emulator that speaks plain HTTP and enforces policies.
    """

    inbound_domain: str
    mail_from: str
    architecture: Architecture = "arm64"
    python: str = "3.13"
    base_url: str | None = None
    domain: str | None = None
    hosted_zone: str | None = None
    certificate_arn: str | None = None
    allow_insecure_urls: bool = False
    allowed_networks: str = ""
    aws_client: AwsClient = "auto"
    packages_for_host: bool = False
    require_tls: bool = True
    stage: Stage = "production"
    seal_lock: Lock = "governance"
    seal_retention_days: int = 2557
    seal_key: int = 1
    earlier_seal_keys: str = ""
    alarm_email: str | None = None
    stack_name: str = "flow-hitl"

    @property
    def keeps_data(self) -> bool:
        """Whether data outlives the stack."""
        return self.stage == "production"

    @property
    def sender_domain(self) -> str:
        """The domain that email is sent from."""
        return domain_of(self.mail_from)

    @property
    def domain_name(self) -> str | None:
        """The custom domain without its path."""
        return self.domain.partition("/")[0] if self.domain else None

    @property
    def domain_path(self) -> str:
        """The path of the custom domain that leads here, without slashes around it; "" for all of it."""
        return (self.domain or "").partition("/")[2]

    @property
    def hosted_zone_id(self) -> str | None:
        """The hosted zone, where the option is its id."""
        return self.hosted_zone if self.hosted_zone and is_zone_id(self.hosted_zone) else None

    def require_complete(self) -> None:
        """Raise ValueError where a template needs more than the file has to say: AWS is not asked for it there."""
        if self.hosted_zone and not self.hosted_zone_id:
            raise ValueError("CDK needs the id of hosted_zone; `flow-hitl deploy` finds it by the name.")
        if self.domain and not (self.hosted_zone or self.certificate_arn):
            raise ValueError(
                f"Say how {self.domain_name} gets its certificate: by hosted_zone, or by certificate_arn. "
                "`flow-hitl preflight` says how."
            )

    @classmethod
    def from_context(cls, context: Mapping[str, object]) -> "Options":
        """Read the options; raises ValueError that says which one to change and how."""
        inbound_domain = _text(context, "inbound_domain")
        if inbound_domain is None:
            raise ValueError("inbound_domain is missing: what receives the replies, such as hitl.example.com")
        inbound_domain = inbound_domain.lower()
        if not re.fullmatch(_HOST, inbound_domain):
            raise ValueError(f"inbound_domain must be a domain such as hitl.example.com, not {inbound_domain!r}")
        mail_from = _text(context, "mail_from") or f"reviews@{inbound_domain}"
        if not is_mail_address(mail_from):
            raise ValueError(f"mail_from must be a plain email address such as reviews@example.com, not {mail_from!r}")
        stage = cast("Stage", _one_of(context, "stage", ("production", "evaluation")))
        locks = ("governance", "compliance") if stage == "production" else ("none", "governance", "compliance")
        domain = _domain(context)
        return cls(
            inbound_domain=inbound_domain,
            mail_from=mail_from,
            architecture=cast("Architecture", _one_of(context, "architecture", ("arm64", "x86_64"))),
            python=_one_of(context, "python", ("3.13", *PYTHON_VERSIONS)),
            base_url=_base_url(context, domain),
            domain=domain,
            hosted_zone=_hosted_zone(context),
            certificate_arn=_certificate_arn(context),
            allow_insecure_urls=_one_of(context, "allow_insecure_urls", ("false", "true")) == "true",
            allowed_networks=_allowed_networks(context),
            aws_client=cast("AwsClient", _one_of(context, "aws_client", ("auto", "boto3"))),
            packages_for_host=_one_of(context, "packages_for_host", ("false", "true")) == "true",
            require_tls=_one_of(context, "require_tls", ("true", "false")) == "true",
            stage=stage,
            seal_lock=cast("Lock", _one_of(context, "seal_lock", locks)),
            seal_retention_days=_whole(context, "seal_retention_days", 2557, "a whole number of days"),
            seal_key=_whole(context, "seal_key", 1, "a whole number"),
            earlier_seal_keys=_earlier_seal_keys(context),
            alarm_email=_alarm_email(context),
            stack_name=_stack_name(context),
        )


def is_zone_id(text: str) -> bool:
    """Tell whether a text is the id of a hosted zone, such as Z0123456789ABCDEFGHIJ; its name has a dot."""
    return re.fullmatch(r"[A-Z0-9]{1,32}", text) is not None


OPTION_NAMES = tuple(Options.__dataclass_fields__)


def _text(context: Mapping[str, object], name: str) -> str | None:
    value = context.get(name)
    return str(value).strip() or None if value is not None else None


def _stack_name(context: Mapping[str, object]) -> str:
    """Return a name that CloudFormation takes, and SES, whose names are shorter, with our endings."""
    text = _text(context, "stack_name") or "flow-hitl"
    if not re.fullmatch(r"[A-Za-z](?:[A-Za-z0-9-]{0,48}[A-Za-z0-9])?", text):
        raise ValueError(f"stack_name must be up to 50 letters, digits, and hyphens such as flow-hitl, not {text!r}")
    return text


def _alarm_email(context: Mapping[str, object]) -> str | None:
    text = _text(context, "alarm_email")
    if text is None:
        raise ValueError("alarm_email is missing: who gets the alarms, such as ops@example.com, or none")
    if text.lower() == "none":
        return None
    if not is_mail_address(text):
        raise ValueError(f"alarm_email must be a plain email address such as ops@example.com, or none, not {text!r}")
    return text


def _allowed_networks(context: Mapping[str, object]) -> str:
    text = _text(context, "allowed_networks") or ""
    try:
        Destinations.parse(text)
    except ValueError as error:
        raise ValueError(f"allowed_networks: {error}") from error
    return text


def _base_url(context: Mapping[str, object], domain: str | None) -> str | None:
    url = _text(context, "base_url")
    if url is not None and not re.fullmatch(rf"https?://[^/?#\s]+{_PATH}/?", url):
        raise ValueError(f"base_url must be a URL such as https://hitl.example.com, not {url!r}")
    url = url.rstrip("/") if url else None
    if domain is None:
        return url
    if url not in (None, f"https://{domain}"):
        raise ValueError(f"base_url must not differ from domain: leave it out, and links lead to https://{domain}")
    return f"https://{domain}"


def _domain(context: Mapping[str, object]) -> str | None:
    text = _text(context, "domain")
    if text is None:
        return None
    host, slash, path = text.rstrip("/").partition("/")
    domain = f"{host.lower()}{slash}{path}"
    if not re.fullmatch(rf"{_HOST}{_PATH}", domain):
        raise ValueError(f"domain must be such as reviews.example.com or api.example.com/hitl, not {text!r}")
    return domain


def _hosted_zone(context: Mapping[str, object]) -> str | None:
    text = _text(context, "hosted_zone")
    if text is None or is_zone_id(text):
        return text
    name = text.lower().rstrip(".")
    if not re.fullmatch(_HOST, name):
        raise ValueError(f"hosted_zone must be a hosted zone's id or name, such as example.com, not {text!r}")
    return name


def _certificate_arn(context: Mapping[str, object]) -> str | None:
    text = _text(context, "certificate_arn")
    if text is not None and not re.fullmatch(r"arn:[\w-]+:acm:[\w-]+:\d{12}:certificate/[\w-]+", text):
        raise ValueError(f"certificate_arn must be that of a certificate in ACM, arn:aws:acm:…, not {text!r}")
    return text


def _earlier_seal_keys(context: Mapping[str, object]) -> str:
    text = _text(context, "earlier_seal_keys") or ""
    try:
        earlier_keys(text)
    except ValueError as error:
        raise ValueError(f"earlier_seal_keys must be BASE64@TIME,…: {error}") from error
    return text


def _whole(context: Mapping[str, object], name: str, default: int, wanted: str) -> int:
    text = _text(context, name) or str(default)
    if not re.fullmatch(r"[1-9][0-9]{0,4}", text):
        raise ValueError(f"{name} must be {wanted} such as {default}, not {text!r}")
    return int(text)


def _one_of(context: Mapping[str, object], name: str, allowed: tuple[str, ...]) -> str:
    """Return the option's value, by default the first allowed one."""
    value = (_text(context, name) or allowed[0]).lower()
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(dict.fromkeys(allowed))}, not {value!r}")
    return value
