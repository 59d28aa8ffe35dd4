"""Shortcuts for moto and botocore."""

import base64
import copy
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from infra.local.hitl_fixture import quick_queues, quick_start, quick_updates, quick_values, short_way
from infra.local.hitl_fixture.stack import REGION


@contextmanager
def quick_moto() -> Iterator[None]:
    """Skip what moto and botocore redo at each call: half of a test's time, without changing any answer."""
    with ExitStack() as stack:
        for target, attribute, quick in _shortcuts():
            stack.enter_context(patch.object(target, attribute, quick, create=attribute == "__deepcopy__"))
        yield


@cache
def _shortcuts() -> Sequence[tuple[Any, str, Any]]:
    """Return what is replaced: where, which attribute, and by what."""
    import moto.backend_index
    import moto.core.responses
    import moto.dynamodb.parsing.ast_nodes
    import moto.dynamodb.parsing.expressions
    import moto.dynamodb.parsing.validators
    import moto.s3.models
    from botocore.auth import SigV4Auth, SigV4QueryAuth
    from botocore.endpoint import Endpoint
    from botocore.regions import EndpointRulesetResolver
    from botocore.useragent import UserAgentString
    from moto.core.base_backend import BaseBackend
    from moto.core.serialize import BaseJSONSerializer
    from moto.core.utils import camelcase_to_underscores, method_names_from_class
    from moto.dynamodb.comparisons import ConditionExpressionParser
    from moto.dynamodb.models import DynamoDBBackend
    from moto.dynamodb.models.dynamo_type import DynamoType, Item, LimitedSizeDict
    from moto.dynamodb.models.table import Table

    by_the_model = BaseJSONSerializer._serialize_type_structure
    copied_item: Any = Item.__deepcopy__
    by_path: Any = Item.project
    update_in_place = DynamoDBBackend.update_item
    # mypy does not see into these modules.
    nodes: Any = moto.dynamodb.parsing.ast_nodes
    expressions: Any = moto.dynamodb.parsing.expressions
    node_class, update_parser = nodes.Node, expressions.UpdateExpressionParser
    lex: Any = ConditionExpressionParser._lex_condition_expression
    measure = Item.size
    resolve = EndpointRulesetResolver.construct_endpoint
    parse = ConditionExpressionParser.parse
    make_request = Endpoint.make_request
    canonical_request = SigV4Auth.canonical_request
    urls: Any = BaseBackend.urls
    patterns, ours = moto.backend_index.backend_url_patterns, ("dynamodb", "sqs", "kms", "scheduler")
    urls_found: dict[type, Any] = {}

    def serialize(serializer: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:
        if shape.name == "AttributeValue":
            # It already has its wire form, but for bytes; the model would try ten types.
            stored = value.get("B") if isinstance(value, dict) else None
            wire = {"B": base64.b64encode(stored).decode()} if isinstance(stored, bytes) else value
            serializer._default_serialize(serialized, wire, shape, key)
        else:
            by_the_model(serializer, serialized, value, shape, key)

    # moto copies whole tables before a transaction, and every item it returns. Only an update changes an item in
    # place: if it changes a copy, all others can share the item.
    def update_item(backend: Any, table_name: str, key: Any, *arguments: Any, **options: Any) -> Any:
        item, items = backend.get_item(table_name, key), backend.tables[table_name].items
        if item is not None and item.range_key is None:
            items[item.hash_key] = copied_item(item, {})
        elif item is not None:
            items[item.hash_key][item.range_key] = copied_item(item, {})
        return update_in_place(backend, table_name, key, *arguments, **options)

    def project(item: Any, expressions: Any) -> Any:
        if any(len(path) > 1 or "[" in path[0] for path in expressions):
            return by_path(item, expressions)
        # Whole attributes, as of an index; moto would convert the whole item for each.
        projected = Item(item.hash_key, item.range_key, {})
        dict.update(projected.attrs, {name: item.attrs[name] for (name,) in expressions if name in item.attrs})
        return projected

    # moto measures all attributes again for each that it sets.
    def make_item(item: Any, hash_key: Any, range_key: Any, attrs: Any) -> None:
        item.hash_key, item.range_key, item.attrs = hash_key, range_key, LimitedSizeDict()
        dict.update(item.attrs, {name: DynamoType(value) for name, value in attrs.items()})
        if item.attrs:
            name, value = item.attrs.popitem()
            item.attrs[name] = value

    # An item in a table is never changed: see `update_item`.
    def size(item: Any) -> int:
        if "measured" not in item.__dict__:
            item.__dict__["measured"] = measure(item)
        return int(item.__dict__["measured"])

    def endpoint_of(resolver: Any, operation_model: Any, call_args: Any, request_context: Any) -> Any:
        # Only that of S3 depends on more than the operation.
        if operation_model.service_model.service_name == "s3":
            return resolve(resolver, operation_model, call_args, request_context)
        known = resolver.__dict__.setdefault("resolved", {})
        if operation_model.name not in known:
            known[operation_model.name] = resolve(resolver, operation_model, call_args, request_context)
        return known[operation_model.name]

    def copied_node(node: Any) -> Any:
        copied = copy.copy(node)
        copied.parent, copied.copied = None, True
        if node.children is not None:
            copied.children = [copied_node(one) if isinstance(one, node_class) else one for one in node.children]
            for child in copied.children:
                if isinstance(child, node_class):
                    child.parent = copied
        return copied

    @cache
    def is_one_of(kind: Any, kinds: Any) -> bool:
        return issubclass(kind, kinds)

    # As moto does it, but what each kind of node is gets found out once; an update is gone through ten times.
    def go_through(processor: Any, node: Any, child_id: int = -1) -> Any:
        if not is_one_of(node.__class__, node_class):
            return node
        parent = node.parent
        for number, child in enumerate(node.children or ()):
            processor.pre_processing_of_child(node, number)
            go_through(processor, child, number)
        if "kinds" not in processor.__dict__:
            processor.kinds = processor.nodes_to_be_processed()
        if is_one_of(node.__class__, processor.kinds):
            node = processor.process(node)
            node.parent = parent
            if parent:
                parent.children[child_id] = node
        return node

    def copied_part(of: Any) -> Any:
        return copied_node(of) if isinstance(of, node_class) else copy.deepcopy(of)

    # What was read of an expression never changes.
    @cache
    def lexed(expression: str) -> Sequence[Any]:
        return tuple(lex(ConditionExpressionParser(expression, None, None)))

    def lexed_again(parser: Any) -> Any:
        return deque(lexed(parser.condition_expression))

    def copied_table(table: Any, _memo: Any) -> Any:
        copied = copy.copy(table)
        copied.items = copy.copy(table.items)
        copied.items.update({key: copy.copy(items) for key, items in table.items.items()})
        return copied

    def what_is_signed(auth: Any, request: Any) -> Any:
        # Nobody checks signatures here, but presigned links are shown.
        return canonical_request(auth, request) if isinstance(auth, SigV4QueryAuth) else ""

    # moto reads a condition twice for each update.
    read_conditions: dict[Any, tuple[Any, Sequence[str], Sequence[str]]] = {}

    def read_condition(parser: Any) -> Any:
        values = repr(parser.expression_attribute_values)
        key = (parser.condition_expression, repr(parser.expression_attribute_names), values)
        if key not in read_conditions:
            if len(read_conditions) > 1000:
                read_conditions.clear()
            condition = parse(parser)
            read_conditions[key] = condition, parser.expr_attr_names_found, parser.expr_attr_values_found
        condition, names, values_found = read_conditions[key]
        parser.expr_attr_names_found, parser.expr_attr_values_found = list(names), list(values_found)
        return condition

    def make_request_shortly(endpoint: Any, operation_model: Any, request_dict: Any) -> Any:
        answer = short_way.answer(endpoint, operation_model, request_dict)
        return make_request(endpoint, operation_model, request_dict) if answer is None else answer

    def request_id(headers: Any) -> str:
        headers["x-amzn-requestid"] = "not-drawn-anew"
        return "not-drawn-anew"

    def urls_of(backend: Any) -> Any:
        if type(backend) not in urls_found:
            urls_found[type(backend)] = urls.fget(backend)
        return urls_found[type(backend)]

    return (
        *quick_start.shortcuts(),
        *quick_queues.shortcuts(),
        *quick_updates.shortcuts(),
        *quick_values.shortcuts(),
        (BaseJSONSerializer, "_serialize_type_structure", serialize),
        (moto.core.responses, "method_names_from_class", cache(method_names_from_class)),
        (moto.core.responses, "camelcase_to_underscores", cache(camelcase_to_underscores)),
        # moto compares each call with 100 services in turn: try ours first.
        (moto.backend_index, "backend_url_patterns", sorted(patterns, key=lambda one: one[0] not in ours)),
        (Endpoint, "make_request", make_request_shortly),
        (SigV4Auth, "canonical_request", what_is_signed),
        (moto.core.responses, "gen_amzn_requestid_long", request_id),
        (BaseBackend, "urls", property(urls_of)),
        (UserAgentString, "to_string", lambda _self: f"Botocore region/{REGION}"),
        (Item, "__deepcopy__", lambda item, _memo: item),
        (Item, "project", project),
        (Table, "__deepcopy__", copied_table),
        (EndpointRulesetResolver, "construct_endpoint", endpoint_of),
        (Item, "__init__", make_item),
        (Item, "size", size),
        (ConditionExpressionParser, "_lex_condition_expression", lexed_again),
        (ConditionExpressionParser, "parse", read_condition),
        # What is made of an expression is copied before it is changed.
        (nodes.DepthFirstTraverser, "traverse_node_recursively", go_through),
        (update_parser, "make", cache(update_parser.make)),
        (moto.dynamodb.parsing.validators, "deepcopy", copied_part),
        # For each listing, moto copies all objects with what is in them, only to note which is the latest.
        (moto.s3.models, "copy", SimpleNamespace(copy=copy.copy, deepcopy=lambda versions: versions)),
        (DynamoDBBackend, "update_item", update_item),
    )
