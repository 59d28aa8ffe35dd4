"""One AWS client per service and process, configured in one place."""

from functools import lru_cache
from typing import Any

import boto3
from botocore.config import Config

# Short time-outs with standard retries: a hung connection must not eat a function's whole time.
_CONFIG = Config(connect_timeout=2, read_timeout=10, retries={"mode": "standard", "max_attempts": 3})


@lru_cache
def client(service: str) -> Any:
    """Return the process's client of an AWS service; region, credentials and endpoint come from the environment."""
    return boto3.client(service, config=_CONFIG)  # type: ignore[call-overload]
