"""How a call of API Gateway finds its route, and what comes back."""

import base64
import gzip
from typing import Any

import pytest

from functions.routing import Cookie, NoRoute, Response, Routes


def call(method: str, path: str, **more: Any) -> dict[str, Any]:
    http = {"method": method, "sourceIp": "203.0.113.7"}
    return {"rawPath": path, "requestContext": {"http": http}, **more}


@pytest.fixture
def routes() -> Routes:
    app, others = Routes(), Routes()

    @others.get("/things/<thing>/parts/<part>")
    def part(thing: str, part: str) -> Response:
        return Response(200, "text/plain", f"{part} of {thing}, asked by {others.asked.headers['x-name']}")

    @app.get("/things/<name>", compress=True)
    def thing(name: str) -> Response:
        return Response(200, "text/plain", f"thing {name}")

    @app.get("/things/all")
    def everything() -> Response:
        return Response(200, "text/plain", "all")

    @app.post("/things/<name>")
    def refuse(name: str) -> Response:
        raise KeyError(name)

    app.include(others)
    app.on(LookupError, lambda error: Response(404, "text/plain", repr(error)))
    return app


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/things/one", "thing one"),
        ("GET", "/things/all", "all"),
        ("GET", "/things/%2Fa%20b", "thing %2Fa%20b"),
        ("GET", "/things/a/parts/b", "b of a, asked by Ann"),
    ],
)
def test_a_call_finds_its_route(routes: Routes, method: str, path: str, body: str) -> None:
    answer = routes.resolve(call(method, path, headers={"X-Name": "Ann"}), None)
    assert answer == {
        "statusCode": 200,
        "headers": {"Content-Type": "text/plain"},
        "cookies": [],
        "body": body,
        "isBase64Encoded": False,
    }


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/things/"),
        ("GET", "/things"),
        ("GET", "/things/one/"),
        ("GET", "//things/one"),
        ("GET", "/things/a/b"),
        ("GET", "/things/a\\b"),
        ("GET", "/things/a\n"),
        ("PUT", "/things/one"),
        ("get", "/things/one"),
        ("GET", ""),
    ],
)
def test_what_no_route_matches_is_answered_as_well(routes: Routes, method: str, path: str) -> None:
    answer = routes.resolve(call(method, path), None)
    assert (answer["statusCode"], answer["body"]) == (404, repr(NoRoute()))


def test_an_error_has_the_answer_of_its_nearest_kind(routes: Routes) -> None:
    routes.on(Exception, lambda _: Response(500))
    assert routes.resolve(call("POST", "/things/x"), None)["body"] == "KeyError('x')"


def test_an_error_without_an_answer_goes_on(routes: Routes) -> None:
    other = Routes()
    with pytest.raises(NoRoute):
        other.resolve(call("GET", "/"), None)


def test_who_can_read_gzip_gets_it(routes: Routes) -> None:
    answer = routes.resolve(call("GET", "/things/one", headers={"Accept-Encoding": "br, gzip"}), None)
    assert answer["headers"]["Content-Encoding"] == "gzip"
    assert gzip.decompress(base64.b64decode(answer["body"])) == b"thing one"


def test_a_cookie_is_for_this_site_and_no_script(routes: Routes) -> None:
    @routes.get("/cookie")
    def cookie() -> Response:
        return Response(204, cookies=[Cookie("a", "b", 60), Cookie("c", "", 0)])

    assert routes.resolve(call("GET", "/cookie"), None)["cookies"] == [
        "a=b; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=Lax",
        "c=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
    ]
