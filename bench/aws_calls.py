"""What one AWS call costs, by the way it is made: `python bench/aws_calls.py` prints a table and writes JSON.

Each candidate makes the calls of the hot path against a stub in another process, so that the server is not in the
figure. Cold: start of the process to the end of the first call, less a bare interpreter. Warm: one more call over the
kept connection. In instructions where valgrind is present (they repeat), in CPU time anyway. Every ratio is to
boto3 in the same run.
"""

import argparse
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "layers" / "common"), str(ROOT / "bench")]

from candidates import CALLS, CANDIDATES, ENTRIES, ITEM  # noqa: E402 - the path comes first

AMAZON = ROOT / "layers/common/fanout/amazon_authorities.pem"
CHOSEN = "fanout.aws_calls"
# Under valgrind each candidate makes these, and boto3 and the chosen one make the others too.
THOROUGH = ("PutItem", "SendMessageBatch", "PublishBatch")

_PUBLISHED = "".join(f"<member><Id>{number}</Id><MessageId>{number:036}</MessageId></member>" for number in ENTRIES)
ANSWERS: dict[str, bytes] = {
    "PutItem": b"{}",
    "UpdateItem": json.dumps({"Attributes": ITEM}).encode(),
    "GetItem": json.dumps({"Item": ITEM}).encode(),
    "TransactWriteItems": b"{}",
    "SendMessage": json.dumps({"MessageId": "0" * 36, "MD5OfMessageBody": "0" * 32}).encode(),
    "SendMessageBatch": json.dumps(
        {"Successful": [{"Id": str(n), "MessageId": "0" * 36, "MD5OfMessageBody": "0" * 32} for n in ENTRIES]}
    ).encode(),
    "ChangeMessageVisibility": b"",
    "ChangeMessageVisibilityBatch": json.dumps({"Successful": [{"Id": str(number)} for number in ENTRIES]}).encode(),
    "PublishBatch": (
        '<PublishBatchResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishBatchResult><Failed/><Successful>'
        f"{_PUBLISHED}</Successful></PublishBatchResult><ResponseMetadata><RequestId>{'0' * 36}</RequestId>"
        "</ResponseMetadata></PublishBatchResponse>"
    ).encode(),
}


# Lambda's runtime has boto3, botocore and urllib3; the layer has what is listed here.
SHIPPED = {
    "awscrt": ["awscrt", "_awscrt"],
    "fanout.aws_calls": [f"fanout.aws_{name}" for name in ("calls", "http", "operations", "protocols", "signing")],
}


# --- the stub --------------------------------------------------------------------------------------------------------


def serve(certificate: str | None) -> None:
    """Answer every request as AWS would, until the process is ended; the first line printed is the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    context = None
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
    print(listener.getsockname()[1], flush=True)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_answer_all, args=(connection, context), daemon=True).start()


def _answer_all(connection: socket.socket, context: ssl.SSLContext | None) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if context:
        connection = context.wrap_socket(connection, server_side=True)
    stream = connection.makefile("rwb")
    while stream.readline():
        length, operation = 0, "PublishBatch"
        while (line := stream.readline()) not in {b"\r\n", b""}:
            name, _, value = line.decode().partition(":")
            if name.lower() == "content-length":
                length = int(value)
            elif name.lower() == "x-amz-target":
                operation = value.strip().rpartition(".")[2]
        stream.read(length)
        body = ANSWERS[operation]
        stream.write(
            b"HTTP/1.1 200 OK\r\nServer: Server\r\nDate: Thu, 26 Nov 2026 22:00:00 GMT\r\n"
            b"Content-Type: application/x-amz-json-1.0\r\nConnection: keep-alive\r\n"
            b"x-amzn-RequestId: 4KBNVRGD25RG1KEO9UT4V3FQDJVV4KQNSO5AEMVJF66Q9ASUAAJG\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        stream.flush()


@contextmanager
def stub(certificate: Path | None = None) -> Iterator[str]:
    """Run the stub in a process of its own; yields its URL."""
    command = [sys.executable, __file__, "--serve", *([str(certificate)] if certificate else [])]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        port = int(process.stdout.readline())
        yield f"https://localhost:{port}" if certificate else f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


@contextmanager
def authority() -> Iterator[tuple[Path, Path, Path]]:
    """Make a certificate for localhost; yields its file, botocore's authorities with it, and the layer's with it."""
    import botocore

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        key, certificate = folder / "key.pem", folder / "certificate.pem"
        subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
        make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", str(key)]
        subprocess.run([*make, "-out", str(certificate), *subject], check=True, capture_output=True)
        files = []
        for part in (Path(botocore.__file__).with_name("cacert.pem"), AMAZON):
            files.append(folder / part.name)
            files[-1].write_text(part.read_text() + certificate.read_text())
        both = folder / "both.pem"
        both.write_text(key.read_text() + certificate.read_text())
        yield both, files[0], files[1]


# --- measuring -------------------------------------------------------------------------------------------------------


def _environment(url: str, authorities: Path | None) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LD_LIBRARY_PATH") if name in os.environ}
    made = {
        **kept,
        "AWS_ENDPOINT_URL": url,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "PYTHONHASHSEED": "0",
    }
    if authorities is None:
        return made
    # With AWS_CA_BUNDLE `fanout.aws_calls` would not read its own file, which is to be measured.
    name = "BENCH_AUTHORITIES" if authorities.name == AMAZON.name else "AWS_CA_BUNDLE"
    return {**made, "BENCH_AUTHORITIES": str(authorities), name: str(authorities)}


def _command(candidate: str, call: str, times: int, url: str) -> list[str]:
    return [sys.executable, str(Path(__file__).with_name("candidates.py")), candidate, call, str(times), url]


def cpu(
    candidate: str, call: str, url: str, *, times: int, rounds: int, authorities: Path | None = None
) -> tuple[float, float]:
    """Return the CPU milliseconds of the first call with its imports, and of one more: the least of some rounds."""
    environment = _environment(url, authorities)
    found = []
    for _ in range(rounds):
        done = subprocess.run(
            _command(candidate, call, times, url), env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(done.stderr)
        found.append([float(part) * 1000 for part in done.stdout.split()])
    return min(first for first, _ in found), min(more for _, more in found)


def instructions(command: list[str], environment: dict[str, str]) -> int:
    """Return the instructions of a process, by valgrind."""
    cachegrind = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
    done = subprocess.run([*cachegrind, *command], env=environment, capture_output=True, text=True, check=False)
    found = re.search(r"I\s+refs:\s+([\d,]+)", done.stderr)
    if done.returncode or not found:
        raise RuntimeError(done.stderr)
    return int(found[1].replace(",", ""))


def measure(candidates: list[str], calls: list[str], *, rounds: int, tls: bool) -> list[dict[str, Any]]:
    """Return one row for each call and candidate: cold and warm, in CPU milliseconds and in instructions."""
    has_valgrind = shutil.which("valgrind") is not None
    bare = instructions([sys.executable, "-c", ""], _environment("", None)) if has_valgrind else 0
    rows = []
    with stub() as url:
        for call in calls:
            for candidate in candidates:
                first, more = cpu(candidate, call, url, times=300, rounds=rounds)
                row: dict[str, Any] = {"call": call, "candidate": candidate, "cold_cpu_ms": first, "warm_cpu_ms": more}
                if has_valgrind and (call in THOROUGH or candidate in {"boto3", CHOSEN}):
                    environment = _environment(url, None)
                    one, some = (instructions(_command(candidate, call, times, url), environment) for times in (1, 21))
                    row |= {"cold_instructions": one - bare, "warm_instructions": (some - one) / 20}
                rows.append(row)
                print(json.dumps(row), file=sys.stderr, flush=True)
    if tls and "PutItem" in calls:
        with authority() as (certificate, all_of_them, amazon), stub(certificate) as url:
            for candidate in candidates:
                trusted = amazon if candidate == "fanout.aws_calls" else all_of_them
                first, more = cpu(candidate, "PutItem", url, times=300, rounds=rounds, authorities=trusted)
                row = {"call": "PutItem over TLS", "candidate": candidate, "cold_cpu_ms": first, "warm_cpu_ms": more}
                if has_valgrind and candidate in {"boto3", CHOSEN}:
                    environment = _environment(url, trusted)
                    one, some = (instructions(_command(candidate, "PutItem", n, url), environment) for n in (1, 21))
                    row |= {"cold_instructions": one - bare, "warm_instructions": (some - one) / 20}
                rows.append(row)
                print(json.dumps(row), file=sys.stderr, flush=True)
    return rows


def megabytes(candidate: str) -> float:
    """Return what the layer ships for a candidate, in MB."""
    size = 0
    for name in SHIPPED.get(candidate, []):
        spec = find_spec(name)
        assert spec
        if spec.submodule_search_locations:
            size += sum(
                file.stat().st_size for file in Path(spec.submodule_search_locations[0]).rglob("*") if file.is_file()
            )
        else:
            size += Path(str(spec.origin)).stat().st_size
    return size / 1e6


def table(rows: list[dict[str, Any]], candidates: list[str]) -> str:
    """Return the rows as Markdown, each figure with its ratio to boto3's."""
    stock = {row["call"]: row for row in rows if row["candidate"] == candidates[0]}
    lines = [
        "| call | candidate | first call, M instructions | ms | one more, k instructions | ms | MB of layer |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]

    def cell(row: dict[str, Any], name: str, unit: float) -> str:
        if name not in row:
            return "-"
        return f"{row[name] / unit:,.{0 if unit > 1 else 2}f} ({row[name] / stock[row['call']][name]:.2f})"

    for row in rows:
        cells = (
            cell(row, "cold_instructions", 1e6),
            cell(row, "cold_cpu_ms", 1),
            cell(row, "warm_instructions", 1e3),
            cell(row, "warm_cpu_ms", 1),
            f"{megabytes(row['candidate']):.2f}",
        )
        lines.append(f"| {row['call']} | {row['candidate']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", nargs="?", const="", help=argparse.SUPPRESS)
    parser.add_argument("--call", action="append", choices=CALLS, help="only this call; more than once for several")
    parser.add_argument("--candidate", action="append", choices=CANDIDATES, help="only this one beside boto3")
    parser.add_argument("--rounds", type=int, default=3, help="processes per CPU figure, of which the least counts")
    parser.add_argument("--no-tls", action="store_true")
    parser.add_argument("--json", type=Path, default=ROOT / ".fanout" / "bench-aws-calls.json")
    given = parser.parse_args()
    if given.serve is not None:
        serve(given.serve)
        return
    wanted = ["boto3", *[name for name in given.candidate or CANDIDATES if name != "boto3"]]
    candidates = [name for name in wanted if name != "awscrt" or find_spec("awscrt")]
    rows = measure(candidates, given.call or list(CALLS), rounds=given.rounds, tls=not given.no_tls)
    given.json.parent.mkdir(exist_ok=True)
    given.json.write_text(json.dumps(rows, indent=1))
    print(table(rows, candidates))


if __name__ == "__main__":
    main()
