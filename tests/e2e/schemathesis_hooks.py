"""What schemathesis, in its own process, has to know of the stack that it calls."""

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema_rs
import schemathesis
from hypothesis import strategies as st
from schemathesis import Case, HookContext, Response
from schemathesis.core.failures import AcceptedNegativeData, Failure

NAMES: dict[str, dict[str, list[Any]]] = json.loads(os.environ["FLOW_HITL_ST_NAMES"])
OWN_KEY = os.environ["FLOW_HITL_ST_KEY"].split("_")[2]

# Nobody listens there, and nobody but this machine is called.
schemathesis.openapi.format("uri", st.from_regex(r"http://127\.0\.0\.1:9/[a-z0-9/]{0,20}", fullmatch=True))

ANSWERS = Path(os.environ["FLOW_HITL_ST_ANSWERS"])

# Of each operation's calls the first ones are made, and of the others one of so many.
FIRST, ONE_OF = 5, int(os.environ["FLOW_HITL_ST_ONE_OF"])

tried: Counter[str] = Counter()
bodies: dict[str, Any] = {}
"""The validator of each operation's body."""


@schemathesis.hook
def before_load_schema(context: HookContext, raw_schema: dict[str, Any]) -> None:
    """Let the names in paths be those of things that there are."""
    for path, item in raw_schema["paths"].items():
        for method, operation in item.items():
            if "requestBody" in operation:
                schema = operation["requestBody"]["content"]["application/json"]["schema"]
                whole = {**schema, "components": raw_schema["components"]}
                bodies[f"{method.upper()} {path}"] = jsonschema_rs.Draft202012Validator(whole)
            for parameter in operation.get("parameters", []):
                names = NAMES.get(path, NAMES["*"]).get(parameter["name"])
                if parameter["in"] == "path" and names:
                    parameter["schema"] = {"type": parameter["schema"]["type"], "enum": names}


@schemathesis.hook
def map_query(context: HookContext, query: dict[str, Any] | None) -> dict[str, Any] | None:
    """Wait for nothing: a long poll takes as long as it says."""
    if query and str(query.get("wait")) in map(str, range(1, 21)):
        return {**query, "wait": 0}
    return query


@schemathesis.hook
def filter_case(context: HookContext, case: Case[Any]) -> bool:
    """Leave out the revocation of the key that all calls are made with, and of what is many all but a sample."""
    if case.method == "DELETE" and (case.path_parameters or {}).get("key_id") == OWN_KEY:
        return False
    number = tried[case.operation.label]
    tried[case.operation.label] += 1
    return number < FIRST or number % ONE_OF == 0


@schemathesis.hook
def filter_failure(context: HookContext, failure: Failure, case: Case[Any], response: Response) -> bool:
    """Leave out that a body was taken from which something should be missing, and nothing is.

    schemathesis puts together what it breaks and what it has learned from answers; what comes out may be whole again.
    """
    lacks = isinstance(failure, AcceptedNegativeData) and "Missing required property" in failure.message
    validator = bodies.get(case.operation.label)
    return not (lacks and validator and validator.is_valid(case.body))


@schemathesis.hook
def after_call(context: HookContext, case: Case[Any], response: Response) -> None:
    """Note which operation was answered how."""
    with ANSWERS.open("a", encoding="utf-8") as answers:
        answers.write(f"{response.status_code} {case.operation.label}\n")
