"""The code in Lambda: two layers and the functions, packaged without Docker."""

from aws_cdk import AssetHashType
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.constructs.findings import accept
from infra.options import Options
from infra.packaging import Package, Packager


class Code(Construct):
    """The runtime, the architecture, the layers, and the asset that all functions share."""

    def __init__(self, scope: Construct, construct_id: str, options: Options) -> None:
        super().__init__(scope, construct_id)
        packager = Packager(options.python, options.architecture, options.packages_for_host)
        self.runtime = lambda_.Runtime(f"python{options.python}", lambda_.RuntimeFamily.PYTHON)
        self.architecture = (
            lambda_.Architecture.ARM_64 if options.architecture == "arm64" else lambda_.Architecture.X86_64
        )
        self.asset = _asset(packager.functions())
        self.layers = [
            self._layer("Dependencies", packager.dependencies()),
            self._layer("FlowHitl", packager.flow_hitl()),
        ]

    def _layer(self, construct_id: str, package: Package) -> lambda_.LayerVersion:
        return lambda_.LayerVersion(
            self,
            construct_id,
            code=_asset(package),
            compatible_runtimes=[self.runtime],
            compatible_architectures=[self.architecture],
        )


def accept_runtime_findings(function: lambda_.Function) -> None:
    """Accept that the runtime need not be the newest."""
    accept(
        function,
        "The Python version is the operator's choice (context `python`), and the default is one that every locked "
        "package has a wheel for.",
        "AwsSolutions-L1",
        "Serverless-LambdaLatestVersion",
    )


def _asset(package: Package) -> lambda_.AssetCode:
    return lambda_.Code.from_asset(str(package.path), asset_hash=package.digest, asset_hash_type=AssetHashType.CUSTOM)
