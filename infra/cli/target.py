"""The options and arguments that commands share: which stack they work on, and how they print."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from infra.cli.errors import OperatorError
from infra.options_file import DEFAULT, FILE, LOCAL, REGION, chosen_profile, options_file, read_options

if TYPE_CHECKING:
    from flow_hitl.bootstrap import Application
    from flow_hitl.deployments.manage_deployments import ManageDeployments

DEFAULT_STACK = "flow-hitl"

_Command = TypeVar("_Command", bound=Callable[..., Any])


class _DeploymentNumber(click.IntRange):
    # What an error says that another text is not.
    name = "deployment number; `flow-hitl deployment list` shows them"


@dataclass
class CommandTarget:
    """The stack that a command works on, connected when it is first needed."""

    local_asked: bool = False
    stack: str | None = None
    profile_asked: str | None = None
    as_json: bool = False

    @cached_property
    def profile(self) -> str:
        """The profile of the stack: what the command says, else the environment, else `flow-hitl use`."""
        asked = [one for one in (self.local_asked, self.stack, self.profile_asked) if one]
        if len(asked) > 1:
            raise click.UsageError("Give one of --local, --stack and --profile, not both.")
        if self.local_asked:
            return LOCAL
        return DEFAULT if self.stack else self.profile_asked or chosen_profile()

    @property
    def local(self) -> bool:
        """Whether it is the local stack."""
        return self.profile == LOCAL

    @cached_property
    def outputs(self) -> Mapping[str, str]:
        """The core stack's outputs; raises OperatorError if the stack is not found."""
        if self.local:
            return _local_outputs()
        self.use_region()
        return _stack_outputs(self.stack_name)

    @cached_property
    def application(self) -> "Application":
        """All services of the stack."""
        from flow_hitl.bootstrap import Application
        from flow_hitl.platform.environment import SettingsMissing
        from flow_hitl.platform.system_clock import RandomIds, SystemClock, jitter
        from infra.outputs import settings_from_outputs

        try:
            # The operator's machine may ask for what only the SDK can do.
            settings = replace(settings_from_outputs(self.outputs), aws_client="boto3")
        except SettingsMissing as error:
            raise OperatorError(
                f"The stack's outputs lack {', '.join(error.names)}.",
                "Name the core stack with --stack, and deploy this version of it.",
            ) from error
        return Application(settings, SystemClock(), RandomIds(), jitter)

    @property
    def manage(self) -> "ManageDeployments":
        """The service that changes deployments."""
        return self.application.manage_deployments

    @cached_property
    def kept(self) -> Mapping[str, str]:
        """The profile's options in `flow-hitl.toml`; raises OperatorError if it cannot be read."""
        try:
            return read_options(options_file(), self.profile)
        except ValueError as error:
            hint = "Correct the file, and run the command again."
            if not options_file().exists():
                hint = f"There is no {options_file()} here: `flow-hitl init` makes one, `flow-hitl use` lists profiles."
            raise OperatorError(f"{error}.".replace("..", ".").replace("?.", "?"), hint) from error

    @property
    def stack_name(self) -> str:
        """The core stack's name in CloudFormation."""
        return self.stack or self.kept.get("stack_name") or DEFAULT_STACK

    def use_region(self) -> None:
        """Have every call go to the region of `flow-hitl.toml`, if it names one and the stack is the file's."""
        region = None if self.local or self.stack else self.kept.get(REGION)
        if region:
            os.environ |= {"AWS_REGION": region, "AWS_DEFAULT_REGION": region}

    @property
    def choice(self) -> str:
        """The option of this command that chose the stack, after a space, or ""; the next command needs it too."""
        if self.local_asked:
            return " --local"
        if self.stack:
            return f" --stack {self.stack}"
        return f" --profile {self.profile_asked}" if self.profile_asked else ""

    def command(self, words: str) -> str:
        """Return a command line that works on the same stack."""
        return f"flow-hitl {words}{self.choice}"


def with_target(command: _Command) -> _Command:
    """Add `target_options`, and give the command its target as the first argument."""
    passes = click.make_pass_decorator(CommandTarget, ensure=True)
    return target_options(cast("_Command", passes(command)))


def with_deployment(command: _Command) -> _Command:
    """Add the argument ID, a deployment's number as `deployment_id`, to what `with_target` adds."""
    return deployment_argument(with_target(command))


def target_options(command: _Command) -> _Command:
    """Add --local, --profile, --stack and --json, which may stand before or after the command's name."""
    options = (
        click.option(
            "--local",
            "local_asked",
            is_flag=True,
            expose_value=False,
            callback=_remember,
            help="Use the local stack that `make local` runs.",
        ),
        click.option(
            "--profile",
            "profile_asked",
            metavar="NAME",
            expose_value=False,
            callback=_remember,
            help=f"Use this section of {FILE}, or local.  [default: what `flow-hitl use` chose]",
        ),
        click.option(
            "--stack",
            metavar="NAME",
            expose_value=False,
            callback=_remember,
            help=f"Use this CloudFormation stack, in your AWS region.  [default: that of {FILE}, else {DEFAULT_STACK}]",
        ),
        click.option(
            "--json", "as_json", is_flag=True, expose_value=False, callback=_remember, help="Print JSON, for programs."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def deployment_argument(command: _Command) -> _Command:
    """Add the argument ID: a deployment's number, as `deployment_id`."""
    return click.argument("deployment_id", metavar="ID", type=_DeploymentNumber(min=1))(command)


def _remember(context: click.Context, parameter: click.Parameter, value: bool | str | None) -> None:
    # The options of an inner command must not undo what stood before its name.
    if value:
        setattr(context.ensure_object(CommandTarget), str(parameter.name), value)


def _local_outputs() -> Mapping[str, str]:
    from infra.local.emulator import use_emulator_credentials
    from infra.local.state import local_home, operator_path, read_operator

    try:
        operator = read_operator(local_home())
    except FileNotFoundError as error:
        raise OperatorError(
            f"No local stack is running: there is no {operator_path(local_home())}.",
            "Start it with `make local` in another terminal.",
        ) from error
    use_emulator_credentials()
    os.environ |= {"AWS_ENDPOINT_URL": operator.endpoint_url, "AWS_DEFAULT_REGION": operator.region}
    return operator.outputs


def _stack_outputs(name: str) -> Mapping[str, str]:
    from flow_hitl.platform.aws import client
    from infra.cli.found import find_stack, outputs_of

    stack = find_stack(name)
    if stack is None:
        raise OperatorError(
            f"There is no stack {name} in {client('cloudformation').meta.region_name}.",
            "Name it with --stack, set AWS_PROFILE or AWS_DEFAULT_REGION, or use --local for the local stack.",
        )
    return outputs_of(stack)
