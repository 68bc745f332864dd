"""Kafka's jars: fetched once from Maven Central by `deploy/kafka/pom.xml`, and kept outside the checkout."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

_POM = Path(__file__).parents[2] / "deploy" / "kafka" / "pom.xml"
_FETCH_SECONDS = 300


def missing() -> str | None:
    """Return why no broker can be run here, or None."""
    if shutil.which("java") is None:
        return "java is not installed (Debian: default-jre-headless)"
    if not folder().is_dir() and shutil.which("mvn") is None:
        return "maven is not installed, and the jars of Kafka are not there yet (Debian: maven)"
    return None


def folder() -> Path:
    """Return where the jars of this pom are, or will be: another pom has another folder."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "tocsin" / f"kafka-{hashlib.sha256(_POM.read_bytes()).hexdigest()[:12]}"


def fetched() -> Path:
    """Return the folder of the jars, fetched if they are not there. Raises RuntimeError if they cannot be."""
    target = folder()
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="fetching-") as name:
        jars = Path(name) / "lib"
        done = subprocess.run(
            ["mvn", "-q", "-B", "-f", str(_POM), "dependency:copy-dependencies", f"-DoutputDirectory={jars}"],
            capture_output=True,
            text=True,
            timeout=_FETCH_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"maven could not fetch Kafka's jars:\n{done.stdout}{done.stderr}")
        try:
            jars.rename(target)
        except OSError:
            if not target.is_dir():  # else somebody else was faster
                raise
    return target
