"""Calls by HTTP that wait as long as a slow machine needs."""

from typing import Any

import requests

from infra.local.patience import HANG_SECONDS


def get(url: str, **options: Any) -> requests.Response:
    """Open an address; `options` are those of requests."""
    return call("GET", url, **options)


def head(url: str) -> requests.Response:
    """Ask for the headers at an address alone."""
    return call("HEAD", url, allow_redirects=False)


def post(url: str, data: Any = None, **options: Any) -> requests.Response:
    """Send a form, or what `options` of requests say."""
    return call("POST", url, data=data, **options)


def put(url: str, **options: Any) -> requests.Response:
    """Replace what is at an address; `options` are those of requests."""
    return call("PUT", url, **options)


def call(method: str, url: str, **options: Any) -> requests.Response:
    """Call an address; `options` are those of requests."""
    with requests.Session() as session:
        # Whoever keeps an answer keeps its connection, and the stack serves a hundred at once.
        session.headers["Connection"] = "close"
        return session.request(method, url, timeout=HANG_SECONDS, **options)
