"""One AWS client per service and process, configured in one place."""

from functools import lru_cache
from typing import Any

import boto3
from botocore.config import Config

# Three tries of 2 + 5 seconds at most: a hung connection must not eat the time of a function.
_CONFIG = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})


@lru_cache
def link_client() -> Any:
    """Return the client that makes links to objects of S3, in the one way that every region takes."""
    return boto3.client("s3", config=_CONFIG.merge(Config(signature_version="s3v4")))


@lru_cache
def client(service: str) -> Any:
    """Return the process's client of an AWS service; region, credentials and endpoint come from the environment."""
    return boto3.client(service, config=_CONFIG)  # type: ignore[call-overload]
