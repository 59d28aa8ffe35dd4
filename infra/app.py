"""The CDK app: run by `python -m infra.app`, or by the `cdk` command through cdk.json."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from infra.node import node

if TYPE_CHECKING:
    from aws_cdk import App
    from aws_cdk.cx_api import CloudAssembly

LAYER_SOURCE = Path(__file__).resolve().parent.parent / "layers/flow_hitl/python"
UNSTAGED = {"aws:cdk:disable-asset-staging": "true"}


def synthesise(
    context: Mapping[str, str] | None = None, outdir: Path | None = None, *, checks: bool = True
) -> "CloudAssembly":
    """Write both stacks' templates and assets to `outdir`, or where the `cdk` command says, and return the assembly.

    `context` adds options (`infra.options`) to the `cdk` command's. Without `checks`, cdk-nag and CDK's validation are
    skipped and the assets stay in `.build/`, which takes a third of the time.
    Raises ValueError for a wrong option and RuntimeError for a finding that is not accepted.
    """
    prepare_process()
    from aws_cdk import App

    from infra.core_stack import CoreStack
    from infra.mail_edge_stack import MailEdgeStack
    from infra.options import OPTION_NAMES, Options

    app = App(
        context=dict(context or {}) | ({} if checks else UNSTAGED),
        outdir=str(outdir) if outdir else None,
        analytics_reporting=False,
        builtin_cloud_formation_validation=checks,
        stack_traces=False,
        tree_metadata=False,
    )
    options = Options.from_context({name: app.node.try_get_context(name) for name in OPTION_NAMES})
    options.require_complete()
    core = CoreStack(app, options.stack_name, options)
    MailEdgeStack(app, f"{options.stack_name}-mail-edge", options, core)
    if checks:
        add_checks(app)
    return app.synth()


def add_checks(app: "App") -> None:
    """Let cdk-nag fail the synth for findings that are not accepted (see `infra.constructs.findings`)."""
    from aws_cdk import Validations
    from cdk_nag import AwsSolutionsChecks, ServerlessChecks

    Validations.of(app).add_plugins(AwsSolutionsChecks(app), ServerlessChecks(app))


def prepare_process() -> None:
    """Let CDK use the packaged Node, quietly, and let handlers import the layer."""
    os.environ.setdefault("JSII_NODE", node())
    os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "true")
    os.environ.setdefault("JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION", "true")
    if str(LAYER_SOURCE) not in sys.path:
        sys.path.append(str(LAYER_SOURCE))


def file_options() -> dict[str, str]:
    """Return the options of the profile in `flow-hitl.toml`; raises ValueError that says what to correct."""
    prepare_process()
    from infra.options_file import chosen_profile, options_file, stack_options

    return stack_options(options_file(), chosen_profile())


if __name__ == "__main__":
    try:
        synthesise(file_options())
    except (ValueError, RuntimeError) as error:
        sys.exit(str(error))
