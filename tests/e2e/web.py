"""Calls by HTTP that wait as long as a slow machine needs."""

from typing import Any

import requests

from infra.local.patience import HANG_SECONDS


def get(url: str, **options: Any) -> requests.Response:
    """Open an address; `options` are those of requests."""
    return requests.get(url, timeout=HANG_SECONDS, **options)


def head(url: str) -> requests.Response:
    """Ask for the headers at an address alone."""
    return requests.head(url, timeout=HANG_SECONDS)


def post(url: str, data: Any = None, **options: Any) -> requests.Response:
    """Send a form, or what `options` of requests say."""
    return requests.post(url, data, timeout=HANG_SECONDS, **options)


def put(url: str, **options: Any) -> requests.Response:
    """Replace what is at an address; `options` are those of requests."""
    return requests.put(url, timeout=HANG_SECONDS, **options)
