"""Sends a mail through Amazon SES, and says of every failure whether the mail may have gone out.

Errors of SendEmail: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html#API_SendEmail_Errors
"""

from typing import Any

import settings
from fanout import aws
from fanout.failures import Reject, Retry
from welcome import Welcome

# What a person must mend, or a daily quota, which is one of 24 hours: ten attempts at this distance outlast it.
_LONG_WAIT = 3 * 3600
_PAUSED = {"SendingPausedException", "AccountSuspendedException", "LimitExceededException"}
_REFUSED = {"MessageRejected", "BadRequestException"}


def send(mail: Welcome, recipient: str) -> str:
    """Send the mail once, without any retry, and return SES's message id.

    Raises Retry or Reject if it certainly did not go out; anything else leaves that open. No reason holds an address,
    although some messages of SES do.
    """
    sender = settings.sender()
    request: dict[str, Any] = {
        "FromEmailAddress": sender.sender_address,
        "Destination": {"ToAddresses": [recipient]},
        "Content": {
            "Simple": {
                "Subject": {"Data": mail.subject, "Charset": "UTF-8"},
                "Body": {
                    "Text": {"Data": mail.text, "Charset": "UTF-8"},
                    "Html": {"Data": mail.html, "Charset": "UTF-8"},
                },
            }
        },
    }
    if sender.configuration_set:
        request["ConfigurationSetName"] = sender.configuration_set
    try:
        answer = aws.client("sesv2", retries=False).send_email(**request)
    except Exception as error:
        _judge(error)
        raise
    message_id: str = answer["MessageId"]
    return message_id


def _judge(error: Exception) -> None:
    """Raise Retry or Reject if the error tells that nothing went out; return if it does not."""
    from botocore import exceptions  # noqa: PLC0415 - start-up, see fanout.aws

    if isinstance(
        error,
        exceptions.ConnectTimeoutError
        | exceptions.EndpointConnectionError
        | exceptions.ProxyConnectionError
        | exceptions.NoCredentialsError
        | exceptions.CredentialRetrievalError
        | exceptions.ParamValidationError,
    ):
        raise Retry(f"not-sent: {type(error).__name__} before the mail was handed over") from error
    if not isinstance(error, exceptions.ClientError):
        return
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code = aws.error_code(error)
    told = str(error).lower()
    if not 400 <= status < 500:
        return
    if code in _REFUSED:
        why = " (sender or recipient is not verified in SES)" if "not verified" in told else ""
        raise Reject(f"refused: SES answers {code}{why}") from error
    if code in _PAUSED or "daily message quota" in told:
        raise Retry(f"paused: SES answers {code}", after=_LONG_WAIT) from error
    raise Retry(f"not-taken: SES answers {code}") from error  # throttled, or we are not allowed to
