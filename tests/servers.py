"""Real servers on this machine: the web, an S3 bucket, and a line to them that can be cut."""

import contextlib
import hashlib
import http.server
import socket
import threading

import pytest

BUCKET = "recordings"
CREDENTIALS = {"aws_access_key_id": "me", "aws_secret_access_key": "mine"}


def sha256_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class WebServer(http.server.ThreadingHTTPServer):
    """Serves `files` by path. It may not know ranges or lengths, and may first be too busy.

    `redirects` says of a path where to go instead.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.redirects: dict[str, str] = {}
        self.knows_ranges = self.knows_lengths = True
        self.busy = 0

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: WebServer

    def do_GET(self):
        if self.server.busy:
            self.server.busy -= 1
            return self.send_error(503)
        if self.path in self.server.redirects:
            self.send_response(302)
            self.send_header("Location", self.server.redirects[self.path])
            self.send_header("Content-Length", "0")
            return self.end_headers()
        if self.path not in self.server.files:
            return self.send_error(404)
        data = self.server.files[self.path]
        tag = f'"{sha256_of(data)}"'
        first, asked = 0, self.headers.get("Range")
        same = self.headers.get("If-Range", tag) == tag
        if asked and same and self.server.knows_ranges:
            first = int(asked.removeprefix("bytes=").removesuffix("-"))
        self.send_response(206 if first else 200)
        self.send_header("ETag", tag)
        if self.server.knows_lengths:
            self.send_header("Content-Length", str(len(data) - first))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(data[first:])

    def log_message(self, *_):
        pass


class Line:
    """Passes connections on to a port; the n-th breaks off after `cuts[n]` bytes to the client.

    `requests` holds what clients sent, one text a connection.
    """

    def __init__(self, port: int):
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.cuts: list[int | None] = []
        self.requests: list[str] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self._listener.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                number = len(self.requests)
                self.requests.append("")
                cut = self.cuts[number] if number < len(self.cuts) else None
                arguments = (client, number, cut)
                threading.Thread(target=self._serve, args=arguments, daemon=True).start()

    def _serve(self, client, number, cut):
        with client, socket.create_connection(("127.0.0.1", self._to)) as server:
            threading.Thread(target=self._ask, args=(client, server, number), daemon=True).start()
            left = float("inf") if cut is None else cut
            with contextlib.suppress(OSError):
                while left > 0 and (data := server.recv(min(65536, int(min(left, 65536))))):
                    client.sendall(data)
                    left -= len(data)
                client.shutdown(socket.SHUT_RDWR)

    def _ask(self, client, server, number):
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                self.requests[number] += data.decode("latin1")
                server.sendall(data)

    def ranges(self) -> list[int]:
        """The first byte that each request for part of a file asked for."""
        lines = "\n".join(self.requests).splitlines()
        asked = [line.lower() for line in lines if line.lower().startswith("range:")]
        return [int(line.split("bytes=")[1].rstrip("-\r")) for line in asked]


@pytest.fixture
def web():
    with WebServer() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def line():
    """Make a line to a port."""
    lines = []

    def to(port, cuts=()):
        lines.append(Line(port))
        lines[-1].cuts = list(cuts)
        return lines[-1]

    yield to
    for one in lines:
        one.close()


@pytest.fixture(scope="session")
def s3_port():
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield server.get_host_and_port()[1]
    server.stop()


@pytest.fixture
def bucket(s3_port):
    """An empty bucket, whose objects are open to all if not put otherwise."""
    import boto3

    endpoint = f"http://127.0.0.1:{s3_port}"
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **CREDENTIALS)
    client.create_bucket(Bucket=BUCKET)
    yield Bucket(client, endpoint)
    for found in client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        client.delete_object(Bucket=BUCKET, Key=found["Key"])
    client.delete_bucket(Bucket=BUCKET)


class Bucket:
    """An S3 bucket that tests put objects into."""

    def __init__(self, client, endpoint: str):
        self._client = client
        self.endpoint = endpoint

    def put(self, key: str, data: bytes, access: str = "public-read") -> None:
        self._client.put_object(Bucket=BUCKET, Key=key, Body=data, ACL=access)
