"""microburst's own command, with its dice sown: `seeded_microburst.py SEED --upstream ...`. Run by `proxy`."""

import logging
import random
import sys

from aiohttp import ClientSession, web
from microburst import cli, forward, models
from microburst.forward import Upstream
from yarl import URL

_outbound_headers = Upstream._outbound_headers


def _signed_headers(self: Upstream, request: web.Request) -> dict[str, str]:
    """The headers with the host that the caller has signed: the engine verifies signatures, as AWS does."""
    return {**_outbound_headers(self, request), "host": request.headers["Host"]}


def _signed_url(_: ClientSession, url: str) -> URL:
    """The URL as the caller has signed it: `%3D` stays `%3D`."""
    return URL(url, encoded=True)


if __name__ == "__main__":
    random.seed(int(sys.argv.pop(1)))
    Upstream._outbound_headers = _signed_headers
    ClientSession._build_url = _signed_url
    # S3 sends the length of an object's body, and the caller reads that many bytes.
    forward.HOP_BY_HOP -= {"content-length"}
    # Both of SES's protocols sign as "ses"; the application uses the newer one only.
    models._SCOPE_ALIASES["ses"] = "sesv2"
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    sys.exit(cli.main())
