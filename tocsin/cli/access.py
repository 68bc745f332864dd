"""Where the gateway is, and the key to it: from the command line, else a file, else the environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from tocsin.cli.failures import Misused

DEFAULT_URL = "http://127.0.0.1:8080"

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
# Where `tocsin up --demo` keeps its key unless `data_dir` was set.
_DEMO_KEY = Path("data") / "demo.key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The gateway's URL without a slash at its end, the key, and where the key was taken from."""

    url: str
    key: str = field(repr=False)
    key_source: str

    @property
    def local(self) -> bool:
        """Whether the gateway is on this machine, where a proxy would only be in the way."""
        return urlsplit(self.url).hostname in _LOOPBACK


def find(*, url: str | None, key: str | None, key_file: Path | None, environ: Mapping[str, str]) -> Access:
    """Return how to get at the gateway. Raises Misused, saying how to mend it."""
    found, source = _key(key, key_file, environ)
    return Access(url=_url(url or environ.get("TOCSIN_URL") or DEFAULT_URL), key=found, key_source=source)


def no_url(text: str) -> str:
    """Return what to say of something that is not the URL of a gateway."""
    return f"{text} is not the URL of a gateway; write it like {DEFAULT_URL}"


def _url(text: str) -> str:
    wrong = Misused(no_url(text))
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise wrong from None
    if not usable or parts.query or parts.fragment or "@" in parts.netloc or " " in text or not text.isprintable():
        raise wrong
    return text.rstrip("/")


def _key(key: str | None, key_file: Path | None, environ: Mapping[str, str]) -> tuple[str, str]:
    if key and key_file:
        raise Misused("--key and --key-file were both given; keep one of them")
    if key:
        return _checked(key, "--key"), "--key"
    if key_file:
        return _checked(_read(key_file), f"--key-file {key_file}"), f"--key-file {key_file}"
    if kept := environ.get("TOCSIN_KEY"):
        return _checked(kept, "TOCSIN_KEY"), "TOCSIN_KEY"
    raise Misused(_missing())


def _checked(text: str, source: str) -> str:
    """Return the key without white space around it. Anything that HTTP cannot carry is refused before it is tried."""
    key = text.strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise Misused(f"{source} does not hold an API key; a key looks like tcs_… and is one word")
    return key


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise Misused(f"--key-file {path} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise Misused(f"--key-file {path} does not hold an API key; it is not text") from None


def _missing() -> str:
    lines = ["This needs an API key: give it with TOCSIN_KEY, --key-file or --key."]
    if _DEMO_KEY.is_file():
        lines.append(f"The demo keeps its key here: --key-file {_DEMO_KEY}")
    else:
        lines.append("`tocsin up` prints the first key when it starts; `tocsin keys create` makes others.")
    return "\n".join(lines)
