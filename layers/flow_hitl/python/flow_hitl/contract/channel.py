"""How an answer came."""

from enum import StrEnum


class Channel(StrEnum):
    """How an answer came, by the contract's names."""

    EMAIL = "email"
    DASHBOARD = "dashboard"
    API = "api"
    AUTO_RESPONSE = "auto_response"
