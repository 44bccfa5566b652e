"""What the tests share: the caption set, the tiny encoder, and a cache that is thrown away."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import pyfgd

FIXTURES = Path(__file__).parents[2] / "fixtures"


@pytest.fixture(autouse=True)
def place(tmp_path_factory, monkeypatch):
    """A folder with a cache of its own; nothing is asked of the network."""
    folder = tmp_path_factory.mktemp("place")
    for name in [name for name in os.environ if name.startswith("FGD_") and name != "FGD_SIMD"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("FGD_CACHE_DIR", str(folder / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    # Processes that tests start have the package that they test.
    monkeypatch.setenv("PYTHONPATH", str(Path(pyfgd.__file__).parents[1]))
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def captions():
    return FIXTURES / "captions"


@pytest.fixture
def encoder():
    return FIXTURES / "encoder" / "tiny-mean"


@pytest.fixture
def checkpoint():
    return FIXTURES / "tiny-blip2" / "base"


@pytest.fixture
def pictures(place):
    """A folder with two images."""
    folder = place / "images"
    folder.mkdir()
    for image in sorted((FIXTURES / "captioner" / "images").glob("*.png"))[:2]:
        shutil.copy(image, folder)
    return folder


@pytest.fixture
def command(place):
    """The command as a process of its own."""

    def run(*arguments, code=0):
        done = subprocess.run(
            [sys.executable, "-P", "-m", "pyfgd", *map(str, arguments)], capture_output=True, text=True, timeout=300
        )
        assert done.returncode == code, done.stderr
        return done

    return run
