"""Data from elsewhere, as a user of the workflow gets them: from servers on this machine."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import spikeinterface as si
import yaml

from ephys_deepinterpolation.ground_truth import load_ground_truth
from ephys_deepinterpolation.ground_truth.sources import hash_of_files
from fixtures import noise_recording
from projects import PROJECT, leftovers, project_in, said, snakemake
from servers import BUCKET, sha256_of

PRESETS = sorted((PROJECT / "config/presets").glob("ephys-compression-*.yaml"))

# Imported by every Python whose path holds it: nothing beyond this machine can be reached.
NO_NETWORK = """
import pathlib, socket
connect = socket.socket.connect
def refuse(self, address):
    if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] != "127.0.0.1":
        (pathlib.Path(__file__).parent / "tried").write_text(str(address))
        raise OSError("no network")
    return connect(self, address)
socket.socket.connect = refuse
def resolve(*arguments, **options):
    (pathlib.Path(__file__).parent / "tried").write_text(str(arguments))
    raise socket.gaierror("no network")
socket.getaddrinfo = resolve
"""


def study_with(sources, datasets):
    return {"sources": sources, "study": {"datasets": datasets}}


def test_a_recording_in_a_bucket_becomes_ground_truth_once(bucket, line, tmp_path):
    saved = noise_recording(30_000, seed=1, channels=8).save(folder=tmp_path / "saved")
    files = {
        path.relative_to(tmp_path / "saved").as_posix(): path.read_bytes()
        for path in (tmp_path / "saved").rglob("*")
        if path.is_file()
    }
    for name, data in files.items():
        bucket.put(f"session/{name}", data)
    # The first connection lists the objects; the largest of the others breaks off.
    server = line(int(bucket.endpoint.rpartition(":")[2]), [None] + [500_000] * len(files))
    source = {
        "url": f"s3://{BUCKET}/session/",
        "endpoint": f"http://127.0.0.1:{server.port}",
        "sha256": hash_of_files({name: sha256_of(data) for name, data in files.items()}),
    }
    parameters = {"reader": "load", "path": ".", "source": "session"}
    datasets = {"remote": {"kind": "recorded", "parameters": parameters}}
    folder = project_in(tmp_path / "project")
    (folder / "study.yaml").write_text(yaml.safe_dump(study_with({"session": source}, datasets)))

    target = "results/ground_truth/remote/0"
    run = snakemake(folder, "--cores", "1", target)
    assert run.returncode == 0, said(run)
    assert len(server.ranges()) == 1
    truth = load_ground_truth(folder / target)
    assert (truth.recording.get_traces() == saved.get_traces()).all()
    assert (si.load(folder / "results/sources/session").get_traces() == saved.get_traces()).all()

    asked = len(server.requests)
    again = snakemake(folder, "--cores", "1", target)
    assert "Nothing to be done" in said(again)
    assert len(server.requests) == asked


def test_what_cannot_be_fetched_is_one_sentence_each_and_leaves_nothing(web, tmp_path):
    web.files["/traces.bin"] = data = os.urandom(2_000_000)
    sources = {
        "wrong": {"url": web.url("/traces.bin"), "sha256": "0" * 64},
        "missing": {"url": web.url("/nothing.bin"), "sha256": sha256_of(data)},
        "no-archive": {"url": web.url("/traces.bin"), "sha256": sha256_of(data), "unpack": True},
    }
    datasets = {
        name: {"kind": "recorded", "parameters": {"reader": "load", "path": ".", "source": name}}
        for name in sources
    }
    folder = project_in(tmp_path / "project")
    (folder / "study.yaml").write_text(yaml.safe_dump(study_with(sources, datasets)))
    targets = [f"results/sources/{name}" for name in sources]
    run = snakemake(folder, "--cores", "1", *targets)
    assert run.returncode != 0
    for sentence in (
        f"{web.url('/traces.bin')} has sha256 {sha256_of(data)}, not {'0' * 64}",
        f"there is nothing at {web.url('/nothing.bin')}",
        f"{web.url('/traces.bin')} cannot be unpacked",
    ):
        assert sentence in said(run)
    assert "Traceback" not in said(run)
    assert not any((folder / target).exists() for target in targets)
    assert not leftovers(folder)


def test_to_name_the_licence_of_a_source_fetches_nothing_again(web, tmp_path):
    web.files["/traces.bin"] = data = os.urandom(2_000)
    source = {"url": web.url("/traces.bin"), "sha256": sha256_of(data), "licence": "CC0-1.0"}
    folder = project_in(tmp_path / "project")
    target = "results/sources/traces"
    for given, options in ((source, ()), (source | {"licence": "CC-BY-4.0"}, ("--dry-run",))):
        (folder / "study.yaml").write_text(yaml.safe_dump({"sources": {"traces": given}}))
        run = snakemake(folder, "--cores", "1", target, *options)
        assert run.returncode == 0, said(run)
    assert "Nothing to be done" in said(run)


def test_two_studies_share_what_they_fetch_in_a_cache(web, line, tmp_path, monkeypatch):
    web.files["/traces.bin"] = data = os.urandom(100_000)
    server = line(web.server_port)
    url = f"http://127.0.0.1:{server.port}/traces.bin"
    sources = {"shared": {"url": url, "sha256": sha256_of(data)}}
    parameters = {"reader": "load", "path": ".", "source": "shared"}
    study = study_with(sources, {"remote": {"kind": "recorded", "parameters": parameters}})
    (tmp_path / "cache").mkdir()
    monkeypatch.setenv("SNAKEMAKE_OUTPUT_CACHE", str(tmp_path / "cache"))
    for name in ("one", "other"):
        folder = project_in(tmp_path / name)
        (folder / "study.yaml").write_text(yaml.safe_dump(study))
        target = "results/sources/shared"
        run = snakemake(folder, target, "--cores", "1", "--cache", "fetch_source")
        assert run.returncode == 0, said(run)
        assert (folder / target / "traces.bin").read_bytes() == data
    # One connection asks for the size, one for the file.
    assert len(server.requests) == 2


@pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.stem)
def test_a_preset_is_valid_and_planned_without_any_network(tmp_path, preset, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text(NO_NETWORK)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert_network_is_cut(tmp_path)
    folder = project_in(tmp_path / "project")
    configfiles = ("config/config.yaml", f"config/presets/{preset.name}")
    run = snakemake(folder, "-n", "ground_truth", configfiles=configfiles)
    assert run.returncode == 0, said(run)
    for name in yaml.safe_load(preset.read_text())["sources"]:
        assert f"results/sources/{name}" in said(run)
    assert not (tmp_path / "tried").exists()


def assert_network_is_cut(folder: Path) -> None:
    """The guard itself works: an address beyond this machine is refused, and noted."""
    ask = "import urllib.request; urllib.request.urlopen('http://example.org')"
    run = subprocess.run([sys.executable, "-c", ask], capture_output=True, check=False)
    assert run.returncode != 0
    (folder / "tried").unlink()
