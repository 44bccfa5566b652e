"""An S3 store (moto) on loopback that holds a folder, and whose requests fail as the first word of a file says.

`store.py FOLDER WORDS` puts FOLDER into the bucket `captions`, prints the port and serves until it is killed. Words: `sound`; `flaky`,
every third request fails in one of three ways; `denied`, all do.
"""

import itertools
import os
import pathlib
import socket
import sys
import threading

os.environ.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_DEFAULT_REGION="us-east-1")

import boto3
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

folder, words = map(pathlib.Path, sys.argv[1:])
sound = DomainDispatcherApplication(create_backend_app)
count = itertools.count()
lock = threading.Lock()


def error(start, status, code):
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>as asked</Message></Error>".encode()
    start(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
    return [body]


def cut(environ, start):
    """Half an answer, and then nothing."""
    environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    return []


def store(environ, start):
    word = words.read_text().split()[0]
    if word == "denied":
        return error(start, "403 Forbidden", "AccessDenied")
    with lock:
        at = next(count)
    if word == "flaky" and at % 3 == 0:
        faults = [
            lambda: error(start, "503 Slow Down", "SlowDown"),
            lambda: error(start, "500 Internal Server Error", "InternalError"),
            lambda: cut(environ, start),
        ]
        return faults[at // 3 % len(faults)]()
    return sound(environ, start)


server = make_server("127.0.0.1", 0, store, threaded=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{server.port}")
client.create_bucket(Bucket="captions")
for path in sorted(folder.rglob("*")):
    if path.is_file():
        client.upload_file(str(path), "captions", f"{folder.name}/{path.relative_to(folder)}")
print(server.port, flush=True)
sys.stdin.read()
