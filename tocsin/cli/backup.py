"""`tocsin backup` and `tocsin restore`: on the files of the data directory, without asking the gateway."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tocsin.cli import options, output, times, world

if TYPE_CHECKING:
    from rich.progress import TaskID

    from tocsin.runtime.container import Manifest, Progress
    from tocsin.settings.values import Settings


def backup(
    ctx: typer.Context,
    *,
    target: Annotated[
        Path, typer.Argument(metavar="DIR|FILE", help="A new folder, or a new file ending in .tar, .tar.gz or .tgz.")
    ],
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Back the data directory up while the gateway runs (or does not).

    It holds all that the gateway knows at this moment: what it has accepted and not ended, the audit, dead letters,
    API keys (hashed). Settings and templates are yours to keep. Addresses and contents are in it: only its owner may
    read it.

    \b
    Examples:
      tocsin backup /backup/tocsin-monday
      tocsin backup /backup/tocsin.tar.gz --config /etc/tocsin/tocsin.toml
    """
    from importlib.metadata import version  # noqa: PLC0415 -- `tocsin --help` shall not wait for these

    from tocsin.runtime import backends  # noqa: PLC0415
    from tocsin.runtime.backup import back_up  # noqa: PLC0415

    settings, here = _settings(ctx, config), world.of(ctx)
    with _progress(quiet=as_json) as progress:
        manifest = back_up(
            settings,
            target,
            log_file=backends.log_file(),
            version=version("tocsin"),
            now=here.now(),
            progress=progress,
        )
    if as_json:
        output.json({"backup": str(target), "manifest": manifest})
        return
    output.out().print(output.facts(("backup", target), *_facts(manifest)), soft_wrap=True)


def restore(
    ctx: typer.Context,
    *,
    source: Annotated[Path, typer.Argument(metavar="DIR|FILE", help="What `tocsin backup` made.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Set aside what is in the data directory, instead of refusing.")
    ] = False,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Put a backup into the data directory. No gateway may be using it.

    The gateway then goes on from the moment of the backup: it delivers what was waiting, and the audit catches up.
    What had been delivered after that moment is sent A SECOND TIME, for the backup does not know of it; what was
    accepted after it is not there. Never run the old gateway and the restored one side by side.

    \b
    Examples:
      tocsin restore /backup/tocsin-monday
      TOCSIN__DATA_DIR=/srv/tocsin tocsin restore /backup/tocsin.tar.gz
    """
    from tocsin.runtime import backends  # noqa: PLC0415
    from tocsin.runtime import restore as restoring  # noqa: PLC0415 -- as above

    settings, here = _settings(ctx, config), world.of(ctx)
    with _progress(quiet=as_json) as progress:
        done = restoring.restore(
            settings, source, replace=replace, log_file=backends.log_file(), now=here.now(), progress=progress
        )
    aside = None if done.set_aside is None else str(done.set_aside)
    if as_json:
        output.json({"data_dir": str(done.data_dir), "set_aside": aside, "manifest": done.manifest})
        return
    facts = output.facts(("data", done.data_dir), *_facts(done.manifest), ("set aside", aside))
    output.out().print(facts, soft_wrap=True)
    age = times.relative(done.manifest.made_at, now=here.now())
    output.note(f"The backup was made {age}. What was delivered since then will be sent a second time.")


def _settings(ctx: typer.Context, config: str | None) -> "Settings":
    """Return the settings. Raises SettingsError."""
    from tocsin.runtime import discover  # noqa: PLC0415 -- it loads every service to know the sections
    from tocsin.settings import find, load  # noqa: PLC0415

    environ = world.of(ctx).environ
    return load.load(discover.setting_sections(), path=find.find(config, environ), environ=environ)


def _facts(manifest: "Manifest") -> list[tuple[str, object]]:
    files = [(name, f"{content.bytes:,} bytes") for name, content in manifest.files.items()]
    return [("made at", manifest.made_at.isoformat(timespec="seconds")), ("by", f"tocsin {manifest.tocsin}"), *files]


@contextmanager
def _progress(*, quiet: bool) -> Iterator["Progress"]:
    """Yield what shows a person how far it is: a bar a step. Where nobody looks, nothing is shown."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn  # noqa: PLC0415 -- as above

    console = output.err()
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        console=console,
        transient=True,
        disable=quiet or not console.is_terminal,
    )
    shown: dict[str, TaskID] = {}

    def tell(what: str, done: int, size: int) -> None:
        if what not in shown:
            shown[what] = bars.add_task(what, total=size)
        bars.update(shown[what], completed=done, total=size)

    with bars:
        yield tell
