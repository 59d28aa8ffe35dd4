"""`make mutation`: what it changes and runs is there, and it says what to do next."""

import pytest

from infra.local import mutation
from infra.local.environment import ROOT
from infra.local.mutation import AREAS, Outcome


@pytest.mark.parametrize("name", AREAS)
def test_the_modules_and_the_tests_of_each_area_are_there(name: str) -> None:
    area = AREAS[name]
    assert area.modules
    assert area.tests
    assert [one for one in area.modules if not (mutation.LAYER / one).is_file()] == []
    assert [one for one in area.tests if not (ROOT / "tests" / one).is_file()] == []


def test_no_module_is_in_two_areas() -> None:
    modules = [module for area in AREAS.values() for module in area.modules]
    assert len(modules) == len(set(modules))


def test_the_table_adds_up_and_a_change_that_never_ends_was_noticed() -> None:
    outcomes = {"tokens": Outcome(10, 8, 1, 20.4), "matching": Outcome(10, 7, 0, 10)}
    assert mutation._table(outcomes).splitlines()[2:] == [
        "| tokens | 10 | 8 | 1 | 1 | 90.0 | 20 |",
        "| matching | 10 | 7 | 3 | 0 | 70.0 | 10 |",
        "| all | 20 | 15 | 4 | 1 | 80.0 | 30 |",
    ]


def test_it_ends_with_what_to_do_next() -> None:
    assert "make mutation MODULE=matching" in mutation._next(["matching"], ["tokens", "matching"])
    assert mutation._next([], ["tokens"]).startswith("Every area is at 85 % or above.")


def test_what_is_no_area_and_no_module_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert mutation.main(["people/nobody.py"]) == 2
    assert "'people/nobody.py'" in capsys.readouterr().err
