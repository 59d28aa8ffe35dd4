"""One AWS client per service and process, configured in one place."""

import os
import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from flow_hitl.platform.worker_times import ANSWER_SECONDS, ATTEMPTS, CONNECT_SECONDS

# What only the SDK knows how to follow, where the environment says it.
_PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
_PROFILES = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
_VARIANTS = {
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_USE_DUALSTACK_ENDPOINT": "true",
    "AWS_ACCOUNT_ID_ENDPOINT_MODE": "required",
}


@lru_cache
def link_client() -> Any:
    """Return the client that makes links to objects of S3, in the one way that every region takes."""
    return _boto3_client("s3", signature_version="s3v4")


@lru_cache
def client(service: str, choice: str = "boto3") -> Any:
    """Return the process's client of an AWS service; region, credentials and endpoint come from the environment.

    `choice` is `boto3`, `json` for our own where it knows the service, or `auto`: our own, unless the environment asks
    for what only the SDK can do.
    """
    region = os.environ.get("AWS_DEFAULT_REGION")
    if region and (choice == "json" or (choice == "auto" and _is_plain(os.environ) and not _is_intercepted())):
        ours = _own_client(service, region)
        if ours is not None:
            return ours
    return _boto3_client(service)


def _own_client(service: str, region: str) -> Any:
    def sdk() -> Any:
        return client(service, "boto3")

    if service == "s3":
        from flow_hitl.platform.object_client import object_client_for

        return object_client_for(region, os.environ, sdk)
    from flow_hitl.platform.json_client import client_for

    return client_for(service, region, os.environ, sdk)


def _boto3_client(service: str, **options: Any) -> Any:
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=ANSWER_SECONDS,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        **options,
    )
    return boto3.client(service, config=config)  # type: ignore[call-overload]


def _is_plain(environ: Mapping[str, str]) -> bool:
    """Tell whether environment and files ask for nothing that only the SDK can do."""
    if any(environ.get(name) for name in _PROXIES + _PROFILES):
        return False
    if any(environ.get(name, "").lower() == value for name, value in _VARIANTS.items()):
        return False
    config = environ.get("AWS_CONFIG_FILE") or "~/.aws/config"
    return not os.path.isfile(os.path.expanduser(config))  # noqa: PTH111, PTH113 - pathlib costs an import


def _is_intercepted() -> bool:
    """Tell whether somebody stands in for AWS by botocore's hooks, as moto does: our calls would pass them by."""
    handlers = sys.modules.get("botocore.handlers")
    return handlers is not None and any(name.startswith("before-send") for name, *_ in handlers.BUILTIN_HANDLERS)
