"""Log lines as CloudWatch Logs delivers them, in the forms of common loggers: level, message, service and trace."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from application_logs import cloudwatch_logs
from fanout.contracts.application_logs import LogEntry

REQUEST = "4e0a1f3c-4c1d-4a5e-9d0b-3a4f5b6c7d8e"
AT = "2026-11-22T12:00:00.123Z"
ARGUMENT = '{"level":"ERROR","message":"x","service":"other"}'

Read = Callable[[str], LogEntry]


@pytest.fixture
def read() -> Read:
    """Return the entry that a line of the function `checkout` becomes."""
    batch = cloudwatch_logs.Batch("DATA_MESSAGE", "123456789012", "/aws/lambda/checkout", "stream", [])
    return lambda line: cloudwatch_logs.entry(line, batch)


@pytest.mark.parametrize(
    ("line", "level", "message"),
    [
        # Lambda, plain text
        (f"[ERROR]\t{AT}\t{REQUEST}\tpayment failed\n", "ERROR", "payment failed"),
        (f"[WARNING]\t{AT}\t{REQUEST}\tslow", "WARNING", "slow"),
        (f"{AT}\t{REQUEST}\tWARN\tretrying\n", "WARNING", "retrying"),
        (f"{AT}\t{REQUEST}\tINFO\tno ERROR here", "INFO", "no ERROR here"),
        ("[ERROR] KeyError: 'id'\nTraceback (most recent call last):", "ERROR", None),
        (f"{AT} {REQUEST} Task timed out after 3.00 seconds\n", "ERROR", None),
        (f"RequestId: {REQUEST} Error: Runtime exited with error: signal: killed", "ERROR", None),
        (f"START RequestId: {REQUEST} Version: 7", "INFO", None),
        (f"REPORT RequestId: {REQUEST}\tDuration: 3.10 ms", "INFO", None),
        # plain text
        ("2026-11-22 12:00:00,123 ERROR shop.cart - empty", "ERROR", None),
        ("2026-11-22 12:00:00 [FATAL] out of memory", "CRITICAL", None),
        ("WARN: disk is nearly full", "WARNING", None),
        ('time=2026 level=warn msg="late"', "WARNING", None),
        ("nothing that names a level, not even an error", "INFO", None),
        ("", "INFO", None),
        ("{broken json", "INFO", None),
        ("[1, 2]", "INFO", None),
        # JSON
        ('{"level": "error", "msg": "pg down"}', "ERROR", "pg down"),
        ('{"level": 40, "msg": "pino"}', "WARNING", "pino"),
        ('{"severity": "NOTICE", "message": "gcp"}', "INFO", "gcp"),
        ('{"level": "ERROR", "message": {"a": 1}}', "ERROR", '{"a":1}'),
        ('{"level": ["odd"], "message": null}', "INFO", '{"level": ["odd"], "message": null}'),
        ('{"time":"t","type":"platform.report","record":{"status":"timeout"}}', "ERROR", "platform.report"),
        ('{"time":"t","type":"platform.report","record":{"status":"success"}}', "INFO", "platform.report"),
        ('{"time":"t","type":"platform.start","record":{"requestId":"1"}}', "INFO", "platform.start"),
    ],
)
def test_level_and_message_are_read_from_every_known_line_format(
    line: str, level: str, message: str | None, read: Read
) -> None:
    entry = read(line)
    assert entry.level == level
    assert entry.message == (line.rstrip("\n") if message is None else message)


# Each as its logger writes it by default: Python, celery, gunicorn, Java, nginx, Apache, PHP, databases, Go, Rust,
# .NET, glog, Ruby, syslog, containers, Node.js, Lambda, JSON of every kind, JSON that is broken, logfmt.
ERRORS = [
    "ERROR:root:boom",
    "12:00:00,123 |-ERROR in ch.qos.logback.core.joran - x",
    '/app/index.js:3\n  throw new Error("x");\n  ^\n\nError: x\n    at Object.<anonymous> (/app/index.js:3:9)',
    "Fatal Python error: Segmentation fault",
    "2026-11-22T12:00:00Z\tundefined\tERROR\tboom",
    "2026-11-22 12:00:00 +0000 [error]: #0 fluentd failed",
    '{"facility":"daemon","severity":3,"message":"x"}',
    "2026-01-01 10:00:00,000 - name - ERROR - msg",
    "2026-01-01 10:00:00,000 - my.name - ERROR - msg",
    "2026-01-01 10:00:00,000 ERROR msg",
    "2026-01-01 10:00:00,000 root ERROR msg",
    "2026-01-01 10:00:00,000 my.app ERROR msg",
    "2026-01-01 10:00:00,000 7 ERROR nova.api [-] x",
    "root ERROR: msg",
    "root - ERROR - msg",
    "my.app ERROR msg",
    "[2026-01-01 10:00:00,000: ERROR/MainProcess] Task t[1] raised unexpected",
    "[2026-01-01 10:00:00,000: ERROR/ForkPoolWorker-1] x",
    "[ERROR/MainProcess] x",
    "[2026-01-01 10:00:00 +0000] [7] [ERROR] Exception in worker",
    "ERROR:    Exception in ASGI application",
    "10:00:00.000 [main] ERROR c.example.App - msg",
    "2026-01-01 10:00:00,000 ERROR [main] c.e (F.java:1) - msg",
    "2026-01-01T10:00:00.000Z ERROR 1 --- [main] c.e.App : msg",
    "2026-01-01T10:00:00.000Z  ERROR 1 --- [http-nio exec 1] c.e.App : msg",
    "Jan 01, 2026 10:00:00 AM com.example.App main\nSEVERE: msg",
    "2026/01/01 10:00:00 [error] 7#7: *1 open() failed",
    "[Thu Jan 01 10:00:00.000000 2026] [core:error] [pid 7] x",
    "[01-Jan-2026 10:00:00 UTC] PHP Fatal error:  Uncaught Error: x",
    "PHP Parse error:  syntax",
    "2026-01-01T10:00:00.000000Z 0 [ERROR] [MY-010119] [Server] Aborting",
    "2026-01-01 10:00:00.000 UTC [7] ERROR:  relation does not exist",
    "2026-01-01 10:00:00 UTC:10.0.0.1(5):u@db:[7]:ERROR:  relation",
    "10:00:00.000 [error] msg",
    "[2026-01-01T00:00:00Z ERROR crate::x] msg",
    "2026-01-01T00:00:00.000000Z ERROR crate: msg",
    "\x1b[2m2026-01-01T00:00:00.000000Z\x1b[0m \x1b[31mERROR\x1b[0m \x1b[2mcrate\x1b[0m: msg",
    "2026/01/01 10:00:00 ERROR msg key=val",
    'time=2026-01-01T10:00:00.000Z level=ERROR msg="x"',
    "time=2026 level=ERROR+2 msg=x",
    "2026-01-01T10:00:00.000Z\tERROR\tcaller/x.go:1\tmsg",
    "1.7e9\terror\tpkg/file.go:12\tmsg",
    '2026-01-01T10:00:00.000Z\terror\tx.go:1\tmsg\t{"level": "info"}',
    "ERRO[0000] msg",
    'time="2026-01-01T10:00:00Z" level=error msg="failed"',
    "10:00AM ERR msg",
    "[10:00:00 ERR] msg",
    "2026-01-01 10:00:00.000 +00:00 [ERR] msg",
    "fail: Shop.Cart[0]\n      msg",
    "2026-01-01 10:00:00.000 | ERROR    | mod:func:1 - msg",
    "E0102 15:04:05.000000       1 file.go:12] msg",
    "E20260102 15:04:05.000000 1 f.cc:1] msg",
    "E, [2026-01-01T00:00:00.000000 #1] ERROR -- : msg",
    "[E 260101 10:00:00 web:1] msg",
    "<11>1 2026-01-01T00:00:00Z host app 123 ID47 - msg",
    "<11>Jan  1 10:00:00 host app[1]: msg",
    "<30>Jan  1 10:00:00 host app[1]: ERROR msg",
    "<3>msg",
    "Jan  1 10:00:00 host app[123]: ERROR msg",
    "2026-01-01T10:00:00Z stderr F ERROR msg",
    '2026-01-01T10:00:00Z stdout F {"level":"error","msg":"x"}',
    "Error: boom\n    at f (x.js:1:2)",
    "TypeError: x is not a function\n    at y",
    "KeyError: 'id'",
    "java.lang.NullPointerException: x\n\tat a.B.c(B.java:1)",
    "java.lang.NullPointerException\n\tat a.B.c(B.java:1)",
    'Exception in thread "main" java.lang.RuntimeException: x\n\tat a',
    "Caused by: java.sql.SQLException: x",
    "Request failed\njava.lang.IllegalStateException: x\n\tat a.b.C(D.java:1)",
    'Traceback (most recent call last):\n  File "x"\nValueError: y',
    "Something bad\nTraceback (most recent call last):\n  File",
    "2026-01-01 10:00:00 java.lang.RuntimeException: x",
    "Unhandled exception. System.InvalidOperationException: x",
    "Uncaught TypeError: x",
    "(node:7) UnhandledPromiseRejectionWarning: Error: x",
    "fatal error: all goroutines are asleep",
    "thread 'main' panicked at 'x', src/main.rs:1:1",
    "thread 'main' panicked at src/main.rs:1:1:\nx",
    f"{AT} {REQUEST} Task timed out after 3.00 seconds",
    "Task timed out after 3.00 seconds",
    f"RequestId: {REQUEST} Error: Runtime exited with error: signal: killed",
    f"RequestId: {REQUEST} Process exited before completing request",
    f'{AT}\t{REQUEST}\tERROR\tInvoke Error \t{{"errorType":"Error","errorMessage":"x","stack":["Error: x"]}}',
    f'[ERROR]\t{AT}\t{REQUEST}\t{{"a": 1}}',
    f'{AT}\tundefined\tERROR\tUncaught Exception \t{{"errorType":"Error","errorMessage":"x"}}',
    "[ERROR] KeyError: 'id'",
    "[ERROR] Runtime.ImportModuleError: Unable to import",
    "error: failed to connect",
    "Error: x",
    "ERROR",
    "[error] x",
    "| ERROR | x",
    "2026-01-01 10:00:00 error: x",
    "ERROR StatusLogger x",
    "\ufeffERROR: x",
    "   ERROR x",
    "\x00ERROR x",
    '{"level":"ERROR","value":NaN,"service":"pay","message":"x"}',
    '{"level":"ERROR","message":"\\ud800","service":"pay"}',
    '\ufeff{"level":"error","message":"x","service":"pay"}',
    '{"level":"error","v":Infinity,"w":-Infinity,"msg":"x"}',
    '  {"level":"error","msg":"x"}',
    '{"level":"error","msg":"x"}\x00',
    '{"level":"error","msg":"tab\there"}',
    '2026-01-01T10:00:00Z {"level":"error","msg":"x","service":"pay"}',
    f'{AT}\t{REQUEST}\tERROR\t{{"message":"x","service":"pay"}}',
    '<14>1 2026-01-01T00:00:00Z host app 1 - - {"level":"error","message":"x"}',
    '[2026-01-01 10:00:00] prod.ERROR: boom {"a":1} []',
    'INFO {"level":"error","msg":"x"}',
    'web_1  | {"level":"error","msg":"x"}',
    'app[1]: {"level":"error","msg":"x"}',
    '{"@t":"2026","@mt":"x {a}","@l":"Error","a":1}',
    '{"Timestamp":"2026","Level":"Error","MessageTemplate":"x","Properties":{}}',
    '{"log.level":"error","message":"x","service.name":"pay","ecs.version":"1"}',
    '{"log":{"level":"error","logger":"a"},"message":"x","service":{"name":"pay"}}',
    '{"severityText":"ERROR","body":"x"}',
    '{"severityNumber":17,"body":"x"}',
    '{"severity_number":17,"severity_text":null,"body":"x"}',
    '{"SeverityText":"Error","Body":"x"}',
    '{"severity_text":"ERROR2","body":{"stringValue":"x"}}',
    '{"level":50,"msg":"x","v":1}',
    '{"level":"50","msg":"x"}',
    '{"level":50.0,"msg":"x"}',
    '{"level":400,"level_name":"ERROR","message":"x"}',
    '{"level":400,"message":"x"}',
    '{"version":"1.1","host":"h","short_message":"x","level":3}',
    '{"level_value":40000,"message":"x"}',
    '{"levelno":40,"message":"x"}',
    '{"levelname":"ERROR","message":"x","name":"a"}',
    '{"LogLevel":"Error","Message":"x","Category":"a"}',
    '{"event":"x","level":"error","timestamp":"t"}',
    '{"text":"x","record":{"level":{"icon":"x","name":"ERROR","no":40},"message":"x","name":"m"}}',
    '{"timestamp":"t","level":"ERROR","fields":{"message":"x"},"target":"a"}',
    '{"@level":"error","@message":"x","@module":"m"}',
    '{"time":"t","level":"ERROR+2","msg":"x"}',
    '{"level":"\\u001b[31merror\\u001b[39m","message":"x"}',
    '{"level":{"name":"ERROR"},"message":"x"}',
    '{"level":{"level":40000,"levelStr":"ERROR"},"data":["x"]}',
    '{"level":"E","msg":"x"}',
    '{"level":"SEVERE","message":"x"}',
    '{"severity":"ERROR","textPayload":"x"}',
    '{"level":"err","msg":"x"}',
    '{"LEVEL":"ERROR","msg":"x"}',
    '{"lvl":"eror","msg":"x"}',
    '{"log":"ERROR something\\n","stream":"stderr","time":"t"}',
    '{"log":"{\\"level\\":\\"error\\",\\"msg\\":\\"x\\"}\\n","stream":"stdout"}',
    '{"message":"ERROR: failed"}',
    '{"errorType":"Runtime.X","errorMessage":"x","stackTrace":[]}',
    '{"message":"Traceback (most recent call last):\\n  x"}',
    '{"message":"2026-01-01 10:00:00,000 - n - ERROR - x","stream":"stderr"}',
    '{"level":"error","service":"pay","msg":"cut off',
    '{"level":"error","service":"pay",}',
    "{'level': 'ERROR', 'message': 'x', 'service': 'pay'}",
    '{"service":"pay","level":50,"msg":"cut',
    '{"a":{"b":1},"level":"ERROR","service":"pay","value":undefined}',
    '2026-01-01T10:00:00Z {"level":"error","service":"pay","msg":"cut',
    '{"severityNumber":17,"service.name":"pay","body":"cut',
    '{"severityText": "ERROR", "x": 1e400,}',
    'level=error service=pay msg="x"',
    'ts=2026 caller=x level=error err="y"',
    "2026/01/01 10:00:00 level=error msg=x",
    'at=error code=H12 desc="Request timeout" level=error',
    '<log4j:event logger="a" timestamp="1" level="ERROR" thread="main">',
    "[2026-01-01 10:00:00,000] ERROR in app: Exception on / [GET]",
    "[2026-01-01 10:00:00,000] {file.py:1} ERROR - msg",
    "[2026-01-01 10:00:00.000][7][error][main] [source/x.cc:1] msg",
    "[2026-01-01T10:00:00,000][ERROR][o.e.b.E] [node] msg",
    "2026-01-01 10:00:00,000 [myid:1] - ERROR [main:X@1] - msg",
    "Error - x",
    "22-Nov-2026 12:00:00.123 SEVERE [main] org.a msg",
    "    2026/01/01 10:00:00 [ERR] agent: x",
    "Runtime.UnhandledPromiseRejection: Error: x",
    "ERROR 1045 (28000): Access denied",
    "ERROR | 2026",
    "(ERROR) x",
    "<error> x",
    '{"level":"error","message":"","a":1}',
    '{"Level":"Error","RenderedMessage":"x"}',
    '{"log.level":"ERROR","log.logger":"a","service":{"name":"pay"},"message":"x"}',
    "2026-01-01 10:00:00 [error    ] charge failed            order=7",
    "error  - Failed to compile",
    "2026-01-01T10:00:00Z E! [outputs.influxdb] x",
    "2026-01-01 10:00:00;ERROR;shop;x",
    "1767261600123\tERROR\tx",
    "2026/01/01 10:00:00 http: panic serving 10.0.0.1:5: runtime error: index out of range",
    "NoMethodError (undefined method `x' for nil:NilClass):",
    "2026-01-01 10:00:00 ActionController::RoutingError (No route matches):",
    "NOTICE: PHP message: PHP Fatal error:  Uncaught TypeError: x",
    "2026-01-01 10:00:00 fail: Shop.Cart[0]\n      msg",
    "fail: Shop.Repository`1[0]\n      msg",
    '{"t":{"$date":"2026"},"s":"E","c":"NETWORK","id":1,"ctx":"conn1","msg":"x"}',
    '{"level":40,"levelname":"ERROR","message":"x"}',
    '{"level":40,"levelno":40,"message":"x"}',
    "2026-01-01 10:00:00 ERROR: 0",
    'Error: {"message":"x"}',
    'INFO:root:{"level":"error","message":"x"}',
    'Jan  1 10:00:00 host app: {"level":"error","message":"x"}',
]

CRITICAL = [
    "CRITICAL:root:x",
    "crit: Shop.Cart[12]",
    "F0102 15:04:05.000000       1 file.go:12] msg",
    "panic: runtime error: index out of range",
    "fatal: not a git repository",
    "FATAL ERROR: CALL_AND_RETRY_LAST Allocation failed",
    '{"@t":"2026","@m":"x","@l":"Fatal"}',
    '{"body":"x","severity_number":21}',
    '{"level":60,"name":"a","msg":"x","v":0}',
    "lvl=crit msg=x",
]

WARNINGS = [
    "WARNING:shop.cart:x",
    "[01-Jan-2026 10:00:00 UTC] PHP Warning:  x",
    "W0102 15:04:05.000000       1 file.go:12] msg",
    '{"severity_number": 13,"body":"x"}',
]

# Lines that mention an error, or hold a number, without being one.
NEITHER = [
    "npm ERR! code ELIFECYCLE",
    '{level: "error"}',
    "no errors found",
    "GET /?level=error HTTP/1.1",
    "If an ERROR occurs, restart",
    "The last ERROR was yesterday",
    "Summary: no ERROR lines",
    "Retry on error: enabled",
    "WARNING_AS_ERROR disabled",
    "[INFO] ERROR codes reloaded",
    '{"severityNumber":9,"body":"ERROR: x"}',
    "error_count=0",
    "no ERROR here",
    "0 ERRORS",
    "0 ERROR found",
    "Found 0 ERROR lines",
    "ERROR_COUNT=0",
    "ERROR=0",
    "nothing that names a level, not even an error",
    "2026-01-01 10:00:00 INFO no ERROR here",
    "2026-01-01 10:00:00 no ERROR here",
    "2026-01-01 10:00:00 Job finished with ERROR",
    "INFO:root:level=error was set",
    "errors: 0",
    "Errors: none",
    "error rate is 0",
    "an error occurred",
    "the fatal flaw",
    '{"message":"no errors found"}',
    '{"message":"error_count=0","errors":0}',
    '{"message":"player","level":3}',
    '{"message":"player","level":55}',
    '{"message":"x","error":null}',
    '{"level":"info","message":"ERROR in the text"}',
    'INFO - {"message":"ERROR"}',
    "INFO handler ERROR registered",
    f"{AT}\t{REQUEST}\tINFO\tERROR x",
    'user sent {"level": "error"}',
    "Processing ERROR_LOG.txt",
    "GET /error HTTP/1.1",
    "GET /ERROR/ 200",
    "ErrorCount: 0",
    "ErrorHandler: registered",
    "error-free build",
    "ERROR-free build",
    "terror: x",
    "see http://x/error: y",
    'level=info msg="level=error"',
    'time=t level=info msg="ERROR x"',
    "set log level=error",
    'Result: {"status":"error"}',
    "START RequestId: x Version: 7",
    f"REPORT RequestId: {REQUEST}\tDuration: 3.10 ms",
    '{"severity":"high","message":"x"}',
    '{"@t":"t","@mt":"x"}',
    "",
    "{",
    "{}",
    '{"level":null,"message":"x"}',
    '{"level":true,"message":"x"}',
    "[1, 2]",
    '127.0.0.1 - - [01/Jan/2026:10:00:00 +0000] "GET /x HTTP/1.1" 500 12',
    "No error: all good",
    "<14>1 2026-01-01T00:00:00Z h a 1 - - no errors",
    "<6>fine",
    "Retrying after errors",
    "found [ERROR] in page",
    "grep for [error] lines",
    "10 errors, 2 warnings",
    "ERRORS=3",
    "Completed with no warnings or errors",
    "error",
    "My ERROR count",
    "2026-01-01 10:00:00 INFO  [main] a.B - ERROR count 0",
    "LOG_LEVEL=ERROR",
    "setting LOG_LEVEL=ERROR now",
    "export LEVEL=error",
    '{"config":{"level":"error"},"message":"x"}',
    '{"message":"x","labels":{"severity":"error"}}',
    f"[INFO]\t{AT}\t{REQUEST}\tReceived event: {ARGUMENT}",
    f"{AT}\t{REQUEST}\tINFO\tshop: {ARGUMENT}",
    f"2026-01-01 10:00:00,123 - shop - INFO - Received event: {ARGUMENT}",
    f"2026-01-01T10:00:00.123Z  INFO 1 --- [main] c.e.App : Request body: {ARGUMENT}",
    f"2026-01-01 10:00:00 Received event: {ARGUMENT}",
    f"2026-01-01 10:00:00 INFO shop: Received event: {ARGUMENT}".replace('"', "'"),
    f"INFO:root:event: {ARGUMENT}",
    f"event={ARGUMENT}",
    f"2026-01-01 10:00:00 INFO c.e.App - order => {ARGUMENT}",
    f"Message: {ARGUMENT}",
    "error: 0",
    "Error: null",
    "err: <nil>",
    "Critical: 0, High: 2",
    '{"message":"ERROR: none"}',
    '{"errorType":"","message":"x"}',
    "user=bob level=50 action=levelup",
]


@pytest.mark.parametrize(
    ("line", "level"),
    [*((line, "ERROR") for line in ERRORS), *((line, "CRITICAL") for line in CRITICAL)]
    + [(line, "WARNING") for line in WARNINGS],
)
def test_a_line_has_the_level_that_it_names(line: str, level: str, read: Read) -> None:
    assert read(line).level == level


@pytest.mark.parametrize("line", NEITHER)
def test_a_line_that_merely_mentions_an_error_is_not_one(line: str, read: Read) -> None:
    assert read(line).level in {"INFO", "DEBUG"}


@pytest.mark.parametrize("line", [line for line in ERRORS if "pay" in line])
def test_a_service_is_found_in_json_of_any_dialect_and_in_similar_text(line: str, read: Read) -> None:
    assert read(line).service == "pay"


def test_a_line_without_a_service_belongs_to_its_log_group(read: Read) -> None:
    for line in ("ERROR x", '{"level":"error","service":7}', '{"service":" "}', "service=other", "service=a level=x"):
        assert read(line).service == "checkout"


def test_a_header_before_json_is_kept(read: Read) -> None:
    entry = read('2026-11-22T12:00:00Z stderr F {"msg":"declined","level":"error","order":7}')
    assert entry.message == "declined"
    assert entry.context["prefix"] == "2026-11-22T12:00:00Z stderr F"
    assert entry.context["order"] == 7


def test_json_in_a_sentence_is_part_of_the_message(read: Read) -> None:
    for line in (f"user sent {ARGUMENT}", f"Received event: {ARGUMENT}"):
        entry = read(line)
        assert (entry.level, entry.message, entry.service) == ("INFO", line, "checkout")


def test_values_that_json_does_not_have_become_text(read: Read) -> None:
    entry = read('{"level":"error","msg":"\\ud83d","nan":NaN,"all":[-Infinity,{"half":"\\udc80"}],"big":1e999}')
    assert entry.message == "\\ud83d"
    assert entry.context["nan"] == "nan"
    assert entry.context["all"] == ["-inf", {"half": "\\udc80"}]


def test_a_message_object_with_a_lone_surrogate_becomes_text(read: Read) -> None:
    assert read('{"message":{"a":"\\ud83d","n":NaN}}').message == r'{"a":"\\ud83d","n":"nan"}'


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"log": {"logger": "shop", "level": "info"}, "trace": {"id": "t-1"}}, ("shop", "t-1")),
        ({"loggerName": "shop", "TraceId": "t-1"}, ("shop", "t-1")),
        ({"SourceContext": "shop", "trace_id": "t-1"}, ("shop", "t-1")),
        ({"@module": "shop", "traceId": 7}, ("shop", "7")),
        ({"logger": "", "trace_id": ""}, ("", None)),
    ],
)
def test_logger_and_trace_are_read_from_the_fields_of_common_loggers(
    fields: dict[str, Any], expected: tuple[str, str | None], read: Read
) -> None:
    entry = read(json.dumps({"message": "x", **fields}))
    assert (entry.logger, entry.trace_id) == expected
