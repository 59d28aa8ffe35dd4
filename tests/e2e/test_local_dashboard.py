"""The dashboard on the local stack: under the template's own roles, and with guessers that race."""

import re
from concurrent.futures import ThreadPoolExecutor
from html import unescape

import pytest
import requests

from infra.local.patience import HANG_SECONDS
from tests.e2e.local_client import LocalClient, fresh_address

pytestmark = pytest.mark.e2e

# More than the five that there are; each at once with the others takes one more process of the function.
GUESSES = 8


class Visitor:
    """A browser's part in it: cookies, which requests would not send over plain HTTP, and each form's hidden fields."""

    def __init__(self, local: LocalClient) -> None:
        self._local, self._base = local, local.credentials.base_url
        self.cookies: dict[str, str] = {}
        self._hidden: dict[str, str] = {}

    def get(self, path: str) -> requests.Response:
        answer = self._call("GET", path, None)
        found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', answer.text)
        self._hidden = {name: unescape(value) for name, value in found}
        return answer

    def post(self, path: str, **form: str) -> requests.Response:
        return self._call("POST", path, {**self._hidden, **form})

    def code(self, email: str, mails_before: int = 0) -> str:
        text = self._local.text_of(self._local.wait_for_mail(email, after=mails_before))
        found = re.search(r"^  (\d{4} \d{4})\s*$", text, re.MULTILINE)
        assert found, "this mail has no code"
        return found[1]

    def _call(self, method: str, path: str, form: dict[str, str] | None) -> requests.Response:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if form is not None:
            headers |= {"Origin": self._base}
        answer = requests.request(
            method, self._base + path, data=form, headers=headers, allow_redirects=False, timeout=HANG_SECONDS
        )
        self.cookies |= answer.cookies.get_dict()
        return answer


@pytest.fixture
def reviewer(local: LocalClient) -> str:
    """The address of a member who may answer what they are asked."""
    email = fresh_address("reviewer")
    path = f"/v1/deployments/{local.credentials.deployment_id}/members/{email}"
    answer = local.call("PUT", path, {"permissions": ["respond_to_human_feedback"]})
    assert answer.status_code == 200, answer.text
    return email


def test_a_member_signs_in_answers_and_is_out_once_removed(local: LocalClient, reviewer: str) -> None:
    asked = local.ask(assigned_to_email=reviewer)["request"]["id"]
    visitor, home = Visitor(local), f"/d/{local.credentials.deployment_id}/requests"
    assert visitor.get(home).headers["Location"].startswith("/sign-in?next=")
    # The mail that asks came first.
    local.wait_for_mail(reviewer)
    visitor.post("/sign-in", email=reviewer)
    visitor.post("/sign-in/code", code=visitor.code(reviewer, mails_before=1))
    assert asked in visitor.get(home).text
    assert "Your answer" in visitor.get(f"{home}/{asked}").text
    answer = visitor.post(f"{home}/{asked}", outcome="approved", comment="Fine.")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{home}/{asked}?notice=answered")
    response = local.request(asked)["response"]
    assert (response["outcome"], response["comment"], response["responder"]) == ("approved", "Fine.", reviewer)
    local.call("DELETE", f"/v1/deployments/{local.credentials.deployment_id}/members/{reviewer}")
    assert visitor.get(home).status_code == 404


def test_guesses_that_race_are_five_all_the_same(local: LocalClient, reviewer: str) -> None:
    visitor = Visitor(local)
    visitor.post("/sign-in", email=reviewer)
    code = visitor.code(reviewer)
    with ThreadPoolExecutor(GUESSES) as executor:
        statuses = list(
            executor.map(lambda _: visitor.post("/sign-in/code", code="0000 0000").status_code, range(GUESSES))
        )
    assert statuses.count(422) <= 5, statuses
    assert visitor.post("/sign-in/code", code=code).status_code == 401
    assert "__Host-hitl-session" not in visitor.cookies


def test_a_code_that_is_sent_many_times_at_once_signs_in_once(local: LocalClient, reviewer: str) -> None:
    visitor = Visitor(local)
    visitor.post("/sign-in", email=reviewer)
    code, cookies = visitor.code(reviewer), dict(visitor.cookies)

    def send(_: int) -> bool:
        browser = Visitor(local)
        browser.cookies = dict(cookies)
        browser.post("/sign-in/code", code=code)
        return "__Host-hitl-session" in browser.cookies

    with ThreadPoolExecutor(GUESSES) as executor:
        assert list(executor.map(send, range(GUESSES))).count(True) == 1
