"""Where `fanout.aws_calls` sends its requests, and how it signs them (Signature Version 4).

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hmac
import os
import re
import time
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, NamedTuple

# Regions, the names of their endpoints, and of those that speak IPv6 too. Other partitions stay on boto3.
_PARTITIONS = (
    (re.compile(r"(us|eu|ap|sa|ca|me|af|il|mx)-\w+-\d+"), "amazonaws.com", "api.aws"),
    (re.compile(r"us-gov-\w+-\d+"), "amazonaws.com", "api.aws"),
    (re.compile(r"cn-\w+-\d+"), "amazonaws.com.cn", "api.amazonwebservices.com.cn"),
)
# Variables that change a call in a way only botocore knows.
ONLY_BOTOCORE = (
    "AWS_ACCOUNT_ID",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_DEFAULT_PROFILE",
    "AWS_NEW_RETRIES_2026",
    "AWS_PROFILE",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "https_proxy",
    "http_proxy",
)


class Credentials(NamedTuple):
    """An access key, with a session token if it is temporary."""

    access_key: str
    secret_key: str
    token: str | None


def endpoint_url(service: str, region: str, environment: Mapping[str, str]) -> str | None:
    """Return the URL of a service as botocore resolves it from the environment, None if only botocore can.

    https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
    """
    if any(environment.get(name) for name in ONLY_BOTOCORE) or _has_config_file(environment):
        return None
    is_fips = _is_on(environment, "AWS_USE_FIPS_ENDPOINT")
    is_dual_stack = _is_on(environment, "AWS_USE_DUALSTACK_ENDPOINT")
    if not _is_on(environment, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"):
        url = environment.get(f"AWS_ENDPOINT_URL_{service.upper()}") or environment.get("AWS_ENDPOINT_URL")
        if url:
            return None if is_fips or is_dual_stack else url
    for pattern, suffix, dual_stack_suffix in _PARTITIONS:
        if pattern.fullmatch(region):
            # GovCloud's own endpoints are FIPS endpoints; with IPv6 they have another name.
            is_named_fips = is_fips and (is_dual_stack or not region.startswith("us-gov-"))
            name = f"{service}-fips" if is_named_fips else service
            return f"https://{name}.{region}.{dual_stack_suffix if is_dual_stack else suffix}"
    return None


def _is_on(environment: Mapping[str, str], name: str) -> bool:
    return environment.get(name, "").lower() == "true"


def _has_config_file(environment: Mapping[str, str]) -> bool:
    try:
        # Without pathlib, which would be 8 % of what a first call costs.
        path = os.path.expanduser(environment.get("AWS_CONFIG_FILE") or "~/.aws/config")  # noqa: PTH111
        return os.stat(path).st_size > 0  # noqa: PTH116
    except OSError:
        return False


def find_credentials(environment: Mapping[str, str]) -> Callable[[], Credentials | None]:
    """Return what gives the credentials of each call: the environment's, else those that botocore finds and renews."""
    access_key, secret_key = environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")
    if access_key and secret_key:
        fixed = Credentials(access_key, secret_key, environment.get("AWS_SESSION_TOKEN") or None)
        return lambda: fixed
    import botocore.session  # noqa: PLC0415 - start-up cost; SnapStart's credentials come from a local endpoint

    found = botocore.session.get_session().get_credentials()
    return lambda: _frozen(found) if found else None


def _frozen(found: Any) -> Credentials:
    now = found.get_frozen_credentials()
    return Credentials(now.access_key, now.secret_key, now.token)


class Signer:
    """Signs the POST requests to one endpoint."""

    def __init__(self, service: str, region: str, authority: str, path: str) -> None:
        self._scope = f"{region}/{service}/aws4_request"
        self._region = region
        self._service = service
        self._authority = authority
        self._path = path
        self._key: tuple[str, str, bytes] = ("", "", b"")
        self.skew = 0.0
        """Seconds that AWS's clock is ahead of ours."""

    def sign(self, headers: Mapping[str, str], body: bytes, credentials: Credentials) -> dict[str, str]:
        """Return `headers` (lower-case names, without host) with date, token and signature."""
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() + self.skew))
        signed = {**headers, "x-amz-date": moment}
        if credentials.token:
            signed["x-amz-security-token"] = credentials.token
        covered = sorted([*signed.items(), ("host", self._authority)])
        names = ";".join(name for name, _ in covered)
        lines = "".join(f"{name}:{value}\n" for name, value in covered)
        request = f"POST\n{self._path}\n\n{lines}\n{names}\n{sha256(body).hexdigest()}"
        day = moment[:8]
        text = f"AWS4-HMAC-SHA256\n{moment}\n{day}/{self._scope}\n{sha256(request.encode()).hexdigest()}"
        signature = hmac.digest(self._signing_key(day, credentials.secret_key), text.encode(), "sha256").hex()
        signed["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{day}/{self._scope}, "
            f"SignedHeaders={names}, Signature={signature}"
        )
        return signed

    def _signing_key(self, day: str, secret: str) -> bytes:
        known_day, known_secret, key = self._key
        if (known_day, known_secret) != (day, secret):
            key = f"AWS4{secret}".encode()
            for part in (day, self._region, self._service, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._key = (day, secret, key)
        return key
