"""From the settings `email.unsubscribe_*` to links, or to none. The secrets are read once."""

from urllib.parse import urlsplit

from channels.email.settings import EmailSettings
from channels.email.unsubscribe import Links
from tocsin.errors import SettingsError
from tocsin.settings.secrets import secret

_LEAST_SECRET = 32
# With it, the longest address and the longest URL, the field stays within a line of 998 characters.
_MOST_CATEGORY = 64
_HERE = frozenset({"localhost", "127.0.0.1", "::1"})


def links(settings: EmailSettings, *, public_url: str, before: Links | None = None) -> Links | None:
    """Return what makes and reads links, None where no secret is set. Raises SettingsError that names what to set.

    What `before` sealed is read too: its secret may have been replaced in its file.
    """
    found = secret(settings.unsubscribe_secret, settings.unsubscribe_secret_file, key="email.unsubscribe_secret")
    if found is None:
        if settings.unsubscribe_categories:
            raise _lacking("email.unsubscribe_secret_file (or email.unsubscribe_secret) too, which seals the links")
        return None
    if len(found) < _LEAST_SECRET:
        raise SettingsError(
            f"email.unsubscribe_secret must have {_LEAST_SECRET} characters at least, such as 64 random hex digits"
        )
    if settings.unsubscribe_categories:
        _check(settings, public_url)
    secrets = [found, *_retired(settings)]
    return Links(secrets, public_url=public_url, categories=settings.unsubscribe_categories, before=before)


def _check(settings: EmailSettings, public_url: str) -> None:
    if not public_url:
        raise _lacking("http.public_url too, where the links lead")
    url = urlsplit(public_url)
    if url.scheme != "https" and url.hostname not in _HERE:
        raise _lacking("an http.public_url that begins with https://, as RFC 8058 demands")
    if any(len(each.encode()) > _MOST_CATEGORY for each in settings.unsubscribe_categories):
        raise SettingsError(f"email.unsubscribe_categories must have {_MOST_CATEGORY} bytes at most, each")


def _retired(settings: EmailSettings) -> list[str]:
    key = "email.unsubscribe_retired_secret"
    found = (secret(None, file, key=key) for file in settings.unsubscribe_retired_secret_files)
    return [each for each in found if each is not None]


def _lacking(what: str) -> SettingsError:
    return SettingsError(f"email.unsubscribe_categories is set: set {what}")
