"""All emails about requests, by effect."""

from importlib import import_module
from typing import Final

from flow_hitl.audit.effects import MAILS, EffectKind
from flow_hitl.mails.mail import Mail

MAIL_OF: Final[dict[EffectKind, Mail]] = {kind: import_module(f"flow_hitl.mails.kinds.{kind}").MAIL for kind in MAILS}
