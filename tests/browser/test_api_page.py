"""The page that describes the API calls it where it is, also below a path of a custom domain."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.served import Served

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("base_path", ["", "/hitl"])
def test_a_call_that_is_tried_goes_to_the_api_that_the_page_is_of(
    open_window: Callable[..., Page], site: Served, base_path: str
) -> None:
    page, called = open_window(), list[str]()

    def below(route: Route) -> None:
        # As API Gateway maps a path of a custom domain.
        called.append(route.request.url)
        route.fulfill(response=route.fetch(url=route.request.url.replace(f"{site.url}{base_path}/", f"{site.url}/")))

    page.route(f"{site.url}{base_path}/**", below)
    page.goto(f"{site.url}{base_path}/docs")
    operation = page.locator(".opblock", has=page.locator('[data-path="/v1/keys"]'))
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    expect(operation.locator(".live-responses-table .response-col_status").nth(1)).to_contain_text("200")
    assert called[-1] == f"{site.url}{base_path}/v1/keys"
