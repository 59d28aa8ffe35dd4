"""What `flow-hitl doctor` checks: the installation, each deployment, and one request if it is asked about."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from flow_hitl.deployments.deployment import Deployment, Permission
from flow_hitl.diagnosis.findings import Finding, RequestDiagnosis, command, dead_letters_found, info, ok, problem
from flow_hitl.diagnosis.mail_findings import quota_text, sending_problems
from flow_hitl.platform.address import GROUP_PREFIX, domain_of
from flow_hitl.platform.aws import client
from flow_hitl.platform.aws_errors import unknown
from flow_hitl.platform.no_answer import Unknown
from flow_hitl.platform.times import rfc3339
from flow_hitl.webhooks.webhook import Delivery, DeliveryStatus
from infra.cli.found import alarms_on, dead_letter_numbers
from infra.cli.report import StackCheck, asked, named, not_asked
from infra.cli.target import CommandTarget
from infra.names import alarm_name, receipt_rule_name
from infra.outputs import missing_outputs

_MX_SECONDS = 5.0
_LATEST = 20
_ONLY_ON_AWS = {
    "alarms": "the local stack raises no alarms",
    "mail out": "the local stack shows every email at /_local/",
    "mail in": "the local stack receives email by SMTP, without a receipt rule",
    "MX record": "the local stack receives email by SMTP, without DNS",
}


def look(
    target: CommandTarget, deployment_id: int | None = None, request_id: str | None = None
) -> Iterator[StackCheck]:
    """Yield every check, of all deployments or only of the one named or the request's.

    Raises NotFound for an unknown deployment or request.
    """
    missing = missing_outputs(target.outputs)
    if missing:
        step = "Name the core stack with --stack, and deploy this version of it. Then run doctor again."
        yield StackCheck("stack", problem(f"The stack's outputs lack {', '.join(missing)}.", step))
        return
    yield StackCheck("stack", ok(f"The stack has all {len(target.outputs)} outputs."))
    diagnosis = None
    if request_id:
        deployment_id, diagnosis = target.application.diagnose_request.for_operator(request_id)
    deployments = [target.manage.show(deployment_id)] if deployment_id else target.manage.list()
    yield from _installation(target)
    yield from _deployments(target, deployments)
    if diagnosis is not None:
        yield from _request(diagnosis)


def _installation(target: CommandTarget) -> Iterator[StackCheck]:
    yield from named("signing key", _signing_key(target))
    yield from named("dead letters", _dead_letters(target))
    if target.local:
        for name, why in _ONLY_ON_AWS.items():
            yield StackCheck(name, info(f"This does not apply here: {why}."))
        return
    yield from named("alarms", asked(lambda: _alarms(target.stack_name)))
    yield from named("mail out", _mail_out(target))
    yield from named("mail in", asked(lambda: _receipt_rule(target)))
    yield from named("MX record", [_mx_record(target.application.settings.inbound_domain)])


def _signing_key(target: CommandTarget) -> Iterator[Finding]:
    ids, active = _ring(target)
    if isinstance(active, Unknown):
        yield problem(
            f"The signing keys cannot be read ({active.why}); without them no reply address, link, or callback works.",
            "Check the secret that the stack's output SigningSecretId names, and your permission to read it.",
        )
    elif active in ids:
        yield ok(f"Key {active} signs; signatures by {', '.join(ids)} are accepted.")
    else:
        yield problem(
            "The secret with the signing keys names no active key.",
            "Restore its previous version in Secrets Manager.",
        )


def _ring(target: CommandTarget) -> tuple[Sequence[str], str | Unknown]:
    """Return the ids of the signing keys (none if they cannot be read), and the active one."""
    ring = target.application.manage_signing_keys
    try:
        return ring.ids(), ring.keys.active_id()
    except (BotoCoreError, ClientError) as error:
        return (), unknown(error)
    except (KeyError, ValueError):
        return (), ""


def _dead_letters(target: CommandTarget) -> Iterator[Finding]:
    numbers = dead_letter_numbers(target.application.settings)
    for name, number in numbers.items():
        if isinstance(number, Unknown):
            yield not_asked(f"the dead-letter queue of {name}", number)
        elif number:
            yield dead_letters_found(name, number)
    if not any(numbers.values()):
        yield ok(f"All {len(numbers)} dead-letter queues are empty.")


def _alarms(stack: str) -> Iterator[Finding]:
    ours = alarms_on(stack)
    for alarm in ours:
        what, page = alarm_name(alarm["AlarmDescription"])
        yield problem(
            f'The alarm "{what}" is on since {rfc3339(alarm["StateUpdatedTimestamp"])}: '
            f"{alarm.get('StateReason', 'no reason given')}.",
            f"See {page}.",
        )
    if not ours:
        yield ok("No alarm is on.")


def _mail_out(target: CommandTarget) -> Iterator[Finding]:
    application = target.application
    state = application.mail_account.state()
    if isinstance(state, Unknown):
        yield not_asked("SES", state)
    else:
        wrong = tuple(sending_problems(state))
        yield from wrong or [ok(f"SES may send from {state.identity} to everyone: {quota_text(state)}.")]
    inbound = application.settings.inbound_domain
    if inbound != domain_of(application.settings.mail_from):
        yield from asked(lambda: _inbound_identity(inbound))


def _inbound_identity(domain: str) -> Iterator[Finding]:
    identity = client("sesv2").get_email_identity(EmailIdentity=domain)
    if identity.get("VerifiedForSendingStatus"):
        yield ok(f"SES has verified {domain}, where replies go.")
    else:
        yield problem(
            f"SES has not verified {domain}, where replies go, and receives no email for it.",
            "Set the DNS records in the outputs of the mail edge stack, and wait until SES has verified them.",
        )


def _receipt_rule(target: CommandTarget) -> Iterator[Finding]:
    answer = client("ses").describe_active_receipt_rule_set()
    active = answer.get("Metadata", {}).get("Name")
    name, domain = receipt_rule_name(target.stack_name), target.application.settings.inbound_domain
    redeploy = f"Deploy again, by {command('deploy')}."
    if active is None:
        yield problem("No receipt rule set is active in this region, so SES receives no email.", redeploy)
        return
    rule = next((rule for rule in answer.get("Rules", []) if rule["Name"] == name), None)
    if rule is None:
        yield problem(f"The active receipt rule set, {active}, does not have the rule {name}.", redeploy)
        return
    if not rule.get("Enabled"):
        yield problem(f"The receipt rule {name} is switched off.", f"Switch it on in the SES console, or: {redeploy}")
        return
    stored = [action["S3Action"] for action in rule.get("Actions", []) if "S3Action" in action]
    ours = {"BucketName": target.outputs["MailBucket"], "TopicArn": target.outputs["ReceiptsTopicArn"]}
    if domain not in rule.get("Recipients", []) or not any(ours.items() <= action.items() for action in stored):
        yield problem(f"The receipt rule {name} does not deliver email for {domain} to this stack.", redeploy)
    else:
        yield ok(f"The receipt rule {name} in {active} delivers email for {domain}.")


def _mx_record(domain: str) -> Finding:
    import dns.exception
    import dns.resolver

    ours = f"inbound-smtp.{client('sesv2').meta.region_name}.amazonaws.com"
    step = f"Have the domain's owner set this DNS record: {domain} MX 10 {ours}"
    try:
        answer = dns.resolver.resolve(domain, "MX", lifetime=_MX_SECONDS)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return problem(f"{domain} has no MX record, so no reply can be delivered.", step)
    except dns.exception.DNSException as error:
        return not_asked("the DNS", Unknown(type(error).__name__))
    hosts = {str(record.exchange).rstrip(".").lower(): record.preference for record in answer}
    # Mail goes to the host with the lowest preference.
    if ours not in hosts or hosts[ours] > min(hosts.values()):
        return problem(f"The MX record of {domain} points to {', '.join(sorted(hosts))}, not to SES.", step)
    return ok(f"The MX record of {domain} points to SES.")


def _deployments(target: CommandTarget, deployments: Sequence[Deployment]) -> Iterator[StackCheck]:
    key_ids = _ring(target)[0]
    suppressed = target.application.suppressed.entries()
    if not deployments:
        create = command("deployment", "create", "--name", "NAME", "--creator", "EMAIL", "--organization", "NUMBER")
        yield StackCheck("deployments", info("There are no deployments yet.", f"Create one: {create}."))
    for deployment in deployments:
        found = [
            *_doubts(target, deployment),
            *_suppressed_people(deployment, suppressed),
            *_keys(target, deployment, key_ids),
            *_webhooks(target, deployment),
        ]
        title = f"deployment {deployment.deployment_id}"
        yield from named(title, found or [ok(f'"{deployment.name}" has no problems.')])


def _doubts(target: CommandTarget, deployment: Deployment) -> Iterator[Finding]:
    deployment_id = str(deployment.deployment_id)
    for warning in target.application.configuration_warnings(deployment):
        settings, rules = command("settings", "get", deployment_id), command("rules", "get", deployment_id)
        yield problem(warning, f"Correct the settings ({settings}) or the routing rules ({rules}).")


def _suppressed_people(deployment: Deployment, suppressed: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    here = [entry for entry in suppressed if entry["deployment_id"] in (None, deployment.deployment_id)]
    reasons = {entry["address"]: entry["reason"] for entry in reversed(here)}
    for address in _people(deployment):
        if address.lower() in reasons:
            yield problem(
                f"{address} gets no email, because earlier email to this address {reasons[address.lower()]}.",
                f"Ask someone else, or once the address works: {command('mail', 'allow', address)}.",
            )


def _people(deployment: Deployment) -> Sequence[str]:
    """Return everyone whom the configuration names as someone to ask, each once."""
    named = [
        deployment.creator_email,
        *(member.email for member in deployment.members),
        *(rule.assign_to_email for rule in deployment.rules if rule.assign_to_email),
        *(person for group in deployment.settings.groups for person in group.members),
    ]
    return tuple({address.lower(): address for address in named if not address.startswith(GROUP_PREFIX)}.values())


def _keys(target: CommandTarget, deployment: Deployment, key_ids: Sequence[str]) -> Iterator[Finding]:
    now, deployment_id = target.application.clock.now(), str(deployment.deployment_id)
    usable = [key for key in deployment.api_keys.values() if key.expires_at is None or key.expires_at > now]
    if not any(Permission.CREATE_REQUESTS in key.permissions for key in usable):
        issue = command("api-key", "issue", deployment_id, "--name", "NAME", "--permission", "create_requests")
        yield info("No API key may open requests, so no flow can ask.", f"Issue one: {issue}.")
    for gone in sorted(deployment.resume_keys(now) - set(key_ids)) if key_ids else ():
        yield problem(
            f"The resume secret is derived from signing key {gone}, which no longer exists.",
            "Restore the previous version of the signing keys in Secrets Manager, or give the deployment a new "
            f"resume secret: {command('rotate-resume-secret', deployment_id)}.",
        )
    following = deployment.next_resume_secret(now)
    if following and following.signs_from:
        yield info(
            f"A new resume secret signs from {rfc3339(following.signs_from)}.",
            "Until then, have the program at your flows' resume_url accept both secrets: "
            f"{command('resume-secret', deployment_id)}.",
        )


def _webhooks(target: CommandTarget, deployment: Deployment) -> Iterator[Finding]:
    manage, now = target.application.manage_webhooks, target.application.clock.now()
    for webhook in manage.list(deployment.deployment_id):
        page = manage.list_deliveries(deployment.deployment_id, webhook.webhook_id, _LATEST, None)
        stalled = [one for one in page.deliveries if one.status_at(now) is DeliveryStatus.STALLED]
        yield from (_undelivered(webhook.name, one, "the worker stopped before it was done") for one in stalled)
        finished = next((one for one in page.deliveries if one.result is not None), None)
        if webhook.active and finished and finished.result and finished.result.status is DeliveryStatus.FAILED:
            yield _undelivered(webhook.name, finished, finished.result.reason)


def _undelivered(webhook: str, delivery: Delivery, why: str) -> Finding:
    path = f"/v1/deployments/{delivery.deployment_id}/webhooks/{delivery.webhook_id}/deliveries/{delivery.delivery_id}"
    return problem(
        f'The webhook "{webhook}" did not get "{delivery.event}" of {rfc3339(delivery.at)}: {why}.',
        f"Fix its receiver, then send it again: POST {path}/redeliver.",
    )


def _request(diagnosis: RequestDiagnosis) -> Iterator[StackCheck]:
    for answered in diagnosis.questions:
        yield from named(f"{answered.question} ({answered.status})", answered.findings)
