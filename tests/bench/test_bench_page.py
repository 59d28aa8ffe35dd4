"""What the page of figures says where other systems are missing."""

from tests.bench.__main__ import no_others


def test_who_leaves_the_other_systems_out_is_not_told_that_they_cannot_be_installed() -> None:
    assert no_others({}, wanted=False) == ["", "The other systems were left out."]
    assert no_others({}, wanted=True) == ["", "No peer could be installed."]
    assert no_others({"LangGraph": 12.9}, wanted=True) == []
