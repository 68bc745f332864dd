"""Template bombs through the whole path: each ends within its budget, as a dead letter that says why, and alone."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.gateways import Gateway, running

_BOMBS: Mapping[str, str] = {
    "loops": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "output": "{% for a in range(99999) %}{% for b in range(99999) %}0123456789{% endfor %}{% endfor %}",
    "power": "{{ 9 ** 999999999 }}",
    "doubling": "{% set a0 = 'xx' %}" + "".join(f"{{% set a{i + 1} = a{i} ~ a{i} %}}" for i in range(60)) + "{{ a60 }}",
    "padding": "{{ '%999999999d'|format(1) }}",
    "data": "{% for a in items %}{% for b in items %}{% for c in items %}{{ a }}{% endfor %}{% endfor %}{% endfor %}",
    "searching": "{% for a in items %}{{ a in items }}{% endfor %}",
    "escape": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
}
_NEIGHBOURS = 20
_DATA = {"items": [f"item {number}" for number in range(9000)]}


def write_templates(root: Path) -> None:
    """Write every bomb as a text, and one template that does no harm."""
    for name, source in {**_BOMBS, "harmless": "{{ items | length }} items"}.items():
        folder = root / name / "en"
        folder.mkdir(parents=True)
        (folder / "email.subject.txt").write_text(f"the template {name}")
        (folder / "email.text.txt").write_text(source)


async def submit(gateway: Gateway, name: str, recipient: str, data: Mapping[str, Any]) -> str:
    """Submit a notification and return its id."""
    address = f"{recipient}@example.test"
    answer = await gateway.submit(
        {"recipient": {"email": address}, "channels": ["email"], "template": name, "data": data}
    )
    return str(answer["id"])


async def test_template_bombs_end_within_their_budget_and_harm_nobody(tmp_path: Path) -> None:
    write_templates(tmp_path / "templates")
    templates = {"root": str(tmp_path / "templates"), "max_render_ms": 100}
    async with running(tmp_path / "data", templates=templates) as gateway:
        bombs = {name: await submit(gateway, name, name, _DATA) for name in _BOMBS}
        neighbours = [await submit(gateway, "harmless", f"n{n}", {"items": [1]}) for n in range(_NEIGHBOURS)]
        async with asyncio.timeout(60):
            told = {name: await gateway.ended(identity) for name, identity in bombs.items()}
            states = [(await gateway.ended(identity))["state"] for identity in neighbours]
        # Letters come a way of their own.
        letters = (await gateway.until("/v1/dlq", lambda page: len(page["items"]) >= len(_BOMBS)))["items"]
        ready = await gateway.client.get("/readyz")

    assert {name: each["state"] for name, each in told.items()} == dict.fromkeys(_BOMBS, "dead")
    assert {letter["notification_id"] for letter in letters} == set(bombs.values())
    for letter in letters:
        assert letter["attempts"] == 0  # nobody was called
        assert (letter["reason"], letter["code"]) == ("rejected", "template_error")
        assert letter["template"] in letter["message"]
        assert "item 1" not in letter["message"]
    assert states == ["delivered"] * _NEIGHBOURS
    assert gateway.mailbox.total == _NEIGHBOURS
    assert ready.status_code == 200
