"""What Snakemake asks of the command `conda`, answered by rattler: solved, linked, as conda would.

    python stand_in.py ROOT ARGUMENTS

ROOT holds `channels/`, which the names of channels stand for, and `bin/activate`. Only what
Snakemake asks for is understood.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from argparse import ArgumentParser
from pathlib import Path

import yaml
from rattler import Channel, ChannelConfig, Gateway, MatchSpec, install, solve


def main(root: Path, arguments: list[str]) -> None:
    """Answer one command."""
    match arguments:
        case ["--version"]:
            print("conda 24.7.1")
        case ["info", "--json"]:
            print(json.dumps({"conda_prefix": str(root), "platform": "linux-64"}))
        case ["config", "--get", "channel_priority", "--json"]:
            print(json.dumps({"get": {"channel_priority": "strict"}}))
        case ["clean", *_]:
            pass
        case ["env", "create", *options]:
            parser = ArgumentParser()
            parser.add_argument("--quiet", action="store_true")
            parser.add_argument("--no-default-packages", action="store_true")
            parser.add_argument("--file", type=Path, required=True)
            parser.add_argument("--prefix", type=Path, required=True)
            given = parser.parse_args(options)
            create(root, yaml.safe_load(given.file.read_text()), given.prefix)
        case _:
            sys.exit(f"the stand-in for conda does not know: {' '.join(arguments)}")


def create(root: Path, wanted: dict, prefix: Path) -> None:
    """Make an environment: first what conda installs, then what pip does."""
    conda = [each for each in wanted["dependencies"] if isinstance(each, str)]
    pip = [
        each for part in wanted["dependencies"] if isinstance(part, dict) for each in part["pip"]
    ]
    asyncio.run(link(root, wanted["channels"], conda, prefix))
    if pip:
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as requirements:
            requirements.write("\n".join(pip) + "\n")
            requirements.flush()
            # What is imported is compiled then: a small part of all.
            install = [prefix / "bin/python", "-I", "-m", "pip", "install", "--no-compile"]
            subprocess.run([*install, "--quiet", "--requirement", requirements.name], check=True)


async def link(root: Path, names: list[str], specifications: list[str], prefix: Path) -> None:
    """Solve what is asked of conda and put it into an environment."""
    config = ChannelConfig(channel_alias=f"file://{root}/channels/")
    records = await solve(
        [Channel(name, config) for name in names],
        [MatchSpec(each, strict=True) for each in specifications],
        gateway=Gateway(cache_dir=root / "cache/index"),
        platforms=["linux-64", "noarch"],
    )
    await install(records, prefix, cache_dir=root / "cache/packages", show_progress=False)


if __name__ == "__main__":
    code = 1
    try:
        main(Path(sys.argv[1]), sys.argv[2:])
        code = 0
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
    # rattler's own threads may not outlive the interpreter, which ends without waiting for them.
    sys.stdout.flush()
    os._exit(code)
