"""What the application is deployed with: the stages in samconfig.toml, and every option switched on."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
STAGES = ("default", "staging", "prod", "local")

# No stage sets these, so without them the resources behind them would never be judged.
EVERY_OPTION = {
    "OperatorEmail": "operator@example.com",
    "AlertTopicArn": "arn:aws:sns:us-east-1:123456789012:alerts",
    "AlertEmail": "oncall@example.com",
    "AlertPhoneNumber": "+15550100",
    "SourceLogGroup": "/aws/lambda/shop",
    "PaymentProviderSecretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:payments-AbCdEf",
    "SqlSubnetIds": "subnet-0a1b2c3d,subnet-0a1b2c3e",
    "SqlSecurityGroupIds": "sg-0a1b2c3d",
    "InputLocations": "partner-files/incoming/",
    "MonitoringLevel": "full",
}


def overrides(stage: str) -> dict[str, str]:
    """Return the parameters that samconfig.toml deploys a stage with."""
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    pairs: list[str] = config[stage]["global"]["parameters"]["parameter_overrides"]
    return dict(pair.split("=", 1) for pair in pairs)
