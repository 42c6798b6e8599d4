"""Gives a deployed function a payment provider for the length of a test, and takes it away again."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from tests.integration.application import Application
from tests.payment_provider import API_KEY, Provider


@contextmanager
def providing(application: Application, subscriber: str, provider: Provider) -> Iterator[None]:
    """Within the block the subscriber's function asks this provider, by a secret that its role may read."""
    functions, iam = application.client("lambda"), application.client("iam")
    secrets = application.client("secretsmanager")
    name = application.subscriber(subscriber).function_name
    configuration = functions.get_function_configuration(FunctionName=name)
    variables = configuration["Environment"]["Variables"]
    role = configuration["Role"].rsplit("/", 1)[-1]
    secret = secrets.create_secret(
        Name=f"provider-of-{name}", SecretString=json.dumps({"url": provider.url, "api_key": API_KEY})
    )["ARN"]
    statement = {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": secret}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName=role, PolicyName="provider", PolicyDocument=policy)
    functions.update_function_configuration(
        FunctionName=name,
        Environment={
            "Variables": {
                **variables,
                "PAYMENT_PROVIDER_SECRET_ARN": secret,
                "PAYMENT_PROVIDER_ON_LOOPBACK": "true",
            }
        },
    )
    try:
        yield
    finally:
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables})
        iam.delete_role_policy(RoleName=role, PolicyName="provider")
        secrets.delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)
