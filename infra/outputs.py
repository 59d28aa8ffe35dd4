"""The core stack's outputs, and the settings read back from them."""

from collections.abc import Mapping

from flow_hitl.platform.environment import Settings


def output_name(name: str) -> str:
    """Return the output's name for a name in snake case: `email_queue_url` is `EmailQueueUrl`."""
    return "".join(word.capitalize() for word in name.split("_"))


def missing_outputs(outputs: Mapping[str, str]) -> list[str]:
    """Return the settings that a stack's outputs lack: it is not ours, or of another version."""
    return [name for name in Settings.required() if output_name(name) not in outputs]


def settings_from_outputs(outputs: Mapping[str, str]) -> Settings:
    """Rebuild the functions' settings from the outputs of a deployed core stack; raises SettingsMissing."""
    named = {name: output_name(name) for name in Settings.names()}
    return Settings.of({name: outputs[output] for name, output in named.items() if output in outputs})
