"""The API's description says everything that there is to say, and nothing that is not so."""

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

import pytest

from flow_hitl.contract.validation import parse_document
from flow_hitl.deployments.access_documents import parse_member
from flow_hitl.deployments.configuration_documents import RulesDocument, SettingsDocument, parse_rules, parse_settings
from infra.openapi import examples
from infra.openapi.document import PATH, description, text, undescribed
from infra.openapi.operations import OPERATIONS
from infra.openapi.schemas import all_errors
from tests.support.described import document, fits

DESCRIPTION = description()
CONTRACTS_SLUGS = {
    "malformed-json": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not-found": 404,
    "already-responded": 409,
    "already-resumed": 409,
    "not-pending": 409,
    "no-question": 409,
    "questions-off": 409,
    "expired": 410,
    "precondition-failed": 412,
    "too-large": 413,
    "validation": 422,
    "idempotency-mismatch": 422,
    "precondition-required": 428,
    "rate-limited": 429,
}


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in DESCRIPTION["paths"].items():
        for method, operation in item.items():
            yield f"{method.upper()} {path}", operation


def sent_to_others() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, item in DESCRIPTION["webhooks"].items():
        yield f"webhook {name}", item["post"]
    for name, callback in DESCRIPTION["paths"]["/v1/requests"]["post"]["callbacks"].items():
        for item in callback.values():
            yield f"callback {name}", item["post"]


def test_the_committed_description_is_the_one_that_the_code_makes() -> None:
    assert PATH.read_text("utf-8") == text(), "the API has changed; run `make openapi` and commit docs/openapi.json"


@pytest.mark.parametrize("base", ["https://hitl.example.com", "https://api.example.com/hitl"])
def test_calls_go_to_where_the_description_came_from(base: str) -> None:
    (server,) = DESCRIPTION["servers"]
    assert urljoin(f"{base}/v1/openapi.json", server["url"]).rstrip("/") == base


def test_every_route_is_described_and_nothing_else() -> None:
    assert undescribed() == [], "see infra/openapi/operations.py"
    assert sorted(name for name, _ in operations()) == sorted(OPERATIONS)


def test_every_operation_has_a_name_of_its_own_and_says_what_it_does() -> None:
    names = [operation["operationId"] for _, operation in operations()]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z_]+", name) for name in names)
    assert all(operation["summary"] for _, operation in operations())


def test_every_field_and_every_parameter_says_what_it_means() -> None:
    for name, schema in DESCRIPTION["components"]["schemas"].items():
        for field, described in schema.get("properties", {}).items():
            assert described.get("description"), f"{name}.{field}"
    for name, operation in (*operations(), *sent_to_others()):
        for parameter in operation.get("parameters", []):
            assert parameter["description"], f"{name}: {parameter['name']}"


def test_every_name_in_a_path_is_a_parameter() -> None:
    for name, operation in operations():
        inside = [one["name"] for one in operation.get("parameters", []) if one["in"] == "path"]
        assert inside == re.findall(r"{(\w+)}", name), name


def test_every_json_document_has_an_example_that_fits_it() -> None:
    for name, operation in (*operations(), *sent_to_others()):
        bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
        for content in (body.get("content", {}).get("application/json") for body in bodies):
            if content and content["schema"] != {"type": "object"}:
                assert fits(content["schema"], content["example"]) is None, (name, content["schema"])


def test_every_example_of_a_parameter_fits_it() -> None:
    for name, operation in operations():
        for parameter in operation.get("parameters", []):
            (example,) = parameter["schema"]["examples"]
            assert fits(parameter["schema"], example) is None, (name, parameter["name"])


@pytest.mark.parametrize("name", [name for name, operation in OPERATIONS.items() if operation.body])
def test_the_example_of_a_body_is_one_that_the_service_takes(name: str) -> None:
    body = OPERATIONS[name].body
    assert body is not None
    example = json.dumps(body.example)
    parse_document(body.document, example)
    # What lies beyond the single fields, where it does not depend on a deployment.
    if body.document is SettingsDocument:
        parse_settings(example)
    if body.document is RulesDocument:
        parse_rules(example)


def test_the_story_of_the_examples_hangs_together() -> None:
    assert parse_member(examples.PATH_NAMES["email"], json.dumps(examples.MEMBER)).email == examples.MEMBER["email"]
    assert examples.OPENED["request"]["id"] == examples.PATH_NAMES["request_id"]


def test_every_error_of_the_contract_is_described_with_an_example() -> None:
    schemas = document()["components"]["schemas"]
    described = {}
    for name, schema in schemas.items():
        if name.endswith("Problem"):
            (example,) = schema["examples"]
            assert fits({"$ref": f"#/components/schemas/{name}"}, example) is None
            described[schema["properties"]["type"]["const"]] = schema["properties"]["status"]["const"]
    wanted = {f"urn:flow-hitl:problem:{slug}": status for slug, status in CONTRACTS_SLUGS.items()}
    assert described == {**wanted, "urn:flow-hitl:problem:internal": 500}


def test_every_error_can_happen_somewhere() -> None:
    said = json.dumps(DESCRIPTION["paths"])
    for error in all_errors():
        assert f'urn:flow-hitl:problem:{error.slug}"' in json.dumps(DESCRIPTION["components"])
    for name in DESCRIPTION["components"]["schemas"]:
        if name.endswith("Problem"):
            assert f"#/components/schemas/{name}" in said, name


def test_no_schema_is_there_that_nobody_uses() -> None:
    whole = json.dumps(DESCRIPTION)
    for name in DESCRIPTION["components"]["schemas"]:
        assert f'"#/components/schemas/{name}"' in whole, name


def test_null_and_left_out_are_told_apart() -> None:
    new = document()["components"]["schemas"]["NewRequest"]["properties"]
    assert "default" not in new["auto_response"], "null is never, and left out is the deployment's"
    patch = {"$ref": "#/components/schemas/WebhookPatch"}
    assert fits(patch, {}) is None
    assert all(fits(patch, {field: None}) for field in ("name", "url", "events", "active"))


def test_a_field_that_nobody_described_does_not_fit() -> None:
    member = {"$ref": "#/components/schemas/Member"}
    assert fits(member, examples.MEMBER) is None
    assert fits(member, {**examples.MEMBER, "password": "x"})
    assert fits(member, {name: value for name, value in examples.MEMBER.items() if name != "aliases"})
