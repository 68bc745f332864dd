"""`tocsin version`."""

from tocsin.cli import options, output


def version(as_json: options.AsJson = False) -> None:
    """Show the version."""
    import platform  # noqa: PLC0415 -- `tocsin --help` shall not wait for these
    from importlib.metadata import version as installed  # noqa: PLC0415

    release = installed("tocsin")
    if as_json:
        output.json({"tocsin": release, "python": platform.python_version()})
    else:
        output.out().print(f"tocsin {release}", soft_wrap=True)
