"""The operator's errors: one sentence about what is wrong, and a hint what to do."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import click
from botocore import exceptions as boto

from flow_hitl.platform.errors import Conflict, FlowHitlError, MalformedJson, NotFound, ValidationFailed

_LOCAL_HINT = "add --local if you mean the local stack"


class OperatorError(click.ClickException):
    """An error with a hint; the exit code is 1."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the sentence and the hint to standard error."""
        said = f"{click.style('Error:', fg='red')} {self.message}\nHint: {self.hint}"
        click.echo(said, file=file, err=file is None, color=self.show_color)


@contextmanager
def refusals(sentence: str, hint: str) -> Iterator[None]:
    """Turn refused options into `sentence` and the reasons, and what was not found into its own sentence."""
    try:
        yield
    except ValidationFailed as refused:
        why = "; ".join(f"{one.field.strip('/')} {one.message}".strip() for one in refused.errors)
        raise OperatorError(f"{sentence}: {why}.", hint) from refused
    except NotFound as missing:
        raise OperatorError(missing.detail, hint) from missing


class OperatorGroup(click.Group):
    """The commands, groups of them also by their plurals; turns errors of services and AWS into an OperatorError."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = super().get_command(ctx, cmd_name)
        if found is None and isinstance(one := super().get_command(ctx, cmd_name.removesuffix("s")), click.Group):
            return one
        return found

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except FlowHitlError as error:
            raise _of_service(error) from error
        except Conflict as error:
            hint = "Nothing was changed. Run the command again."
            raise OperatorError("Others kept changing the deployment at the same time.", hint) from error
        except (boto.BotoCoreError, boto.ClientError) as error:
            raise _of_aws(error) from error


def _of_service(error: FlowHitlError) -> OperatorError:
    if isinstance(error, ValidationFailed):
        fields = "".join(f"\n  {one.field or '/'}: {one.message}" for one in error.errors)
        hint = (
            "Correct each field and run the command again. The same command with `get` and --json prints a valid file."
        )
        return OperatorError(f"The file is not valid, and nothing was changed.{fields}", hint)
    if isinstance(error, MalformedJson):
        return OperatorError(error.detail, "Nothing was changed. Correct the file and run the command again.")
    hint = "See `flow-hitl deployment list` and `flow-hitl api-key list ID`."
    return OperatorError(error.detail, hint)


def _of_aws(error: boto.BotoCoreError | boto.ClientError) -> OperatorError:
    if isinstance(error, boto.NoCredentialsError):
        return OperatorError("There are no AWS credentials.", f"Set AWS_PROFILE or sign in to AWS, or {_LOCAL_HINT}.")
    if isinstance(error, boto.NoRegionError):
        return OperatorError("No AWS region is set.", f"Set AWS_DEFAULT_REGION or AWS_PROFILE, or {_LOCAL_HINT}.")
    if isinstance(error, (boto.ConnectionError, boto.HTTPClientError)):
        return OperatorError(
            "AWS could not be reached.",
            "Check the network and the region; with --local, check that `make local` is still running.",
        )
    if isinstance(error, boto.ClientError):
        details = error.response.get("Error", {})
        sentence = f"AWS refused {error.operation_name} with {details.get('Code')}: {details.get('Message')}"
        return OperatorError(sentence, "Check that your credentials are for the stack's account and allow this.")
    return OperatorError(f"The call to AWS failed: {error}", "Check your AWS credentials, profile, and region.")
