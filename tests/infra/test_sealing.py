"""What is sealed stays sealed: the digests' bucket is locked, their key only signs, and every hour has its call."""

from infra.constructs.sealing import LOCK_BYPASSES
from infra.options import Options
from tests.infra.conftest import Stack


def test_each_digest_is_locked_from_its_first_moment(core: Stack) -> None:
    bucket = core.find("AWS::S3::Bucket", "Seals")["Properties"]
    assert bucket["ObjectLockEnabled"] is True
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    retention = bucket["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]
    assert retention == {"Mode": "GOVERNANCE", "Days": Options.seal_retention_days}
    assert Options.seal_retention_days >= 7 * 365


def test_nobody_deletes_a_digest_or_shortens_its_time(core: Stack) -> None:
    statements = core.find("AWS::S3::BucketPolicy", "Seals")["Properties"]["PolicyDocument"]["Statement"]
    (denied,) = [each for each in statements if each.get("Sid") == "SealsAreNeverChanged"]
    assert (denied["Effect"], denied["Principal"]) == ("Deny", "*")
    assert sorted(denied["Action"]) == sorted(LOCK_BYPASSES)
    assert "Condition" not in denied


def test_nothing_in_the_bucket_expires(core: Stack) -> None:
    rules = core.find("AWS::S3::Bucket", "Seals")["Properties"]["LifecycleConfiguration"]["Rules"]
    assert not [rule for rule in rules if any("Expiration" in name for name in rule)]


def test_the_key_signs_and_does_nothing_else(core: Stack) -> None:
    key = core.find("AWS::KMS::Key", "Seals")
    assert (key["Properties"]["KeySpec"], key["Properties"]["KeyUsage"]) == ("ECC_NIST_P256", "SIGN_VERIFY")
    assert key["DeletionPolicy"] == "Retain"


def test_every_hour_the_hours_that_are_over_are_sealed(core: Stack) -> None:
    schedules = core.properties("AWS::Scheduler::Schedule")
    (schedule,) = [one for one in schedules if "QueuesSealQueue" in str(one["Target"]["Arn"])]
    assert schedule["ScheduleExpression"] == "cron(15 * * * ? *)"
    assert schedule["ScheduleExpressionTimezone"] == "UTC"
    assert "QueuesSealDeadLetters" in str(schedule["Target"]["DeadLetterConfig"]["Arn"])
