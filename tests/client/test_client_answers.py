"""What was approved, for the flow: the edited output, and the typed answer as a pydantic model."""

from datetime import date
from enum import Enum
from typing import Any, Literal, cast

import pytest
from pydantic import BaseModel, Field, ValidationError

from flow_hitl.requests.deciding.typed_answers import fields_of, schema_problems
from flow_hitl_client import Client, Request, approved_output, typed_answer
from flow_hitl_client.answers import schema_of
from tests.support.client_server import API_KEY, serving


class Speed(Enum):
    SLOW = "slow"
    FAST = "fast"


class Payment(BaseModel):
    amount: float = Field(ge=0, description="In euros")
    cost_center: Literal["A", "B"]
    speed: Speed | None = None
    urgent: bool = False
    pay_on: date | None = None


def answered(output: Any = None, data: Any = None) -> Request:
    response = {"output": output, "data": data}
    return cast("Request", {"id": "1", "status": "responded", "output": {"a": 1}, "response": response})


PENDING = cast("Request", {"id": "1", "status": "pending", "output": {"a": 1}, "response": None})


def test_the_approved_output_is_the_changed_one_or_the_one_that_was_asked() -> None:
    assert approved_output(answered()) == {"a": 1}
    assert approved_output(answered({"a": 2})) == {"a": 2}
    assert approved_output(answered("")) == ""
    with pytest.raises(ValueError, match="pending"):
        approved_output(PENDING)


def test_a_typed_answer_is_an_instance_of_the_model() -> None:
    data = {"amount": 3, "cost_center": "A", "pay_on": "2027-01-31", "speed": "fast"}
    payment = typed_answer(answered(data=data), Payment)
    assert payment == Payment(amount=3, cost_center="A", pay_on=date(2027, 1, 31), speed=Speed.FAST)
    with pytest.raises(ValidationError):
        typed_answer(answered(data={"amount": "much"}), Payment)
    for without in (answered(), PENDING):
        with pytest.raises(ValueError, match="no typed answer"):
            typed_answer(without, Payment)


def test_a_models_schema_is_one_that_the_server_takes() -> None:
    schema = schema_of(Payment)
    assert not list(schema_problems(schema))
    kinds = {field.name: (field.kind, field.required, field.choices, field.format) for field in fields_of(schema)}
    assert kinds == {
        "amount": ("number", True, (), None),
        "cost_center": ("string", True, ("A", "B"), None),
        "speed": ("string", False, ("slow", "fast"), None),
        "urgent": ("boolean", False, (), None),
        "pay_on": ("string", False, (), "date"),
    }


def test_a_field_that_cannot_be_asked_for_is_named() -> None:
    class Lists(BaseModel):
        items: list[int]

    class Either(BaseModel):
        one: int | str

    for model, name in ((Lists, "items"), (Either, "one")):
        with pytest.raises(ValueError, match=f"the field {name} cannot be asked for"):
            schema_of(model)


def test_a_request_is_made_with_a_model_or_a_schema() -> None:
    with serving() as server:
        client = Client(server.url, API_KEY)
        for schema in (Payment, schema_of(Payment)):
            made = client.create_request(
                flow_id="f", method_name="m", message="Pay?", output="x", editable=True, response_schema=schema
            )
            assert made["request"]["response_schema"] == schema_of(Payment)
            assert made["request"]["editable"] is True
