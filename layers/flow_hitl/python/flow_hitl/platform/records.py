"""Frozen dataclasses that are cheap to define: a function imports far more of them than it makes instances of.

The standard library compiles six methods for every class, a third of all that an import took. Here classes share their
methods, and only the constructor is compiled, when it is first called.
"""

import dataclasses
from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar

_Record = TypeVar("_Record")

_FAST = ({"frozen": True}, {"frozen": True, "kw_only": True})
_LEFT_OUT: Any = object()

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
    from dataclasses import replace as replace
else:

    def replace(record: _Record, /, **changes: Any) -> _Record:
        """Return a record of one of our classes with other members; raises TypeError for a name that it has not."""
        members = {**vars(record), **changes}
        if len(members) > len(vars(record)):
            raise TypeError(f"{type(record).__qualname__} has no {', '.join(changes.keys() - vars(record).keys())}")
        made = object.__new__(type(record))
        object.__setattr__(made, "__dict__", members)
        return made

    def dataclass(cls=None, /, **options):
        """Do what the standard library's decorator does, and faster for a frozen class."""
        if options not in _FAST:
            return dataclasses.dataclass(cls, **options)
        return lambda cls: _frozen(cls, **options)


def _frozen(cls: Any, *, frozen: bool, kw_only: bool = False) -> Any:
    own = frozenset(cls.__dict__)
    # For a class without a text, the library would compose one.
    cls.__doc__ = cls.__doc__ or cls.__name__
    # It insists that what inherits from a frozen class is frozen by itself.
    inherits = any(dataclasses.is_dataclass(base) for base in cls.__mro__[1:])
    made: Any = dataclasses.dataclass(init=False, repr=False, eq=False, frozen=frozen and inherits, kw_only=kw_only)(
        cls
    )
    parameters = made.__dataclass_params__
    parameters.init = parameters.repr = parameters.eq = parameters.frozen = True
    methods = {"__init__": _init_of(made), "__repr__": _repr, "__eq__": _eq_of(made), "__hash__": _hash_of(made)}
    if not inherits:
        methods |= {"__setattr__": _refuse_to_set, "__delattr__": _refuse_to_delete}
    for name, method in methods.items():
        if name not in own:
            setattr(made, name, method)
    return made


def _init_of(cls: Any) -> Callable[..., None]:
    def __init__(self: Any, *values: Any, **named: Any) -> None:  # noqa: N807 - it is one, until it is first called
        cls.__init__ = _compiled(cls)
        cls.__init__(self, *values, **named)

    return __init__


def _compiled(cls: Any) -> Any:
    """Return the constructor of a class."""
    names: dict[str, Any] = {"_LEFT_OUT": _LEFT_OUT}
    by_place, by_name, members = list[str](), list[str](), list[str]()
    for one in dataclasses.fields(cls):
        value, parameter = one.name, one.name
        if one.default_factory is not dataclasses.MISSING:
            names[f"_make_{one.name}"] = one.default_factory
            value = f"_make_{one.name}() if {one.name} is _LEFT_OUT else {one.name}"
            parameter += "=_LEFT_OUT"
        elif one.default is not dataclasses.MISSING:
            names[f"_default_{one.name}"] = one.default
            parameter += f"=_default_{one.name}"
        (by_name if one.kw_only else by_place).append(parameter)
        members.append(f"_MEMBERS[{one.name!r}] = {value}")
    parameters = ["self", *by_place, *(["*", *by_name] if by_name else [])]
    # The frozen class of the library sets each by a call, which takes four times as long.
    source = f"def __init__({', '.join(parameters)}):\n _MEMBERS = self.__dict__\n {'; '.join(members) or 'pass'}"
    exec(source, names)  # noqa: S102 - it consists of names of members
    made = names["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    return made


def _eq_of(cls: Any) -> Callable[[Any, object], Any]:
    get: Callable[[Any], Any] | None = None

    def __eq__(self: Any, other: object) -> Any:  # noqa: N807
        nonlocal get
        if other.__class__ is not self.__class__:
            return NotImplemented
        get = get or _getter([one.name for one in dataclasses.fields(cls) if one.compare])
        return get(self) == get(other)

    return __eq__


def _hash_of(cls: Any) -> Callable[[Any], int]:
    get: Callable[[Any], Any] | None = None

    def __hash__(self: Any) -> int:  # noqa: N807
        nonlocal get
        get = get or _getter(
            [one.name for one in dataclasses.fields(cls) if (one.compare if one.hash is None else one.hash)]
        )
        return hash(get(self))

    return __hash__


def _getter(names: list[str]) -> Callable[[Any], Any]:
    return attrgetter(*names) if names else lambda _: ()


def _repr(self: Any) -> str:
    members = (f"{one.name}={getattr(self, one.name)!r}" for one in dataclasses.fields(self) if one.repr)
    return f"{self.__class__.__qualname__}({', '.join(members)})"


def _refuse_to_set(_self: Any, name: str, _value: Any) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(_self: Any, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
