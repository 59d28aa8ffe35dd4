"""`flow-hitl`: the operator's command for a stack on AWS or the local stack."""

import os

import click

from infra.cli.analytics import analytics
from infra.cli.api_keys import api_key
from infra.cli.audit import audit
from infra.cli.completion import completion
from infra.cli.configuration import rules, settings
from infra.cli.cost import cost
from infra.cli.deploy import deploy
from infra.cli.deployments import deployment, resume_secret, rotate_resume_secret
from infra.cli.destroy import destroy
from infra.cli.doctor import doctor
from infra.cli.erase import erase
from infra.cli.errors import OperatorGroup
from infra.cli.export import export
from infra.cli.flows import flow
from infra.cli.groups import group
from infra.cli.init import init
from infra.cli.mail import mail
from infra.cli.members import member
from infra.cli.preflight import preflight
from infra.cli.redrive import redrive
from infra.cli.replay import replay
from infra.cli.requests import request
from infra.cli.restore_drill import restore_drill
from infra.cli.signing_keys import signing_key
from infra.cli.status import status
from infra.cli.target import target_options
from infra.cli.test_requests import test_request
from infra.cli.use import use
from infra.cli.values import version
from infra.cli.webhooks import webhook


@click.group(cls=OperatorGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version(), prog_name="flow-hitl")
@target_options
@click.pass_context
def main(context: click.Context) -> None:
    """Create deployments, manage their API keys, settings, and routing rules, and check that everything works."""
    # Colors are for terminals, as click sees to, and for those who want them: https://no-color.org.
    if os.environ.get("NO_COLOR"):
        context.color = False


for command in (
    init,
    use,
    preflight,
    deploy,
    destroy,
    deployment,
    api_key,
    member,
    group,
    settings,
    rules,
    webhook,
    resume_secret,
    rotate_resume_secret,
    signing_key,
    mail,
    redrive,
    replay,
    export,
    erase,
    restore_drill,
    analytics,
    audit,
    request,
    test_request,
    flow,
    cost,
    status,
    doctor,
    completion,
):
    main.add_command(command)
