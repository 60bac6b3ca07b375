"""Data from web servers and buckets: every byte as it is there, or nothing and one sentence."""

import datetime
import io
import ipaddress
import itertools
import os
import re
import shutil
import ssl
import subprocess
import sys
import tarfile
import threading
import traceback
import zipfile

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ephys_deepinterpolation.ground_truth import transfers
from ephys_deepinterpolation.ground_truth.sources import (
    SourceError,
    fetch_source,
    hash_of_files,
)
from servers import BUCKET, CREDENTIALS, WebServer, sha256_of

TRACES = np.random.default_rng(0).bytes(3_000_000)
ATTEMPTS = 1 + len(transfers._PAUSES_S)


@pytest.fixture(autouse=True)
def at_once(monkeypatch, tmp_path):
    """Try again without a pause, and know no credentials."""
    monkeypatch.setattr(transfers, "_PAUSES_S", [0.0] * len(transfers._PAUSES_S))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))


@pytest.fixture
def work(tmp_path):
    """Where the fetched folder is to appear, and nothing else."""
    folder = tmp_path / "sources"
    folder.mkdir()
    return folder


def contents(folder):
    """What each file below a folder holds, by its path from there."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def refusal(folder, *arguments, **options):
    """What is said when a source is not fetched; nothing must be left of it."""
    with pytest.raises(SourceError) as caught:
        fetch_source(folder / "source", *arguments, **options)
    assert list(folder.iterdir()) == []
    return str(caught.value)


def in_bucket(bucket, key, **options):
    return {"url": f"s3://{BUCKET}/{key}", "endpoint": bucket.endpoint} | options


# The web


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/a/traces.bin", "traces.bin"),
        ("/a/traces.bin?download=1", "traces.bin"),
        ("/a%20b.bin", "a b.bin"),
    ],
)
def test_a_file_of_the_web_arrives_under_its_name(web, work, path, name):
    web.files[path] = TRACES
    fetch_source(work / "source", sha256_of(TRACES), url=web.url(path))
    assert contents(work) == {f"source/{name}": TRACES}


@pytest.mark.parametrize(
    "path",
    ["/..%2Fevil.bin", "/a%5Cevil.bin", "/%00evil.bin", "/%1Bevil%07.bin", "/evil%0A.bin"],
)
def test_a_file_of_the_web_whose_name_leads_elsewhere_is_refused(web, work, path):
    web.files[path] = TRACES
    assert "nothing was fetched" in refusal(work, None, url=web.url(path))


def test_a_redirect_on_the_web_is_followed_under_the_name_asked_for(web, work):
    web.files["/elsewhere/other?signature=abc"] = TRACES
    web.redirects["/traces.bin"] = "/elsewhere/other?signature=abc"
    fetch_source(work / "source", sha256_of(TRACES), url=web.url("/traces.bin"))
    assert contents(work) == {"source/traces.bin": TRACES}


@pytest.mark.parametrize("to", ["file:///etc/hostname", "ftp://127.0.0.1/a", "/traces.bin", "//"])
def test_a_redirect_to_a_file_another_protocol_itself_or_nowhere_is_refused(web, work, to):
    web.redirects["/traces.bin"] = to
    assert "traces.bin" in refusal(work, None, url=web.url("/traces.bin"))


@pytest.fixture
def encrypted(tmp_path, monkeypatch):
    """A web server with a certificate that is trusted here."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    today = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    pem.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with WebServer() as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_a_redirect_that_gives_up_encryption_is_refused(web, encrypted, work):
    address = f"https://127.0.0.1:{encrypted.server_port}"
    encrypted.files["/good.bin"] = web.files["/evil.bin"] = TRACES
    fetch_source(work / "source", sha256_of(TRACES), url=f"{address}/good.bin")
    encrypted.redirects["/a.bin"] = web.url("/evil.bin")
    shutil.rmtree(work / "source")
    message = refusal(work, sha256_of(TRACES), url=f"{address}/a.bin")
    assert "leads to an address without encryption: nothing was fetched" in message


SECRET = "hunter2"


@pytest.mark.parametrize("path", ["/traces.bin", "/absent.bin", "/busy.bin"])
def test_no_secret_of_an_address_is_told(web, work, path, capsys, caplog):
    query = f"?token={SECRET}&X-Signature={SECRET}"
    web.files[f"/traces.bin{query}"] = TRACES
    url = web.url(path + query).replace("http://", f"http://me:{SECRET}@")
    if path == "/busy.bin":
        web.shutdown()
        web.server_close()
    if path == "/traces.bin":
        fetch_source(work / "source", None, url=url)
    else:
        message = refusal(work, None, url=url)
        assert f"127.0.0.1:{web.server_port}{path}" in message
    told = capsys.readouterr()
    assert SECRET not in told.out + told.err + caplog.text


def test_no_secret_stands_in_the_trace_that_a_log_shows(web, work):
    url = web.url(f"/absent.bin?token={SECRET}")
    web.shutdown()
    web.server_close()
    with pytest.raises(SourceError) as caught:
        fetch_source(work / "source", None, url=url)
    trace = "".join(traceback.format_exception(caught.value))
    assert "SourceError" in trace or "InterruptionError" in trace
    assert SECRET not in trace


def through(web, line, cuts=()):
    """The url of a file on a line that breaks off; its first connection only asks for the size."""
    web.files["/traces.bin"] = TRACES
    one = line(web.server_port, [None, *cuts])
    return one, f"http://127.0.0.1:{one.port}/traces.bin"


def test_a_transfer_that_breaks_off_goes_on_where_it_was(web, line, work):
    one, url = through(web, line, [1_000_000, 1_500_000])
    fetch_source(work / "source", sha256_of(TRACES), url=url)
    assert contents(work) == {"source/traces.bin": TRACES}
    first, second = one.ranges()
    assert 900_000 < first < 1_000_000 < second < 2_500_000


def test_a_server_without_ranges_is_asked_for_everything_again(web, line, work):
    web.knows_ranges = False
    one, url = through(web, line, [1_000_000])
    fetch_source(work / "source", sha256_of(TRACES), url=url)
    assert contents(work) == {"source/traces.bin": TRACES}
    assert len(one.requests) == 3


def test_a_file_that_changes_meanwhile_is_not_patched_together(web, line, work, monkeypatch):
    _, url = through(web, line, [1_000_000])
    changed = TRACES[::-1]
    monkeypatch.setattr(
        transfers.time, "sleep", lambda _: web.files.update({"/traces.bin": changed})
    )
    fetch_source(work / "source", sha256_of(changed), url=url)
    assert contents(work) == {"source/traces.bin": changed}


def test_any_number_of_interruptions_is_borne_while_there_is_progress(web, line, work):
    _, url = through(web, line, [200_000] * 3 * ATTEMPTS)
    fetch_source(work / "source", sha256_of(TRACES), url=url)
    assert contents(work) == {"source/traces.bin": TRACES}


def test_a_transfer_without_progress_is_given_up(web, line, work):
    one, url = through(web, line, [1_000_000] + [0] * 100)
    message = refusal(work, sha256_of(TRACES), url=url)
    assert url in message
    assert len(one.requests) == 1 + ATTEMPTS


def test_a_server_that_is_busy_is_asked_again(web, work):
    web.files["/traces.bin"] = TRACES
    web.busy = ATTEMPTS - 1
    fetch_source(work / "source", sha256_of(TRACES), url=web.url("/traces.bin"))
    assert contents(work) == {"source/traces.bin": TRACES}


def test_a_server_that_stays_busy_or_away_is_named(web, line, work):
    web.busy = 1000
    assert "503" in refusal(work, "0" * 64, url=web.url("/traces.bin"))
    away = line(1)
    away.close()
    url = f"http://127.0.0.1:{away.port}/traces.bin"
    assert f"{url} cannot be reached" in refusal(work, "0" * 64, url=url)


def test_a_missing_file_is_named_at_once(web, line, work):
    one = line(web.server_port)
    url = f"http://127.0.0.1:{one.port}/nothing.bin"
    assert f"there is nothing at {url}" in refusal(work, "0" * 64, url=url)
    assert len(one.requests) == 1


def test_data_with_another_hash_are_not_kept(web, work):
    web.files["/traces.bin"] = TRACES
    message = refusal(work, "0" * 64, url=web.url("/traces.bin"))
    assert sha256_of(TRACES) in message
    assert "0" * 64 in message


def test_data_with_another_hash_leave_what_was_there_before(web, work):
    web.files["/traces.bin"] = TRACES
    fetch_source(work / "source", sha256_of(TRACES), url=web.url("/traces.bin"))
    web.files["/traces.bin"] = b"changed"
    with pytest.raises(SourceError, match="sha256"):
        fetch_source(work / "source", sha256_of(TRACES), url=web.url("/traces.bin"))
    assert contents(work) == {"source/traces.bin": TRACES}


def test_what_is_cut_short_without_a_sign_of_it_has_another_hash(web, line, work):
    web.knows_lengths = False
    _, url = through(web, line, [1_000_000])
    assert "sha256" in refusal(work, sha256_of(TRACES), url=url)


def test_without_a_hash_what_came_is_kept_and_its_hash_is_told(web, work, capsys):
    web.files["/traces.bin"] = TRACES
    fetch_source(work / "source", None, url=web.url("/traces.bin"))
    assert contents(work) == {"source/traces.bin": TRACES}
    assert sha256_of(TRACES) in capsys.readouterr().out


# Archives


def zipped(members):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return data.getvalue()


def tarred(members, mode="w:gz", **properties):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode=mode) as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            for key, value in properties.items():
                setattr(member, key, value)
            archive.addfile(member, io.BytesIO(content))
    return data.getvalue()


@pytest.mark.parametrize("pack", [zipped, tarred, lambda members: tarred(members, "w:xz")])
def test_an_archive_is_unpacked_whatever_its_name(web, work, pack):
    members = {"a/traces.bin": TRACES[:100_000], "b.txt": b"b"}
    web.files["/download"] = pack(members)
    sha256 = sha256_of(web.files["/download"])
    fetch_source(work / "source", sha256, url=web.url("/download"), unpack=True)
    assert contents(work) == {f"source/{name}": data for name, data in members.items()}


@pytest.mark.parametrize(
    "archive",
    [
        tarred({"../evil.txt": b"evil"}),
        tarred({"link": b""}, type=tarfile.SYMTYPE, linkname="../../outside"),
        tarred({"link": b""}, type=tarfile.SYMTYPE, linkname="inside"),
        tarred({"link": b""}, type=tarfile.LNKTYPE, linkname="../../outside"),
        tarred({"device": b""}, type=tarfile.CHRTYPE, devmajor=1, devminor=3),
        tarred({"pipe": b""}, type=tarfile.FIFOTYPE),
        tarred({"a": b"file", "a/b": b"below a file"}),
        tarred({"a" * 300: b"long"}),
        tarred({"a.txt": TRACES})[:-1000],
        tarred({"a.txt": TRACES}, "w:xz")[:-1000],
        zipped({"a.txt": TRACES})[:-1000],
        zipped({"a.txt": TRACES}).replace(TRACES[:9], b"corrupted", 1),
        zipped({"a.txt": b"a"}).replace(
            b"PK\x01\x02\x14\x03\x14\0\0", b"PK\x01\x02\x14\x03\x14\0\1"
        ),
        b"no archive",
        b"",
    ],
    ids=[
        "above",
        "link out",
        "link in",
        "hard link",
        "device",
        "pipe",
        "file and folder",
        "long name",
        "cut gz",
        "cut xz",
        "cut zip",
        "corrupt zip",
        "encrypted zip",
        "none",
        "empty",
    ],
)
def test_an_archive_that_leads_out_of_its_folder_or_is_none_is_refused(web, work, archive):
    web.files["/a.tar"] = archive
    message = refusal(work, sha256_of(archive), url=web.url("/a.tar"), unpack=True)
    assert re.search("cannot be (unpacked|written below)", message)
    assert not list(work.parent.rglob("evil*"))


def test_an_archive_that_declares_more_than_there_is_room_for_is_not_unpacked(web, work):
    """A few bytes that claim to be a petabyte, as a zip and as a tar."""
    huge = tarfile.TarInfo("zeros.bin")
    huge.size = 10**15
    tar = huge.tobuf(format=tarfile.GNU_FORMAT) + bytes(10 * 512)
    small = zipped({"zeros.bin": b"0"})
    zip64 = io.BytesIO(small)
    with zipfile.ZipFile(zip64, "a") as archive:
        archive.infolist()[0].file_size = 10**15
        archive.writestr("b", b"b")
    for data in (tar, zip64.getvalue()):
        web.files["/a"] = data
        message = refusal(work, sha256_of(data), url=web.url("/a"), unpack=True)
        assert "takes 1000000000.0 MB" in message
        assert "nothing was kept" in message


def test_an_absolute_member_of_a_tar_stays_inside(web, work):
    outside = work.parent / "outside"
    web.files["/a.tar"] = tarred({f"{outside}/evil.txt": b"evil"})
    fetch_source(work / "source", None, url=web.url("/a.tar"), unpack=True)
    assert not outside.exists()
    assert [path.name for path in work.rglob("*") if path.is_file()] == ["evil.txt"]


def test_members_of_a_zip_stay_inside_and_links_become_files(web, work):
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    data = io.BytesIO(zipped({"../evil.txt": b"1", "/evil.txt": b"2", "a/../../evil.txt": b"3"}))
    with zipfile.ZipFile(data, "a") as archive:
        archive.writestr(link, "../..")
    web.files["/a.zip"] = data.getvalue()
    sha256 = sha256_of(data.getvalue())
    fetch_source(work / "source", sha256, url=web.url("/a.zip"), unpack=True)
    assert all(path.is_relative_to(work / "source") for path in work.parent.rglob("evil*"))
    assert not any(path.is_symlink() for path in work.rglob("*"))


def test_an_archive_with_another_hash_is_not_even_opened(web, work, monkeypatch):
    web.files["/a.zip"] = zipped({"a.txt": b"a"})
    monkeypatch.setattr(zipfile, "is_zipfile", lambda *_: pytest.fail("opened"))
    assert "sha256" in refusal(work, "0" * 64, url=web.url("/a.zip"), unpack=True)


# Buckets

OBJECTS = {"traces.raw": TRACES, "properties/gain.npy": b"gain", "a b.json": b"{}", "empty": b""}


@pytest.fixture
def session(bucket):
    """A recording below a prefix, marked as a folder, beside another with a longer name."""
    for name, data in OBJECTS.items():
        bucket.put(f"np2/session/{name}", data)
    bucket.put("np2/session/", b"")
    bucket.put("np2/session-2/traces.raw", b"another")
    return bucket


def test_one_object_arrives_under_its_name(session, work):
    source = in_bucket(session, "np2/session/traces.raw")
    fetch_source(work / "source", sha256_of(TRACES), **source)
    assert contents(work) == {"source/traces.raw": TRACES}


def test_all_objects_below_a_prefix_arrive_and_have_the_hash_that_a_shell_prints(session, work):
    expected = hash_of_files({name: sha256_of(data) for name, data in OBJECTS.items()})
    fetch_source(work / "source", expected, **in_bucket(session, "np2/session/"))
    assert contents(work) == {f"source/{name}": data for name, data in OBJECTS.items()}
    command = next(
        line.strip()
        for line in hash_of_files.__doc__.splitlines()
        if line.strip().startswith("find")
    )
    shell = subprocess.run(
        ["bash", "-c", command], cwd=work / "source", capture_output=True, text=True, check=True
    )
    assert shell.stdout.split()[0] == expected


def test_the_hash_of_files_knows_every_name_and_byte_but_no_order():
    hashes = {"b": "1" * 64, "a": "2" * 64, "é": "3" * 64}
    orders = itertools.permutations(hashes.items())
    assert len({hash_of_files(dict(order)) for order in orders}) == 1
    others = [hashes | {"a": "4" * 64}, hashes | {"c": "2" * 64}, {"a": "1" * 64, "b": "2" * 64}]
    assert len({hash_of_files(other) for other in [hashes, *others]}) == 4


def test_one_changed_object_changes_the_hash_of_a_prefix(session, work):
    expected = hash_of_files({name: sha256_of(data) for name, data in OBJECTS.items()})
    session.put("np2/session/properties/gain.npy", b"pain")
    assert "sha256" in refusal(work, expected, **in_bucket(session, "np2/session/"))


def test_an_object_that_breaks_off_goes_on_where_it_was(session, line, work):
    # The first connection asks for the size.
    one = line(int(session.endpoint.rpartition(":")[2]), [None, 1_000_000])
    source = in_bucket(session, "np2/session/traces.raw", endpoint=f"http://127.0.0.1:{one.port}")
    fetch_source(work / "source", sha256_of(TRACES), **source)
    assert contents(work) == {"source/traces.raw": TRACES}
    (first,) = one.ranges()
    assert 900_000 < first < 1_000_000


def test_an_object_without_progress_is_given_up(session, line, work):
    one = line(int(session.endpoint.rpartition(":")[2]), [None, 1_000_000] + [0] * 100)
    source = in_bucket(session, "np2/session/traces.raw", endpoint=f"http://127.0.0.1:{one.port}")
    assert "np2/session/traces.raw broke off" in refusal(work, "0" * 64, **source)


@pytest.mark.parametrize("key", ["np2/nothing.raw", "np2/nothing/", "np2/sess/", "np2/session-2"])
def test_a_missing_object_or_prefix_is_named(session, work, key):
    message = refusal(work, "0" * 64, **in_bucket(session, key))
    assert f"s3://{BUCKET}/{key}" in message
    assert "there is nothing at" in message


def test_a_missing_bucket_is_named(session, work):
    source = in_bucket(session, "") | {"url": "s3://no-such-bucket/a/"}
    assert "there is nothing at s3://no-such-bucket/a/" in refusal(work, "0" * 64, **source)


def test_a_bucket_is_asked_without_credentials_even_where_there_are_some(
    session, line, work, monkeypatch
):
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name.upper(), value)
    one = line(int(session.endpoint.rpartition(":")[2]))
    source = in_bucket(session, "np2/session/", endpoint=f"http://127.0.0.1:{one.port}")
    fetch_source(work / "source", None, **source)
    assert not any("authorization" in request.lower() for request in one.requests)
    fetch_source(work / "source", None, unsigned=False, **source)
    assert "authorization" in one.requests[-1].lower()


def test_an_object_that_is_not_open_to_all_is_refused_without_credentials(
    bucket, work, monkeypatch
):
    bucket.put("secret.raw", TRACES, access="private")
    source = in_bucket(bucket, "secret.raw")
    assert "not open to all" in refusal(work, sha256_of(TRACES), **source)
    assert "credentials" in refusal(work, sha256_of(TRACES), unsigned=False, **source)
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name.upper(), value)
    fetch_source(work / "source", sha256_of(TRACES), unsigned=False, **source)
    assert contents(work) == {"source/secret.raw": TRACES}


@pytest.mark.parametrize(
    "key", ["a/../../evil.txt", "a//evil.txt", "a/./evil.txt", "a/e\\vil", "a/evil\x1b]0;"]
)
def test_an_object_whose_key_leads_elsewhere_is_refused(bucket, work, key):
    bucket.put("a/good.txt", b"good")
    bucket.put(key, b"evil")
    assert "nothing was fetched" in refusal(work, None, **in_bucket(bucket, "a/"))
    assert not list(work.parent.rglob("evil*"))


# A full disk


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 1 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)]
    if os.name != "posix" or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only who may mount a file system can make a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_what_does_not_fit_is_not_begun(web, session, line, small_disk):
    one, url = through(web, line)
    for source in ({"url": url}, in_bucket(session, "np2/session/")):
        message = refusal(small_disk, sha256_of(TRACES), **source)
        assert "takes 3.0 MB" in message
        assert "nothing was kept" in message
    assert len(one.requests) == 1


def test_a_disk_that_is_full_halfway_is_named_and_nothing_stays(web, small_disk):
    web.knows_lengths = False
    web.files["/traces.bin"] = TRACES
    message = refusal(small_disk, sha256_of(TRACES), url=web.url("/traces.bin"))
    assert f"the disk of {small_disk} was full" in message


def test_an_archive_that_does_not_fit_unpacked_is_named(web, small_disk):
    data = bytes(5_000_000)
    web.files["/a.tar.gz"] = tarred({"zeros.bin": data})
    sha256 = sha256_of(web.files["/a.tar.gz"])
    message = refusal(small_disk, sha256, url=web.url("/a.tar.gz"), unpack=True)
    assert "takes 5.0 MB" in message


LIMITED = """
import resource, sys
from ephys_deepinterpolation.ground_truth.sources import SourceError, fetch_source
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
try:
    fetch_source(sys.argv[1], None, url=sys.argv[2])
except SourceError as error:
    print(error)
"""


def test_a_limit_on_the_size_of_files_is_a_full_disk_too(web, work):
    web.files["/traces.bin"] = TRACES
    command = [sys.executable, "-c", LIMITED, str(work / "source"), web.url("/traces.bin")]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "was full" in run.stdout
    assert list(work.iterdir()) == []
