"""What SES refuses."""

from typing import Any

from engine_tests.aws import Aws
from engine_tests.refusals.refusal import Refusal

_API = "https://docs.aws.amazon.com/ses/latest/APIReference-V2"
_MISSING_TOPIC = "arn:aws:sns:us-east-1:000000000000:planted-missing"


def _send(aws: Aws, *to: str, **changed: Any) -> None:
    sender = f"{aws.name('sender')}@example.com"
    aws.sesv2.create_email_identity(EmailIdentity=sender)
    content = {"Simple": {"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}}}
    request = {"FromEmailAddress": sender, "Destination": {"ToAddresses": list(to)}, "Content": content, **changed}
    aws.sesv2.send_email(**request)


def _create_identity_twice(aws: Aws) -> None:
    for _ in range(2):
        aws.sesv2.create_email_identity(EmailIdentity="planted-twice@example.com")


def _destination(aws: Aws, topic: str) -> None:
    name = aws.name("set")
    aws.sesv2.create_configuration_set(ConfigurationSetName=name)
    aws.sesv2.create_configuration_set_event_destination(
        ConfigurationSetName=name,
        EventDestinationName="one",
        EventDestination={
            "Enabled": True,
            "MatchingEventTypes": ["BOUNCE"],
            "SnsDestination": {"TopicArn": topic},
        },
    )


def _rule(
    id: str, rule: str, page: str, text: str, call: Any, *, code: str = "BadRequestException", **more: Any
) -> Refusal:
    return Refusal(
        id=f"ses-{id}",
        rule=rule,
        source=f"{_API}/{page}.html",
        code=code,
        text=text,
        held="strictness/mail.py",
        call=call,
        **more,
    )


REFUSALS = (
    _rule(
        "a-configuration-set-name-has-64-characters-at-most",
        "A configuration set's name has 64 letters, digits, hyphens and underscores at most",
        "API_CreateConfigurationSet",
        "Invalid configuration set name",
        lambda aws: aws.sesv2.create_configuration_set(ConfigurationSetName="s" * 65),
    ),
    _rule(
        "an-identity-is-created-once",
        "An identity that exists is not created again",
        "API_CreateEmailIdentity",
        "already exist",
        _create_identity_twice,
        code="AlreadyExistsException",
    ),
    _rule(
        "an-identity-is-an-address-or-a-domain",
        "An identity is a mail address or a domain",
        "API_CreateEmailIdentity",
        "Invalid email identity",
        lambda aws: aws.sesv2.create_email_identity(EmailIdentity="no identity"),
    ),
    _rule(
        "a-destination-is-a-topic-that-exists",
        "A destination of events is a topic that exists",
        "API_SnsDestination",
        "SNS topic",
        lambda aws: _destination(aws, _MISSING_TOPIC),
        template={
            "Resources": {
                "Set": {"Type": "AWS::SES::ConfigurationSet"},
                "Destination": {
                    "Type": "AWS::SES::ConfigurationSetEventDestination",
                    "Properties": {
                        "ConfigurationSetName": {"Ref": "Set"},
                        "EventDestination": {
                            "MatchingEventTypes": ["bounce"],
                            "SnsDestination": {"TopicARN": _MISSING_TOPIC},
                        },
                    },
                },
            }
        },
    ),
    _rule(
        "a-destination-is-no-fifo-topic",
        "A destination of events is a standard topic",
        "API_SnsDestination",
        "FIFO",
        lambda aws: _destination(aws, aws.topic(FifoTopic="true")),
    ),
    _rule(
        "a-mail-has-a-recipient",
        "A mail has a recipient",
        "API_SendEmail",
        "Missing destination",
        _send,
    ),
    _rule(
        "a-mail-has-50-recipients-at-most",
        "A mail has 50 recipients at most",
        "API_SendEmail",
        "Recipient count exceeds 50.",
        lambda aws: _send(aws, *(f"someone{number}@example.com" for number in range(51))),
        code="MessageRejected",
    ),
    _rule(
        "a-recipient-is-an-address",
        "A recipient is a mail address",
        "API_SendEmail",
        "Invalid email address",
        lambda aws: _send(aws, "someone"),
    ),
    _rule(
        "a-tag-has-no-spaces",
        "Names and values of a mail's tags have letters, digits and _-.@ only",
        "API_MessageTag",
        "Invalid tag",
        lambda aws: _send(aws, "someone@example.com", EmailTags=[{"Name": "a tag", "Value": "x"}]),
    ),
    _rule(
        "a-mail-has-a-body",
        "A mail has a text or an HTML body",
        "API_Body",
        "Missing body",
        lambda aws: _send(aws, "someone@example.com", Content={"Simple": {"Subject": {"Data": "s"}, "Body": {}}}),
    ),
)
