"""A shortcut for moto's update expressions: it goes ten times through the tree of one, most of them to check the same.

What was found right once about an expression and the names in it is not looked at again, and what changes only whole
attributes is then done without the tree. All else goes moto's way, as does whatever it would refuse.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

# Returns an attribute's new value, None if moto has to say what is wrong with it: of the item's attributes, the names,
# and the values.
_Value = Callable[[Mapping[str, Any], Mapping[str, str], Mapping[str, Any]], Any]
# What is done to an attribute, whose name may stand for another one, and its new value: None if it has none.
_Action = tuple[str, _Value | None]


class Changes:
    """What an update does to an item."""

    def __init__(self, changed: Mapping[str, Any], removed: Sequence[str]) -> None:
        self.changed, self.removed = changed, removed

    def normalize(self) -> None:
        """Do nothing: there is nothing to put in order."""

    def make(self, item: Any) -> None:
        """Change the item; raises moto's error if it gets too large."""
        for name in self.removed:
            item.attrs.pop(name, None)
        if self.changed:
            *names, last = self.changed
            dict.update(item.attrs, {name: self.changed[name] for name in names})
            # Only this measures it.
            item.attrs[last] = self.changed[last]


def shortcuts() -> Sequence[tuple[Any, str, Any]]:
    """Return what is replaced: where, which attribute, and by what."""
    import moto.dynamodb.models
    import moto.dynamodb.parsing.ast_nodes
    from moto.dynamodb.parsing.executors import UpdateExpressionExecutor
    from moto.dynamodb.parsing.validators import UpdateExpressionValidator

    right: set[Any] = set()
    nodes: Any = moto.dynamodb.parsing.ast_nodes
    find: Any = nodes.Node.find_clauses
    # By the tree of an expression, of which there is one: see `_shortcuts`.
    found: dict[tuple[Any, ...], Sequence[Any]] = {}

    class Validator:
        def __init__(
            self,
            expression: Any,
            expression_attribute_names: Any,
            expression_attribute_values: Any,
            item: Any,
            table: Any,
        ) -> None:
            self._asked = expression, expression_attribute_names, expression_attribute_values, item, table

        def validate(self) -> Any:
            expression, names, values, item, table = self._asked
            names = names or {}
            seen = (expression, *table.table_key_attrs, *sorted(names.items()))
            if seen in right:
                actions = _actions(expression)
                changes = None if actions is None else _changes(actions, names, values or {}, item, table)
                if changes is not None:
                    return changes
            validated = UpdateExpressionValidator(*self._asked).validate()
            right.add(seen)
            return validated

    class Executor:
        def __init__(self, update: Any, item: Any, names: Any) -> None:
            self._asked = update, item, names

        def execute(self) -> None:
            update, item, _ = self._asked
            if isinstance(update, Changes):
                update.make(item)
            else:
                UpdateExpressionExecutor(*self._asked).execute()

    def clauses(node: Any, kinds: Any) -> list[Any]:
        if node.parent is not None or type(node) is not nodes.UpdateExpression or "copied" in node.__dict__:
            return list(find(node, kinds))
        asked = (node, *kinds)
        if asked not in found:
            found[asked] = tuple(find(node, kinds))
        return list(found[asked])

    return (
        (moto.dynamodb.models, "UpdateExpressionValidator", Validator),
        (moto.dynamodb.models, "UpdateExpressionExecutor", Executor),
        (nodes.Node, "find_clauses", clauses),
    )


def _changes(
    actions: Sequence[_Action], names: Mapping[str, str], values: Mapping[str, Any], item: Any, table: Any
) -> Changes | None:
    """Return what the actions do to an item, None if moto has to do it, or to refuse it."""
    attrs, changed, removed = item.attrs, dict[str, Any](), list[str]()
    kinds = {one["AttributeName"]: one["AttributeType"] for one in table.attr}
    for written, value in actions:
        name = names[written] if written.startswith("#") else written
        if value is None:
            removed.append(name)
            continue
        new = value(attrs, names, values)
        # An attribute that an index is made of has a type, and is not empty.
        if new is None or (name in kinds and (new.type != kinds[name] or not new.value)):
            return None
        changed[name] = new
    return Changes(changed, removed)


@cache
def _actions(expression: Any) -> Sequence[_Action] | None:
    """Return what an expression does, in its order, None if it is more than to change whole attributes."""
    from moto.dynamodb.parsing import ast_nodes as nodes

    kinds: Any = nodes
    found: list[_Action] = []
    sets, removes, adds = (
        kinds.UpdateExpressionSetAction,
        kinds.UpdateExpressionRemoveAction,
        kinds.UpdateExpressionAddAction,
    )
    for action in expression.find_clauses([sets, removes, adds, kinds.UpdateExpressionDeleteAction]):
        name = _whole(action.children[0], kinds)
        value: _Value | None = None
        if type(action) is sets:
            value = _set(action.children[1], kinds)
        elif type(action) is adds:
            value = _added(name or "", action.children[1], kinds)
        if name is None or (value is None and type(action) is not removes):
            return None
        found.append((name, value))
    return found


def _whole(path: Any, kinds: Any) -> str | None:
    """Return the attribute that a path is, as it is written, None if it leads into one."""
    if len(path.children) != 1 or type(path.children[0]) not in (
        kinds.ExpressionAttribute,
        kinds.ExpressionAttributeName,
    ):
        return None
    return str(path.children[0].children[0])


def _set(value: Any, kinds: Any) -> _Value | None:
    operands = [_operand(one, kinds) for one in value.children[::2]]
    if len(operands) == 1:
        return operands[0]
    operator = value.children[1]
    if len(operands) != 2 or None in operands or type(operator) is not kinds.ExpressionValueOperator:
        return None
    first: Any = operands[0]
    second: Any = operands[1]
    sign = operator.get_operator()

    def calculated(attrs: Mapping[str, Any], names: Mapping[str, str], values: Mapping[str, Any]) -> Any:
        one, other = first(attrs, names, values), second(attrs, names, values)
        if one is None or other is None or one.type != "N" or other.type != "N":
            return None
        return one + other if sign == "+" else one - other

    return calculated if sign in ("+", "-") else None


def _operand(node: Any, kinds: Any) -> _Value | None:
    from moto.dynamodb.models.dynamo_type import DynamoType

    if type(node) is kinds.ExpressionAttributeValue:
        placeholder = node.get_value_name()
        return lambda _attrs, _names, values: DynamoType(values[placeholder]) if placeholder in values else None
    if type(node) is kinds.UpdateExpressionPath:
        written = _whole(node, kinds)
        return None if written is None else lambda attrs, names, _values: attrs.get(_named(written, names))
    if type(node) is not kinds.UpdateExpressionFunction or node.get_function_name() != "if_not_exists":
        return None
    path, instead = node.get_nth_argument(1), _operand(node.get_nth_argument(2), kinds)
    if type(path) is not kinds.UpdateExpressionPath or instead is None or _whole(path, kinds) is None:
        return None
    present: Any = _operand(path, kinds)
    missing: Any = instead

    def either(attrs: Mapping[str, Any], names: Mapping[str, str], values: Mapping[str, Any]) -> Any:
        other, found = missing(attrs, names, values), present(attrs, names, values)
        return other if found is None else found

    return either


def _added(name: str, node: Any, kinds: Any) -> _Value | None:
    from moto.dynamodb.models.dynamo_type import DynamoType

    if type(node) is kinds.UpdateExpressionValue and len(node.children) == 1:
        node = node.children[0]
    if type(node) is not kinds.ExpressionAttributeValue:
        return None
    added: Any = _operand(node, kinds)

    def total(attrs: Mapping[str, Any], names: Mapping[str, str], values: Mapping[str, Any]) -> Any:
        more, now = added(attrs, names, values), attrs.get(_named(name, names))
        if more is None or (now is not None and now.type != more.type):
            return None
        if more.type == "N":
            return (now or DynamoType({"N": "0"})) + more
        # A set, which moto keeps as a list.
        if not more.is_set() or not more.value:
            return None
        kept = list(now.value) if now else []
        return DynamoType({more.type: kept + [one for one in more.value if one not in kept]})

    return total


def _named(written: str, names: Mapping[str, str]) -> str:
    return names[written] if written.startswith("#") else written
