"""CDK's own command, run by the project's Node."""

from pathlib import Path

CDK = "aws-cdk@2.1148.1"
ROOT = Path(__file__).resolve().parents[2]


def has_project() -> bool:
    """Tell whether the project's files are here, without which nothing can be deployed."""
    return (ROOT / "cdk.json").is_file()


def cdk_command(*words: str) -> list[str]:
    """Return the words that run CDK's command; the first time, npm needs its registry."""
    from infra.node import npx

    return [*npx(), "--yes", CDK, *words]
