"""Templates for a launch without CDK: what CDK writes for one stack, with parameters in place of its options.

A string that holds an option becomes `Fn::Sub`. The archives are found by parameters in place of CDK's own bucket.
"""

import re
from collections.abc import Mapping
from typing import Any

INBOUND_DOMAIN = "inbound-domain.invalid"
ALARM_EMAIL = "alarms@inbound-domain.invalid"
STACK = "flow-hitl"
"""The options that are looked for in the templates; no name in use is one of them by chance."""

# As the stack's name only, not where text names the command.
_STACK = rf'(?<![\w-])(?:{STACK}(?=$|["/:]|-replies$)|{STACK.replace("-", "")}(?=-Scheduling-Group-))'
_BOTH: dict[str, Mapping[str, Any]] = {
    "InboundDomain": {
        "Type": "String",
        "Description": "The domain that receives the replies; reviews@ it sends every email.",
        "AllowedPattern": r"[a-z0-9-]+(\.[a-z0-9-]+)+",
    },
    "AssetBucket": {"Type": "String", "Description": "The bucket, in this region, that holds the archives."},
}
_CORE: dict[str, Mapping[str, Any]] = {
    "AlarmEmail": {"Type": "String", "Description": "Who gets the alarms.", "AllowedPattern": r"[^@\s]+@[^@\s]+"},
    "Architecture": {"Type": "String", "Default": "arm64", "AllowedValues": ["arm64", "x86_64"]},
}
_EDGE: dict[str, Mapping[str, Any]] = {
    "CoreStack": {"Type": "String", "Default": STACK, "Description": "The name of the core stack, which is made first."}
}


def core_template(template: Mapping[str, Any], assets: Mapping[str, str], prefix: str) -> dict[str, Any]:
    """Return the core template with parameters.

    `assets` names the archive of each asset by its hash, `prefix` is where the archives are in the bucket.
    """
    return _with_parameters(template, assets, prefix, "AWS::StackName", _BOTH | _CORE)


def edge_template(template: Mapping[str, Any], archive: str, prefix: str) -> dict[str, Any]:
    """Return the edge template with parameters; it has one archive."""
    return _with_parameters(template, {}, prefix, "CoreStack", _BOTH | _EDGE, archive)


def _with_parameters(
    template: Mapping[str, Any],
    assets: Mapping[str, str],
    prefix: str,
    stack: str,
    parameters: Mapping[str, Mapping[str, Any]],
    archive: str = "",
) -> dict[str, Any]:
    options = ((re.escape(ALARM_EMAIL), "AlarmEmail"), (re.escape(INBOUND_DOMAIN), "InboundDomain"), (_STACK, stack))

    def changed(value: Any, key: str = "") -> Any:
        if isinstance(value, Mapping):
            if "S3Bucket" in value and "S3Key" in value:
                name = assets.get(value["S3Key"].removesuffix(".zip"), archive)
                found = {"Fn::Sub": f"{prefix}{name}"} if "${" in name else f"{prefix}{name}"
                return {"S3Bucket": {"Ref": "AssetBucket"}, "S3Key": found}
            if set(value) == {"Fn::Sub"} and isinstance(value["Fn::Sub"], str):
                return {"Fn::Sub": _put(value["Fn::Sub"], options)}
            return {name: changed(one, name) for name, one in value.items()}
        if isinstance(value, list):
            if key in ("Architectures", "CompatibleArchitectures"):
                return [{"Ref": "Architecture"}]
            return [changed(one) for one in value]
        if isinstance(value, str) and key not in ("Type", "DeletionPolicy", "UpdateReplacePolicy"):
            return _substituted(value, options)
        return value

    # What CDK asks of an account that is bootstrapped for it.
    kept = {name: one for name, one in template.items() if name not in ("Parameters", "Rules")}
    return {"Parameters": parameters} | {name: changed(one) for name, one in kept.items()}


def _substituted(text: str, options: tuple[tuple[str, str], ...]) -> Any:
    for pattern, name in options:
        if re.fullmatch(pattern, text):
            return {"Ref": name}
    put = _put(text.replace("${", "${!"), options)
    return {"Fn::Sub": put} if put != text.replace("${", "${!") else text


def _put(text: str, options: tuple[tuple[str, str], ...]) -> str:
    for pattern, name in options:
        text = re.sub(pattern, f"${{{name}}}", text)
    return text
