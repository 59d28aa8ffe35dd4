"""What answers at the root of the service, and at an address that nothing is at."""

from infra.local.hitl_fixture import Hitl

PERSON = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
PROGRAM = {"accept": "*/*"}


def test_a_person_at_the_root_is_led_to_their_requests(hitl: Hitl) -> None:
    answer = hitl._http("GET", "/", None, PERSON)
    assert (answer.status, answer.headers["Location"]) == (303, "/d")


def test_a_program_at_the_root_is_told_where_the_api_is(hitl: Hitl) -> None:
    answer = hitl._http("GET", "/", None, PROGRAM)
    assert (answer.status, answer.headers["Content-Type"]) == (404, "application/problem+json")
    assert answer.json["detail"] == "The API is below /v1, and /docs describes it."


def test_at_an_unknown_address_a_person_gets_a_page_that_leads_on(hitl: Hitl) -> None:
    answer = hitl._http("GET", "/elsewhere", None, PERSON)
    assert answer.status == 404
    assert "Not found" in answer.text
    assert 'href="/d"' in answer.text


def test_at_an_unknown_address_a_program_gets_a_problem_document(hitl: Hitl) -> None:
    answer = hitl._http("GET", "/elsewhere", None, PROGRAM)
    assert (answer.status, answer.json["type"]) == (404, "urn:flow-hitl:problem:not-found")
