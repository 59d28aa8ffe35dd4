"""Check the receipt of a decision offline, before executing what was approved; needs the extra `[receipts]`."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timezone
from typing import Any, Final

from flow_hitl_client.errors import FlowHitlClientError

_TYPE: Final = "flow-hitl-receipt+jwt"
_CONTENT: Final = frozenset(
    {"id", "flow_id", "method_name", "message", "emit_options", "state", "metadata", "created_at", "output"}
)
_UNCHECKED: Final[Any] = object()


class ReceiptInvalid(FlowHitlClientError):
    """The receipt does not prove what was asked of it; the message says why."""


@dataclass(frozen=True)
class Receipt:
    """What a genuine receipt says; hashes are hex SHA-256, `verified_by` is how the responder was proven."""

    request_id: str
    deployment_id: int
    content_sha256: str
    output_sha256: str
    outcome: str | None
    data_sha256: str | None
    responder: str | None
    verified_by: str | None
    responded_at: str
    exp: int | None = None


def verify_receipt(
    receipt: str,
    keys: Mapping[str, Any],
    *,
    request_id: str,
    deployment_id: int | None = None,
    request: Mapping[str, Any] | None = None,
    output: Any = _UNCHECKED,
    outcome: str | None = None,
    now: datetime | None = None,
) -> Receipt:
    """Return what a receipt says if it is genuine, still valid, and of this request; raises ReceiptInvalid.

    `keys` is the JSON of `GET /v1/keys`, from a copy that you trust. `request` is the request object, `output` what is
    to be executed, `outcome` the option that must have been chosen; each is compared if given, and so is the
    deployment's id: give it where `request_id` comes from whoever brings the receipt. Calls nothing.
    """
    if not isinstance(receipt, str):
        raise ReceiptInvalid("There is no receipt.")
    from joserfc import errors, jws
    from joserfc.jwk import KeySet

    try:
        signed = jws.deserialize_compact(receipt, KeySet.import_key_set({"keys": keys["keys"]}), algorithms=["ES256"])
        if signed.headers().get("typ") != _TYPE:
            raise ReceiptInvalid("This is signed, but it is not a receipt.")
        claims = json.loads(signed.payload)
        said = Receipt(**{one.name: claims[one.name] for one in fields(Receipt) if one.name in claims})
        ends = [key.get("retired_at") for key in keys["keys"] if key.get("kid") == signed.headers().get("kid")]
        if any(end is not None and said.responded_at > end for end in ends):
            raise ReceiptInvalid("The receipt is later than its key was used: somebody else signed it.")
        valid_until = None if said.exp is None else datetime.fromtimestamp(said.exp, timezone.utc)
    except errors.InvalidKeyIdError:
        raise ReceiptInvalid("The receipt was signed with a key that is not among the given keys.") from None
    except errors.BadSignatureError:
        raise ReceiptInvalid("The signature is wrong: the receipt was changed, or another key signed it.") from None
    except (errors.JoseError, ValueError, KeyError, TypeError, AttributeError, OverflowError, OSError):
        raise ReceiptInvalid("This is not a receipt signed by ES256, or the keys are not a key set.") from None
    if said.request_id != request_id:
        raise ReceiptInvalid(f"The receipt is of another request: {said.request_id}.")
    if deployment_id not in (None, said.deployment_id):
        raise ReceiptInvalid(f"The receipt is of another deployment: {said.deployment_id}.")
    if valid_until is not None and (now or datetime.now(timezone.utc)) >= valid_until:
        raise ReceiptInvalid(f"The approval has expired: it was valid until {valid_until:%Y-%m-%dT%H:%M:%SZ}.")
    if request is not None and _digest({name: request.get(name) for name in _CONTENT}) != said.content_sha256:
        raise ReceiptInvalid("The receipt is of other content than the given request has.")
    if output is not _UNCHECKED and _digest(output) != said.output_sha256:
        raise ReceiptInvalid("The receipt is of another output than the given one.")
    if outcome is not None and said.outcome != outcome:
        raise ReceiptInvalid(f"The outcome was {said.outcome!r}, not {outcome!r}.")
    return said


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    # Half a character, which no request has, must differ from all that one can have.
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
