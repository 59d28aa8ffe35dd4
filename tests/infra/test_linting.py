"""CloudFormation takes what the templates say, in the regions of two continents: cfn-lint has its schemas."""

import json
from collections.abc import Mapping, Sequence

import pytest

from infra.linting import ACCEPTED, findings, unaccepted
from tests.infra.conftest import Assembly

WRONG = {"Resources": {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketNames": "one"}}}}


@pytest.fixture(scope="module")
def found(
    assembly: Assembly, with_domain: Assembly, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Sequence[str]]:
    folder = tmp_path_factory.mktemp("templates")
    templates = {
        "core": assembly.core.template,
        "mail-edge": assembly.mail_edge.template,
        "mail-edge-with-domain": with_domain.mail_edge.template,
        "wrong": WRONG,
    }
    for name, template in templates.items():
        (folder / f"{name}.json").write_text(json.dumps(template))
    return findings(sorted(folder.iterdir()))


@pytest.mark.parametrize("template", ["core", "mail-edge", "mail-edge-with-domain"])
def test_a_template_has_no_finding_that_is_not_accepted(template: str, found: Mapping[str, Sequence[str]]) -> None:
    assert unaccepted(found[template]) == []


def test_a_property_that_cloudformation_does_not_know_is_found(found: Mapping[str, Sequence[str]]) -> None:
    assert [one.partition(" ")[0] for one in unaccepted(found["wrong"])] == ["E3002"]


def test_nothing_is_accepted_that_is_not_found(found: Mapping[str, Sequence[str]]) -> None:
    assert ACCEPTED.keys() == {one.partition(" ")[0] for one in found["core"]}
