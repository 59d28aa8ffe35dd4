"""The secret with which a deployment's resumptions are signed, derived from a signing key."""

from flow_hitl.deployments.deployment import ResumeSecret
from flow_hitl.platform.key_ring import KeyRing, derive


def resume_signing_secret(key: bytes, deployment_id: int, rotation: str = "") -> str:
    """Return the `whsec_…` secret with which a deployment's resumptions are signed, the first or a rotation's.

    It is derived, not stored: whoever reads the tables learns no secret, and it stays as long as the deployment
    names the same key id and rotation.
    """
    return "whsec_" + derive(key, f"resume/{deployment_id}/{rotation}" if rotation else f"resume/{deployment_id}").hex()


def resume_secret_of(keys: KeyRing, deployment_id: int, wanted: ResumeSecret) -> str:
    """Return the text of a deployment's resume secret; raises LookupError if the key that it derives from is gone."""
    key = keys.key(wanted.key_id)
    if key is None:
        raise LookupError(f"the signing key {wanted.key_id} is not in the key ring")
    return resume_signing_secret(key, deployment_id, wanted.rotation)
