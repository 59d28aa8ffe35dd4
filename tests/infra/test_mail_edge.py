"""The mail edge's template: identity, configuration set and the custom resource with the rule."""

from tests.infra.conftest import Stack


def test_the_domain_is_an_identity_that_uses_the_configuration_set(mail_edge: Stack) -> None:
    (identity,) = mail_edge.properties("Custom::SenderIdentity")
    assert (identity["Domain"], identity["Stack"]) == ("hitl.example.com", "flow-hitl")
    assert "feedback-smtp." in str(identity["FeedbackHost"])
    (configuration_set,) = mail_edge.of_type("AWS::SES::ConfigurationSet")
    assert identity["ConfigurationSetName"] == {"Ref": configuration_set}
    assert mail_edge.properties("AWS::SES::ConfigurationSet")[0]["Name"] == "flow-hitl"


def test_bounces_and_complaints_go_to_the_core_stacks_topic(mail_edge: Stack) -> None:
    (destination,) = mail_edge.properties("AWS::SES::ConfigurationSetEventDestination")
    (configuration_set,) = mail_edge.of_type("AWS::SES::ConfigurationSet")
    assert destination["ConfigurationSetName"] == {"Ref": configuration_set}
    assert destination["EventDestination"]["MatchingEventTypes"] == ["bounce", "complaint", "reject"]
    assert "MailEventsTopic" in str(destination["EventDestination"]["SnsDestination"]["TopicARN"])


def test_the_outputs_are_the_dns_records_to_set(mail_edge: Stack) -> None:
    outputs = mail_edge.template["Outputs"]
    assert sum("DkimRecord" in str(output["Value"]) for output in outputs.values()) == 3
    assert "hitl.example.com MX 10 inbound-smtp." in str(outputs["InboundMxRecord"]["Value"])


def test_the_rule_stores_mail_for_the_domain_and_publishes_its_receipt(mail_edge: Stack) -> None:
    (resource,) = mail_edge.properties("Custom::ReceiptRule")
    rule = resource["Rule"]
    assert rule["Recipients"] == ["hitl.example.com"]
    assert rule["ScanEnabled"] is True
    (action,) = rule["Actions"]
    assert action["S3Action"]["ObjectKeyPrefix"] == "inbound/"
    assert "Mail" in action["S3Action"]["BucketName"]["Fn::ImportValue"]
    assert "ReceiptsTopic" in action["S3Action"]["TopicArn"]["Fn::ImportValue"]


def test_no_rule_set_is_made_or_activated_by_cloudformation(mail_edge: Stack) -> None:
    assert mail_edge.of_type("AWS::SES::ReceiptRuleSet") == {}
    assert mail_edge.of_type("AWS::SES::ReceiptRule") == {}


def test_no_identity_is_cloudformations_which_fails_if_the_account_has_it_and_deletes_it_with_the_stack(
    mail_edge: Stack,
) -> None:
    assert mail_edge.of_type("AWS::SES::EmailIdentity") == {}


def test_the_custom_resources_may_only_change_receipt_rules_and_their_domain_and_write_a_log(mail_edge: Stack) -> None:
    (role,) = mail_edge.properties("AWS::IAM::Role")
    (policy,) = role["Policies"]
    actions = {action for each in policy["PolicyDocument"]["Statement"] for action in each["Action"]}
    assert {action for action in actions if not action.startswith("ses:")} == {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    }
    (identities,) = [
        each for each in policy["PolicyDocument"]["Statement"] if "ses:CreateEmailIdentity" in each["Action"]
    ]
    assert str(identities["Resource"]).endswith(":identity/hitl.example.com']]}")
    others = actions - {*identities["Action"]}
    assert all("ReceiptRule" in action for action in others if action.startswith("ses:"))
