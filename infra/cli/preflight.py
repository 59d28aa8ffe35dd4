"""`flow-hitl preflight`: what a deployment of `flow-hitl.toml` would meet in the account, its region, and the DNS."""

import shlex
from collections.abc import Iterator
from typing import Any

import click
from botocore.exceptions import BotoCoreError, ClientError

from flow_hitl.diagnosis.findings import Finding, command, info, ok, problem
from flow_hitl.platform.aws import client
from flow_hitl.platform.dynamodb import error_code
from flow_hitl.platform.no_answer import Unknown
from infra.cli import domain_checks
from infra.cli.cdk import cdk_command, has_project
from infra.cli.domain_checks import resolve
from infra.cli.found import find_stack
from infra.cli.report import StackCheck, asked, named, not_asked, report
from infra.cli.target import CommandTarget, with_target
from infra.options import Options
from infra.options_file import options_file

BOOTSTRAP = "/cdk-bootstrap/hnb659fds/version"
# CDK's newest kind of asset needs it.
_LEAST_BOOTSTRAP = 6
# Below this, a burst of emails and replies waits for a free function.
_FEW_FUNCTIONS = 100


@click.command()
@with_target
@click.pass_context
def preflight(context: click.Context, target: CommandTarget) -> None:
    """Check what a deployment would meet: options, credentials, region, quotas, SES, and DNS.

    Nothing is changed. The exit code is 1 if something would make the deployment fail, or leave it without email.
    """
    if target.local:
        raise click.UsageError("The local stack needs no account: `make local` starts it.")
    problems = report(target, look(target))
    if not target.as_json:
        click.echo("\nNext: " + ("mend these, and run it again." if problems else "flow-hitl deploy"), err=True)
    context.exit(1 if problems else 0)


def look(target: CommandTarget) -> Iterator[StackCheck]:
    """Yield every check; only the first ones if these fail, as nothing else can be asked then."""
    try:
        options = Options.from_context(target.kept)
    except ValueError as error:
        where = options_file()
        step = f"Correct {where}." if where.exists() else f"Write {where}: {command('init')}."
        yield StackCheck("options", problem(f"{error}", step))
        return
    yield StackCheck("options", ok(f"{options.stack_name}, {options.stage}: replies go to {options.inbound_domain}."))
    target.use_region()
    credentials = _credentials()
    yield StackCheck("credentials", credentials)
    if credentials.next_step:
        return
    region = str(client("sts").meta.region_name)
    yield StackCheck("region", _receives_mail(region))
    yield from named("bootstrap", asked(_bootstrap))
    yield from named("stack", asked(lambda: _stacks(options)))
    yield from named("functions", asked(_concurrency))
    yield from named("schedules", asked(_schedules))
    yield from named("SES", asked(_ses))
    for domain in dict.fromkeys((options.inbound_domain, options.sender_domain)):
        yield from named("SES", asked(lambda domain=domain: _identity(domain)))  # type: ignore[misc]
    yield from named("receipt rules", asked(lambda: _rules(options)))
    yield from named("hosted zone", asked(lambda: domain_checks.hosted_zone(options)))
    yield from named("MX record", asked(lambda: domain_checks.mx(options, region)))
    yield from named("DMARC", asked(lambda: domain_checks.dmarc(options)))
    yield from named("certificate", asked(lambda: domain_checks.certificate(options)))
    yield from named("domain", asked(lambda: domain_checks.domain(options)))


def _credentials() -> Finding:
    try:
        caller = client("sts").get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        return problem(
            f"AWS does not accept your credentials or region: {error}",
            "Sign in to AWS, or set AWS_PROFILE, and name the region in flow-hitl.toml.",
        )
    return ok(f"You are {caller['Arn']} in account {caller['Account']}.")


def _receives_mail(region: str) -> Finding:
    """Ask the DNS, as SES has no call that lists where it receives email."""
    host = f"inbound-smtp.{region}.amazonaws.com"
    found = resolve(host, "A")
    if isinstance(found, Unknown):
        return not_asked("the DNS", found)
    if not found:
        return problem(
            f"SES receives no email in {region}: there is no {host}.",
            'Choose another region, such as us-east-1 or eu-west-1: see "Email receiving endpoints" in the AWS '
            "General Reference.",
        )
    return ok(f"SES receives email in {region}.")


def bootstrap_version() -> int | None:
    """Return for which version of CDK the account and region are bootstrapped, None if they are not."""
    try:
        return int(client("ssm").get_parameter(Name=BOOTSTRAP)["Parameter"]["Value"])
    except ClientError as error:
        if error_code(error) == "ParameterNotFound":
            return None
        raise


def _bootstrap() -> Iterator[Finding]:
    version = bootstrap_version()
    if version is None:
        yield info(
            "CDK has not been used in this account and region yet.",
            f"{command('deploy')} asks, and then makes the bucket and the roles that CDK needs (cdk bootstrap).",
        )
        return
    if version < _LEAST_BOOTSTRAP:
        yield problem(f"The account is bootstrapped for an old CDK (version {version}).", _bootstrap_again())
    else:
        yield ok(f"The account is bootstrapped for CDK (version {version}).")


def bootstrap_words() -> tuple[str, str]:
    """Return the words that have CDK's command prepare the account and region."""
    sts = client("sts")
    return "bootstrap", f"aws://{sts.get_caller_identity()['Account']}/{sts.meta.region_name}"


def _bootstrap_again() -> str:
    if not has_project():
        return "Clone the repository, and run `flow-hitl preflight` there for the command."
    return f"Bootstrap it again: {shlex.join(cdk_command(*bootstrap_words()))}"


def _stacks(options: Options) -> Iterator[Finding]:
    for name in (options.stack_name, f"{options.stack_name}-mail-edge"):
        state = stack_state(name)
        if state is None:
            yield ok(f"{name} does not exist yet.")
        elif state == "ROLLBACK_COMPLETE":
            yield problem(
                f"The first deployment of {name} failed, and CloudFormation can only delete it.",
                f"aws cloudformation delete-stack --stack-name {name}",
            )
        elif state.endswith("_IN_PROGRESS"):
            yield problem(f"{name} is being changed ({state}).", "Wait until that is done.")
        elif state.endswith("_FAILED"):
            yield problem(f"{name} is in state {state}.", "See its events in the CloudFormation console.")
        else:
            yield ok(f"{name} exists ({state}) and will be updated.")


def stack_state(name: str) -> str | None:
    """Return the state of a stack in CloudFormation, None if there is none."""
    stack = find_stack(name)
    return str(stack["StackStatus"]) if stack is not None else None


def _concurrency() -> Iterator[Finding]:
    most = int(client("lambda").get_account_settings()["AccountLimit"]["ConcurrentExecutions"])
    if most < _FEW_FUNCTIONS:
        yield info(
            f"This account runs {most} functions at once: calls in a burst are refused, and emails wait.",
            "aws service-quotas request-service-quota-increase --service-code lambda --quota-code L-B99A9384 "
            "--desired-value 1000",
        )
    else:
        yield ok(f"This account runs {most:,} functions at once.")


def _schedules() -> Iterator[Finding]:
    pages = client("service-quotas").get_paginator("list_service_quotas").paginate(ServiceCode="scheduler")
    quotas = [quota for page in pages for quota in page["Quotas"]]
    creating = [quota["Value"] for quota in quotas if "CreateSchedule " in quota["QuotaName"] + " "]
    if creating:
        yield ok(f"{min(creating):.0f} requests with a time limit may be created per second.")
    else:
        yield info("AWS did not say how many schedules may be created per second.")


def _ses() -> Iterator[Finding]:
    account: dict[str, Any] = client("sesv2").get_account()
    if not account.get("SendingEnabled", True):
        yield problem("SES has paused sending for this account.", "The SES console says why.")
    quota = account.get("SendQuota", {})
    numbers = f"{quota.get('Max24HourSend', 0):,.0f} emails a day, {quota.get('MaxSendRate', 0):.0f} a second"
    if account.get("ProductionAccessEnabled"):
        yield ok(f"SES may send to everyone: {numbers}.")
    else:
        yield info(
            f"SES is in the sandbox: it sends only to addresses that it has verified, {numbers}.",
            "Verify each reviewer in the SES console for now, and ask for production access: aws sesv2 "
            "put-account-details --production-access-enabled --mail-type TRANSACTIONAL --website-url https://…",
        )


def _identity(domain: str) -> Iterator[Finding]:
    try:
        identity = client("sesv2").get_email_identity(EmailIdentity=domain)
    except ClientError as error:
        if error_code(error) != "NotFoundException":
            raise
        yield ok(f"SES does not know {domain} yet; the deployment tells it, and prints the DNS records to set.")
        return
    if identity.get("VerifiedForSendingStatus"):
        yield ok(f"SES has verified {domain}.")
    else:
        yield info(
            f"SES knows {domain} and has not verified it.", "Set the DNS records that the deployment prints at its end."
        )


def _rules(options: Options) -> Iterator[Finding]:
    active = client("ses").describe_active_receipt_rule_set().get("Metadata", {}).get("Name")
    if active in (None, options.stack_name):
        yield ok("No receipt rules of others are in the way.")
    else:
        yield ok(f"The receipt rule set {active} is active and stays so; one rule of ours is added to it.")
