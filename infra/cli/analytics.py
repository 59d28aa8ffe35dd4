"""`flow-hitl analytics`: the figures of a deployment, recomputed from its audit log."""

from collections.abc import Callable
from itertools import islice

import click

from flow_hitl.metrics.check_metrics import Difference
from flow_hitl.metrics.metrics import Dimension
from infra.cli.output import show, table
from infra.cli.target import CommandTarget, deployment_argument, with_target

# With more differences than that, a rebuild is due anyway.
_MOST_LISTED = 1000


@click.group()
def analytics() -> None:
    """Check a deployment's figures against its audit log, or rebuild them from it."""


@analytics.command()
@deployment_argument
@click.option("--check", is_flag=True, help="Only list where the figures differ from the audit log; exit 1 if they do.")
@with_target
def rebuild(target: CommandTarget, deployment_id: int, check: bool) -> None:
    """Recompute the figures from the audit log; the old ones are shown until the new ones are complete.

    New requests are counted meanwhile. If a rebuild is interrupted, the function `measure` finishes it.
    """
    if check:
        _check(target, deployment_id)
        return
    counted = target.application.rebuild_metrics.rebuild(deployment_id, _progress(target))
    broken = f"; {counted.senseless:,} were invalid and left out" if counted.senseless else ""
    show(
        target,
        {"deployment_id": deployment_id, "events": counted.added, "senseless": counted.senseless},
        f"Rebuilt the figures of deployment {deployment_id} from {counted.added:,} events{broken}.",
        "open the Analytics page of the dashboard, or compare the figures with the log: "
        + target.command(f"analytics rebuild {deployment_id} --check"),
    )


def _check(target: CommandTarget, deployment_id: int) -> None:
    found = target.application.check_metrics(deployment_id, _progress(target))
    differences = list(islice(found, _MOST_LISTED))
    if not differences:
        show(
            target,
            {"deployment_id": deployment_id, "agree": True, "differences": []},
            f"The figures of deployment {deployment_id} agree with its audit log.",
            "nothing to do.",
        )
        return
    listed = [_to_dict(one) for one in differences]
    more = ", and perhaps more" if len(listed) == _MOST_LISTED else ""
    show(
        target,
        {"deployment_id": deployment_id, "agree": False, "differences": listed},
        f"{len(listed):,} figures{more} differ from the audit log:\n"
        + table(
            ["Period", "By", "Of", "Outcome", "Counter", "Shown", "Logged"],
            [[value if value is not None else "" for value in one.values()] for one in listed],
        ),
        f"rebuild the figures: {target.command(f'analytics rebuild {deployment_id}')}",
    )
    click.get_current_context().exit(1)


def _to_dict(one: Difference) -> dict[str, str | int | None]:
    bucket = one.bucket
    return {
        "period": bucket.period,
        "by": bucket.dimension.value,
        "of": bucket.value if bucket.dimension is not Dimension.TOTAL else None,
        "outcome": bucket.outcome,
        "counter": one.counter,
        "shown": one.shown,
        "logged": one.logged,
    }


def _progress(target: CommandTarget) -> Callable[[str], None]:
    """Return what reports each month that was read on standard error: a long log takes minutes."""

    def say(month: str) -> None:
        if not target.as_json:
            click.echo(f"Read {month}", err=True)

    return say
