"""Our frozen dataclasses do what the standard library's do, at a fifth of the price."""

import copy
import dataclasses
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, fields, replace
from typing import Any

import pytest
from pydantic import TypeAdapter

from flow_hitl.platform import records


def made(decorator: Any) -> Any:
    """Return the same classes by one of the two decorators."""

    @decorator(frozen=True)
    class Base:
        """A base."""

        name: str
        tags: list[str] = field(default_factory=list)
        secret: str = field(default="s", repr=False)
        aside: int = field(default=0, compare=False)

        @property
        def shout(self) -> str:
            return self.name.upper()

    @decorator(frozen=True)
    class Inner(Base):
        deep: "Base | None" = None
        number: int = field(kw_only=True)

    @decorator(frozen=True, kw_only=True)
    class ByName:
        a: int
        b: int = 2

    @decorator(frozen=True)
    class Empty:
        pass

    return Base, Inner, ByName, Empty


BOTH = pytest.mark.parametrize("decorator", [dataclass, records.dataclass], ids=["library", "ours"])


@BOTH
def test_they_are_made_compared_shown_and_copied(decorator: Any) -> None:
    base, inner, by_name, empty = made(decorator)
    one = inner("x", ["t"], number=3)
    assert one == inner("x", tags=["t"], number=3, aside=9)
    assert one != inner("y", ["t"], number=3)
    assert base("x", ["t"]) != one, "another class"
    assert base("x").tags == []
    assert base("x").tags is not base("x").tags
    assert one.shout == "X"
    assert repr(one).partition(".<locals>.")[2] == "Inner(name='x', tags=['t'], aside=0, deep=None, number=3)"
    assert replace(one, number=4).number == 4
    assert dataclasses.asdict(one)["number"] == 3
    assert copy.deepcopy(one) == one
    assert hash(by_name(a=1)) == hash(by_name(a=1, b=2))
    assert (empty(), repr(empty()).rpartition(".")[2], hash(empty())) == (empty(), "Empty()", hash(empty()))
    with pytest.raises(TypeError):
        hash(one)
    match one:
        case inner(name, tags):
            assert (name, tags) == ("x", ["t"])


@BOTH
def test_they_never_change(decorator: Any) -> None:
    for one in (made(decorator)[0]("x"), made(decorator)[1]("x", number=1)):
        with pytest.raises(FrozenInstanceError):
            one.name = "y"
        with pytest.raises(FrozenInstanceError):
            del one.name
        with pytest.raises(FrozenInstanceError):
            one.new = 1


@BOTH
def test_what_does_not_fit_is_refused_by_name(decorator: Any) -> None:
    base, inner, by_name, _ = made(decorator)
    for wrong in (base, lambda: base("x", nonsense=1), lambda: inner("x"), lambda: by_name(1)):
        with pytest.raises(TypeError, match=r"__init__\(\)"):
            wrong()


@BOTH
def test_others_see_dataclasses(decorator: Any) -> None:
    base, inner, by_name, _ = made(decorator)
    assert all(dataclasses.is_dataclass(one) for one in (base, inner, by_name))
    assert [one.name for one in fields(inner)] == ["name", "tags", "secret", "aside", "deep", "number"]
    assert inner.__match_args__ == ("name", "tags", "secret", "aside", "deep")
    read = TypeAdapter(by_name)
    assert read.validate_json('{"a": 1}') == by_name(a=1)
    assert read.dump_json(by_name(a=1)) == b'{"a":1,"b":2}'


@pytest.mark.parametrize("replace", [dataclasses.replace, records.replace], ids=["library", "ours"])
def test_one_with_other_members_is_another_one(replace: Any) -> None:
    _, inner, by_name, _ = made(records.dataclass)
    one = inner("x", ["t"], number=3)
    other = replace(one, name="y", number=4)
    assert (type(other), other) == (inner, inner("y", ["t"], number=4))
    assert other.tags is one.tags
    assert one == inner("x", ["t"], number=3)
    assert replace(by_name(a=1)) == by_name(a=1)
    with pytest.raises(FrozenInstanceError):
        other.name = "z"
    with pytest.raises(TypeError, match="nonsense"):
        replace(one, nonsense=1)


@records.dataclass(frozen=True)
class Kept:
    """One that stands where pickle finds it."""

    a: int


def test_they_are_pickled() -> None:
    assert pickle.loads(pickle.dumps(Kept(1))) == Kept(1)  # noqa: S301 - our own


def test_any_other_kind_is_the_librarys() -> None:
    @records.dataclass
    class Mutable:
        a: int = 0

    one = Mutable()
    one.a = 2
    assert one == Mutable(2)
    with pytest.raises(TypeError):
        hash(one)
