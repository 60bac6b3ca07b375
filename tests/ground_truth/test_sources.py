"""Packages that hold data: fetched from a registry, checked, unpacked, and never run.

What comes from web servers and buckets is in `test_transfers`.
"""

import base64
import hashlib
import io
import json
import tarfile
import zipfile

import pytest

from ephys_deepinterpolation.ground_truth.sources import SourceError, fetch_source
from example_ground_truth import contents

NAME, VERSION = "spike-data", "1.0"
PACKAGE = f"{NAME}=={VERSION}"
TRACES = bytes(range(256)) * 20


def fetch_package(package, sha256, folder):
    fetch_source(folder, sha256, package=package)


def write_wheel(registry, members):
    """A wheel as pip knows it: what is given, METADATA, WHEEL and RECORD."""
    info = f"spike_data-{VERSION}.dist-info"
    members = members | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {VERSION}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode()},"
        for name, data in members.items()
    ]
    members[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,"]).encode()
    path = registry / f"spike_data-{VERSION}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, data in members.items():
            wheel.writestr(name, data)
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """A folder that takes the place of the package registry."""
    folder = tmp_path / "registry"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def work(tmp_path):
    """Where the unpacked folder is to appear, and nothing else."""
    folder = tmp_path / "sources"
    folder.mkdir()
    return folder


def test_a_package_with_the_right_hash_is_unpacked_byte_for_byte(registry, work):
    sha256 = write_wheel(registry, {"spike_data/traces.bin": TRACES, "spike_data/a/b.txt": b"c"})
    fetch_package(PACKAGE, sha256, work / "spike-data")
    assert (work / "spike-data/spike_data/traces.bin").read_bytes() == TRACES
    assert (work / "spike-data/spike_data/a/b.txt").read_bytes() == b"c"
    assert [path.name for path in work.iterdir()] == ["spike-data"]


def test_a_package_with_another_hash_is_refused_and_nothing_is_left(registry, work):
    sha256 = write_wheel(registry, {"spike_data/traces.bin": TRACES})
    with pytest.raises(SourceError, match="nothing was kept") as caught:
        fetch_package(PACKAGE, "0" * 64, work / "spike-data")
    assert sha256 in str(caught.value)
    assert "0" * 64 in str(caught.value)
    assert list(work.iterdir()) == []


def test_a_refused_package_leaves_what_was_unpacked_before(registry, work):
    sha256 = write_wheel(registry, {"spike_data/traces.bin": TRACES})
    fetch_package(PACKAGE, sha256, work / "spike-data")
    before = contents(work)
    write_wheel(registry, {"spike_data/traces.bin": b"changed"})
    with pytest.raises(SourceError, match="sha256"):
        fetch_package(PACKAGE, sha256, work / "spike-data")
    assert contents(work) == before


@pytest.mark.parametrize("missing", ["spike-data==2.0", "no-such-package==1.0"])
def test_a_missing_package_is_named_with_pips_reason(registry, work, missing):
    write_wheel(registry, {"spike_data/traces.bin": TRACES})
    with pytest.raises(SourceError, match=f"cannot download {missing}: ERROR: No matching"):
        fetch_package(missing, "0" * 64, work / "spike-data")
    assert list(work.iterdir()) == []


def test_the_reason_is_the_error_even_where_pip_would_announce_its_own_update(
    tmp_path, work, monkeypatch
):
    """Below its error, pip prints how to update itself when the index holds a newer pip."""
    newer = tmp_path / "index" / "pip" / "index.html"
    newer.parent.mkdir(parents=True)
    newer.write_text('<a href="pip-999.0-py3-none-any.whl">pip-999.0-py3-none-any.whl</a>')
    for name in ("PIP_DISABLE_PIP_VERSION_CHECK", "PIP_NO_INDEX", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "index").as_uri())
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "cache"))
    with pytest.raises(SourceError, match="ERROR: No matching distribution found"):
        fetch_package("no-such-package==1.0", "0" * 64, work / "spike-data")


@pytest.mark.parametrize(
    "name", ["../evil.txt", "../../evil.txt", "spike_data/../../../evil.txt", "/evil.txt", "{}"]
)
def test_no_member_leaves_the_folder_whatever_its_name(registry, work, tmp_path, name):
    outside = tmp_path / "outside" / "evil.txt"
    sha256 = write_wheel(registry, {"spike_data/good.txt": b"good", name.format(outside): b"evil"})
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    fetch_package(PACKAGE, sha256, work / "spike-data")
    appeared = {path for path in tmp_path.rglob("*") if path.is_file()} - before
    assert all(path.is_relative_to(work / "spike-data") for path in appeared)
    assert work / "spike-data/spike_data/good.txt" in appeared
    assert not outside.exists()


def test_a_link_in_a_wheel_points_nowhere_once_unpacked(registry, work, tmp_path):
    """A link to a folder outside, then a member written through it."""
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    write_wheel(registry, {"spike_data/good.txt": b"good"})
    (path,) = registry.iterdir()
    with zipfile.ZipFile(path, "a") as wheel:
        wheel.writestr(link, str(tmp_path))
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    fetch_package(PACKAGE, sha256, work / "spike-data")
    assert not any(path.is_symlink() for path in work.rglob("*"))


def test_none_of_a_packages_code_is_run(registry, work, tmp_path):
    marker = tmp_path / "was-run"
    code = f"import pathlib; pathlib.Path({str(marker)!r}).touch()".encode()
    members = {
        "spike_data/__init__.py": code,
        "setup.py": code,
        "spike_data.pth": code,
        "sitecustomize.py": code,
    }
    fetch_package(PACKAGE, write_wheel(registry, members), work / "spike-data")
    assert (work / "spike-data/setup.py").read_bytes() == code
    assert not marker.exists()


def test_a_package_that_would_have_to_be_built_is_refused_unbuilt(registry, work, tmp_path):
    marker = tmp_path / "was-run"
    code = f"import pathlib; pathlib.Path({str(marker)!r}).touch()".encode()
    with tarfile.open(registry / f"{NAME}-{VERSION}.tar.gz", "w:gz") as archive:
        for name, data in {"setup.py": code, "PKG-INFO": b"Name: spike-data"}.items():
            member = tarfile.TarInfo(f"{NAME}-{VERSION}/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    with pytest.raises(SourceError, match="cannot download"):
        fetch_package(PACKAGE, "0" * 64, work / "spike-data")
    assert not marker.exists()


def test_what_a_package_depends_on_is_not_fetched(registry, work):
    """The dependency is not there: fetching it would fail."""
    sha256 = write_wheel(registry, {"spike_data/facts.json": json.dumps({"a": 1}).encode()})
    (path,) = registry.iterdir()
    with zipfile.ZipFile(path) as wheel:
        members = {name: wheel.read(name) for name in wheel.namelist()}
    metadata = next(name for name in members if name.endswith("METADATA"))
    members[metadata] += b"Requires-Dist: no-such-package\n"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, data in members.items():
            wheel.writestr(name, data)
    changed = hashlib.sha256(path.read_bytes()).hexdigest()
    assert changed != sha256
    fetch_package(PACKAGE, changed, work / "spike-data")
    assert (work / "spike-data/spike_data/facts.json").exists()
