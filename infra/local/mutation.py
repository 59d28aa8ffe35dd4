"""Change the rules that protect reviews, one place at a time, and count which changes the tests notice.

mutmut changes a copy of the area's modules in `.build/mutation/<area>` and runs the tests that reach the changed
function. Each area names the tests that must notice: fast ones, of the area itself.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.local.environment import MUTATION_VENV, ROOT

LAYER = ROOT / "layers/flow_hitl/python/flow_hitl"
STAGES = ROOT / ".build/mutation"
GOAL = 85

# A look at one change in ten, always the same ones.
_SAMPLE = "*__mutmut_*5"
# What mutmut keeps of each change; its own commands take a process for each.
_READ = """
import json
from mutmut.__main__ import collect_source_file_mutation_data
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code

mutants = []
for data, name, code in collect_source_file_mutation_data(mutant_names=())[0]:
    status = status_by_exit_code[code]
    told = [] if status in ("killed", "not checked") else get_diff_for_mutant(name, path=data.path).splitlines()[2:]
    changed = "\\n".join(line for line in told if line.startswith(("+", "-")))
    mutants.append({"name": name, "status": status, "diff": changed})
print(json.dumps(mutants))
"""
_USAGE = "usage: python -m infra.local.mutation [--sample] [AREA | MODULE …], for example: tokens, people/access.py"


@dataclass(frozen=True)
class Area:
    """Modules, relative to the layer's package, and the tests that must notice a change, relative to `tests`."""

    modules: tuple[str, ...]
    tests: tuple[str, ...]


AREAS: Mapping[str, Area] = {
    "tokens": Area(
        (
            "platform/tokens.py",
            "platform/key_ring.py",
            "platform/secret_key_ring.py",
            "requests/deciding/reply_address.py",
            "requests/deciding/web_tokens.py",
            "people/sign_in_tokens.py",
        ),
        (
            "platform/test_key_ring.py",
            "requests/test_reply_address.py",
            "requests/test_web_tokens.py",
            "people/test_sign_in_rules.py",
        ),
    ),
    "signing": Area(
        ("platform/webhook_signature.py", "proof/receipt.py", "proof/seal.py"),
        ("platform/test_webhook_signature.py", "proof/test_receipt_claims.py", "proof/test_seals.py"),
    ),
    "permissions": Area(
        ("people/access.py", "people/sign_in_rules.py"),
        ("people/test_access.py", "people/test_sign_in_rules.py"),
    ),
    "addresses": Area(
        ("platform/address.py", "replies/inbound_mail.py", "replies/automatic_mail.py", "replies/ruling.py"),
        ("platform/test_address.py", "replies/test_inbound.py", "replies/test_ruling.py"),
    ),
    "matching": Area(
        ("requests/deciding/matching.py", "requests/deciding/openings.py"),
        ("requests/test_matching.py", "replies/test_openings.py"),
    ),
    "decision": Area(
        (
            "requests/deciding/record_response.py",
            "requests/deciding/auto_respond.py",
            "requests/deciding/answer_addresses.py",
        ),
        ("requests/test_record_response.py",),
    ),
    "verification": Area(
        ("proof/verify_audit.py", "audit/chain.py", "audit/bound.py"),
        (
            "proof/test_verify_audit.py",
            "proof/test_receipts_in_the_log.py",
            "platform/test_signatures.py",
            "audit/test_audit_chain.py",
            "audit/test_bound.py",
            "proof/test_offline_verifier.py",
            "proof/test_archive_tricks.py",
            "proof/test_public_keys.py",
        ),
    ),
    "log": Area(
        ("proof/verify_log.py", "proof/known_actors.py"), ("proof/test_verify_log.py", "proof/test_known_actors.py")
    ),
}


@dataclass(frozen=True)
class Outcome:
    """What came of one area's changes: how many in all, and how many by their end; CPU time in seconds."""

    total: int
    killed: int
    timeouts: int
    cpu: float

    @property
    def survived(self) -> int:
        """The rest, with those that no test reaches."""
        return self.total - self.killed - self.timeouts

    @property
    def percent(self) -> float:
        """The share of what the tests noticed; a change that never ends is noticed too."""
        return 100 * (self.total - self.survived) / self.total if self.total else 0.0


class _Failed(Exception):
    """An area's tests fail without any change, or mutmut does; its output stands above."""


def main(arguments: Sequence[str]) -> int:
    """Run the areas asked for, by default all, and print a table; return 1 below the goal."""
    names = [argument for argument in arguments if argument != "--sample"]
    try:
        areas = [_area_of(name) for name in names] or list(AREAS)
    except KeyError as error:
        print(f"There is no area or module {error}. Areas: {', '.join(AREAS)}\n{_USAGE}", file=sys.stderr)
        return 2
    sample = "--sample" in arguments
    outcomes: dict[str, Outcome] = {}
    for name in dict.fromkeys(areas):
        print(f"{name}: changing {', '.join(AREAS[name].modules)} …", flush=True)
        try:
            outcomes[name] = _run(name, sample=sample)
        except _Failed as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 1
    print(_table(outcomes))
    low = [name for name, outcome in outcomes.items() if outcome.percent < GOAL]
    print(_next(low, list(outcomes)))
    return 1 if low else 0


def _area_of(name: str) -> str:
    return (
        name if name in AREAS else next((key for key, area in AREAS.items() if name in area.modules), "") or _no(name)
    )


def _no(name: str) -> str:
    raise KeyError(name)


def _run(name: str, *, sample: bool) -> Outcome:
    stage = STAGES / name
    shutil.rmtree(stage, ignore_errors=True)
    _prepare(stage, AREAS[name])
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    (stage / "log.txt").write_text(
        _in_venv(stage, "mutmut", "run", "--max-children", "1", *([_SAMPLE] if sample else []))
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    checked = [one for one in json.loads(_in_venv(stage, "python", "-c", _READ)) if one["status"] != "not checked"]
    survivors = [one for one in checked if one["status"] not in ("killed", "timeout")]
    (stage / "survivors.txt").write_text(
        "".join(f"{one['name']}: {one['status']}\n{one['diff']}\n" for one in survivors)
    )
    print(f"{name}: done after {time.monotonic() - started:.0f} s", flush=True)
    timeouts = sum(one["status"] == "timeout" for one in checked)
    return Outcome(len(checked), len(checked) - len(survivors) - timeouts, timeouts, cpu)


def _prepare(stage: Path, area: Area) -> None:
    """Lay out what mutmut needs: the package beside its tests, with settings of its own; all else comes from here."""
    stage.mkdir(parents=True)
    shutil.copytree(LAYER, stage / "flow_hitl", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "tests", stage / "tests", ignore=shutil.ignore_patterns("__pycache__", "e2e", "browser"))
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    settings = {
        "tool.pytest.ini_options": {
            "pythonpath": [".", str(ROOT), str(ROOT / "client")],
            "addopts": f"{ours['addopts']} -p no:cacheprovider",
            "markers": ours["markers"],
        },
        "tool.mutmut": {
            "source_paths": ["flow_hitl"],
            "only_mutate": [f"flow_hitl/{module}" for module in area.modules],
            "pytest_add_cli_args_test_selection": [f"tests/{test}" for test in area.tests],
            # Generous, as what a busy machine is late with was not noticed: 30 s, and five times what the tests take.
            "timeout_constant": 6,
            "timeout_multiplier": 5,
            "track_dependencies": False,
            "use_git_change_detection": False,
        },
    }
    # What JSON writes of texts, lists of texts and truth values is TOML too.
    parts = [f"[{part}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
             for part, values in settings.items()]  # fmt: skip
    (stage / "pyproject.toml").write_text("\n".join(parts))


def _in_venv(stage: Path, program: str, *arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    # Looking for plug-ins takes a third of a short run, and of those that are there no test needs one.
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    command = ["nice", "-n", "10", str(MUTATION_VENV / "bin" / program), *arguments]
    ended = subprocess.run(command, cwd=stage, env=environment, check=False, text=True, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT)  # fmt: skip
    if ended.returncode != 0:
        print(ended.stdout[-4000:], file=sys.stderr)
        raise _Failed("mutmut ended with an error, see above. Do the area's tests pass by themselves?")
    return ended.stdout


def _table(outcomes: Mapping[str, Outcome]) -> str:
    total = Outcome(
        sum(outcome.total for outcome in outcomes.values()),
        sum(outcome.killed for outcome in outcomes.values()),
        sum(outcome.timeouts for outcome in outcomes.values()),
        sum(outcome.cpu for outcome in outcomes.values()),
    )
    rows = ["| area | mutants | killed | survived | timeouts | % | CPU s |", "|---|--:|--:|--:|--:|--:|--:|"]
    for name, one in [*outcomes.items(), ("all", total)]:
        cells = (one.total, one.killed, one.survived, one.timeouts, f"{one.percent:.1f}", f"{one.cpu:.0f}")
        rows.append(f"| {name} | {' | '.join(map(str, cells))} |")
    return "\n".join(rows)


def _next(low: Sequence[str], ran: Sequence[str]) -> str:
    if not low:
        return (
            f"Every area is at {GOAL} % or above. Next: read what survived in .build/mutation/AREA/survivors.txt, "
            f"AREA one of {', '.join(ran)}; a change that matters there needs a test."
        )
    return (
        f"Below {GOAL} %: {', '.join(low)}. Next: read .build/mutation/{low[0]}/survivors.txt, write a test that fails "
        f"for each change that matters, and run `make mutation MODULE={low[0]}` again."
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
