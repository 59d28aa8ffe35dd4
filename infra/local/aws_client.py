"""Clients of the emulator that wait as long as a slow machine needs."""

from typing import Any

import boto3
from botocore.config import Config

from infra.local.patience import HANG_SECONDS

# No retries: a call that is answered late would be done twice.
_CONFIG = Config(connect_timeout=HANG_SECONDS, read_timeout=HANG_SECONDS, retries={"total_max_attempts": 1})


def patient_client(service: str, endpoint_url: str, **config: Any) -> Any:
    """Return a client; `config` are further options of botocore."""
    return boto3.client(service, endpoint_url=endpoint_url, config=_CONFIG.merge(Config(**config)))  # type: ignore[call-overload]
