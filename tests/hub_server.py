"""A hub on this machine: what the client of Hugging Face asks of one, over its real protocol.

Large files are kept in a storage, another server, to which uploads and downloads are sent on.
"""

import base64
import hashlib
import http.server
import json
import re
import threading
from urllib.parse import unquote, urlsplit

import pytest
from huggingface_hub import constants

from servers import sha256_of

OWNER, TOKEN = "lab", "hf_of-the-lab-and-of-nobody-else"
_LARGE = 2000


class Repository:
    """Commits, each with all of its files, the newest of which is the branch; and tags."""

    def __init__(self, private=False):
        self.private, self.gated = private, False
        self.commits: dict[str, dict[str, bytes]] = {}
        self.tags: dict[str, str] = {}
        self.messages: list[str] = []
        self.commit({}, "Begin")

    def commit(self, files, message):
        every = {**self.files(), **files} if self.commits else files
        name = hashlib.sha1(f"{len(self.commits)} {sorted(every)}".encode()).hexdigest()
        self.commits[name] = every
        self.messages.append(message)
        return name

    @property
    def head(self):
        return list(self.commits)[-1]

    def files(self, revision="main"):
        """The files at a branch, tag or commit, None where there is no such."""
        name = self.head if revision == "main" else self.tags.get(revision, revision)
        return self.commits.get(name)

    def commit_of(self, revision):
        return self.head if revision == "main" else self.tags.get(revision, revision)


class Server(http.server.ThreadingHTTPServer):
    """Runs in threads of this process while its context lasts; notes `requests` and `tokens`."""

    daemon_threads = True

    def __init__(self, handler):
        super().__init__(("127.0.0.1", 0), handler)
        self.requests: list[str] = []
        self.tokens: set[str] = set()
        self.url = f"http://127.0.0.1:{self.server_port}"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class Storage(Server):
    """Large files by their hash."""

    def __init__(self):
        super().__init__(_StorageHandler)
        self.stored: dict[str, bytes] = {}


class HubServer(Server):
    """Serves `repositories`, and lets whoever has the token write."""

    def __init__(self, storage):
        super().__init__(_HubHandler)
        self.storage = storage
        self.repositories: dict[str, Repository] = {}


class RefusalError(Exception):
    """An answer that says no, with the code that the client reads."""

    def __init__(self, status, code="", message=""):
        self.status, self.headers = status, {"X-Error-Code": code, "X-Error-Message": message}


class _Handler(http.server.BaseHTTPRequestHandler):
    """Finds the method for a request in `ROUTES`: method, pattern, name."""

    server: Server
    ROUTES: tuple[tuple[str, str, str], ...] = ()

    def answer(self):
        path = urlsplit(self.path).path
        self.server.requests.append(f"{self.command} {path}")
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        if scheme == "Bearer":
            self.server.tokens.add(token)
        self.may_write = token == TOKEN
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Transfer-Encoding") == "chunked":
            self.body = self.read_chunks()
        try:
            method = "GET" if self.command == "HEAD" else self.command
            for asked, pattern, name in self.ROUTES:
                found = re.fullmatch(pattern, path)
                if asked == method and found:
                    return getattr(self, name)(*map(unquote, found.groups()))
            raise RefusalError(404)
        except RefusalError as refusal:
            return self.say({"error": refusal.headers["X-Error-Message"]}, refusal.status, refusal)

    do_GET = do_HEAD = do_POST = do_PUT = answer  # noqa: N815

    def read_chunks(self):
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def say(self, content, status=200, refusal=None):
        data = json.dumps(content).encode()
        self.send(data, status, refusal.headers if refusal else {})

    def send(self, data, status=200, headers=()):
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *_):
        pass


class _StorageHandler(_Handler):
    server: Storage
    ROUTES = (("PUT", "/([0-9a-f]{64})", "store"), ("GET", "/([0-9a-f]{64})", "read"))

    def store(self, oid):
        if sha256_of(self.body) != oid:
            raise RefusalError(400)
        self.server.stored[oid] = self.body
        self.say({})

    def read(self, oid):
        self.send(self.server.stored[oid], 200, {"ETag": f'"{oid}"'})


class _HubHandler(_Handler):
    server: HubServer
    ROUTES = (
        ("POST", "/api/validate-yaml", "validate"),
        ("POST", "/api/repos/create", "create"),
        ("GET", "/api/models/([^/]+/[^/]+)", "describe"),
        ("GET", "/api/models/([^/]+/[^/]+)/revision/([^/]+)", "describe"),
        ("GET", "/api/models/([^/]+/[^/]+)/refs", "list_refs"),
        ("POST", "/api/models/([^/]+/[^/]+)/preupload/([^/]+)", "choose_uploads"),
        ("POST", "/([^/]+/[^/]+)[.]git/info/lfs/objects/batch", "offer_storage"),
        ("POST", "/verify", "verify"),
        ("POST", "/api/models/([^/]+/[^/]+)/commit/([^/]+)", "commit"),
        ("POST", "/api/models/([^/]+/[^/]+)/tag/([^/]+)", "tag"),
        ("GET", "/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", "resolve"),
    )

    def repository(self, name, write=False):
        found = self.server.repositories.get(name)
        if found is None or (found.private and not self.may_write):
            raise RefusalError(
                404 if self.may_write else 401, "RepoNotFound", "Repository not found"
            )
        if write and not self.may_write:
            raise RefusalError(403, message="Forbidden")
        return found

    def files_at(self, name, revision):
        files = self.repository(name).files(revision)
        if files is None:
            raise RefusalError(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return files

    def validate(self):
        self.say({"errors": [], "warnings": []})

    def create(self):
        if not self.may_write:
            raise RefusalError(401, message="Invalid credentials in Authorization header")
        asked = json.loads(self.body)
        if asked["organization"] != OWNER:
            raise RefusalError(403, message="You don't have the rights to create a model there")
        name = f"{asked['organization']}/{asked['name']}"
        status = 409 if name in self.server.repositories else 200
        private = asked.get("visibility") == "private"
        self.server.repositories.setdefault(name, Repository(private))
        self.say({"url": f"{self.server.url}/{name}"}, status)

    def describe(self, name, revision="main"):
        files = self.files_at(name, revision)
        sha = self.repository(name).commit_of(revision)
        self.say({"id": name, "sha": sha, "siblings": [{"rfilename": path} for path in files]})

    def list_refs(self, name):
        repository = self.repository(name)
        branches = [{"name": "main", "ref": "refs/heads/main", "targetCommit": repository.head}]
        tags = [
            {"name": tag, "ref": f"refs/tags/{tag}", "targetCommit": commit}
            for tag, commit in repository.tags.items()
        ]
        self.say({"branches": branches, "converts": [], "tags": tags})

    def choose_uploads(self, name, revision):
        present = self.repository(name, write=True).files(revision)
        self.say(
            {
                "files": [
                    {
                        "path": file["path"],
                        "uploadMode": "lfs" if file["size"] > _LARGE else "regular",
                        "shouldIgnore": False,
                        "oid": oid_of(present[file["path"]]) if file["path"] in present else None,
                    }
                    for file in json.loads(self.body)["files"]
                ]
            }
        )

    def offer_storage(self, name):
        self.repository(name, write=True)
        objects = json.loads(self.body)["objects"]
        for each in objects:
            if each["oid"] not in self.server.storage.stored:
                each["actions"] = {
                    "upload": {"href": f"{self.server.storage.url}/{each['oid']}"},
                    "verify": {"href": f"{self.server.url}/verify"},
                }
        self.say({"transfer": "basic", "objects": objects})

    def verify(self):
        asked = json.loads(self.body)
        if len(self.server.storage.stored.get(asked["oid"], b"")) != asked["size"]:
            raise RefusalError(404)
        self.say({})

    def commit(self, name, _):
        repository = self.repository(name, write=True)
        header, *operations = map(json.loads, self.body.splitlines())
        files = {}
        for operation in operations:
            value = operation["value"]
            if operation["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            else:
                assert operation["key"] == "lfsFile"
                files[value["path"]] = self.server.storage.stored[value["oid"]]
        commit = repository.commit(files, header["value"]["summary"])
        url = f"{self.server.url}/{name}/commit/{commit}"
        self.say({"commitOid": commit, "commitUrl": url, "success": True})

    def tag(self, name, revision):
        repository = self.repository(name, write=True)
        tag = json.loads(self.body)["tag"]
        if tag in repository.tags:
            raise RefusalError(409, message=f"Reference update failed: tag {tag} exists")
        repository.tags[tag] = repository.commit_of(revision)
        self.say({})

    def resolve(self, name, revision, path):
        repository, files = self.repository(name), self.files_at(name, revision)
        if repository.gated and not self.may_write:
            raise RefusalError(401, "GatedRepo", "Access to this model is restricted")
        headers = {"X-Repo-Commit": repository.commit_of(revision)}
        if path not in files:
            raise RefusalError(404, "EntryNotFound", "Entry not found")
        data = files[path]
        if len(data) <= _LARGE:
            return self.send(data, 200, headers | {"ETag": f'"{oid_of(data)}"'})
        oid = sha256_of(data)
        headers |= {"X-Linked-Etag": f'"{oid}"', "X-Linked-Size": str(len(data))}
        headers |= {"Location": f"{self.server.storage.url}/{oid}"}
        self.server.storage.stored.setdefault(oid, data)
        return self.send(b"", 302, headers)


def oid_of(data: bytes) -> str:
    """What git, or its storage of large files, calls a file."""
    if len(data) > _LARGE:
        return sha256_of(data)
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub that this process, and those it starts, take for theirs; with an empty cache."""
    settings = {
        "HF_HOME": tmp_path / "hub-home",
        "HF_HUB_CACHE": tmp_path / "hub-home/hub",
        "HF_TOKEN_PATH": tmp_path / "hub-home/token",
        "HF_HUB_DISABLE_XET": True,
    }
    with Storage() as storage, HubServer(storage) as server:
        settings["HF_ENDPOINT"] = server.url
        for name, value in settings.items():
            monkeypatch.setenv(name, "1" if value is True else str(value))
            # The client read its environment when it was imported.
            if hasattr(constants, name):
                monkeypatch.setattr(constants, name, value if value is True else str(value))
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        monkeypatch.setattr(
            constants,
            "HUGGINGFACE_CO_URL_TEMPLATE",
            server.url + "/{repo_id}/resolve/{revision}/{filename}",
        )
        for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE"):
            monkeypatch.delenv(name, raising=False)
        yield server
