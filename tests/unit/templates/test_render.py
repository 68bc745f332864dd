"""Rendering: locales, escaping, strictness, and every way to make a template work too much."""

import itertools
from pathlib import Path

import pytest

from tocsin.templates.budget import Limits
from tocsin.templates.catalogue import Catalogue, load
from tocsin.templates.locales import candidates
from tocsin.templates.template import RenderFault, Template

SHIPPED = Path(__file__).parents[3] / "configs" / "templates"
ORDER = {"order": "A-17", "items": [{"name": "Tea & <Cake>", "quantity": 2}]}


def template(source: str, *, part: str = "a.txt", limits: Limits | None = None) -> Template:
    return Catalogue(default_locale="en", limits=limits, timer=lambda: 0.0).add("t", {f"en/{part}": source})


def rendered(source: str, **data: object) -> str | RenderFault:
    return template(source).render("a.txt", None, data)


def fault(source: str, **data: object) -> str:
    found = rendered(source, **data)
    assert isinstance(found, RenderFault)
    return found.detail


def test_the_order_confirmation_reads_well() -> None:
    found = load(SHIPPED, default_locale="en").current("order-confirmation")
    assert found is not None

    assert found.render("email.subject.txt", "de-AT", ORDER) == "Ihre Bestellung A-17 ist bestätigt"
    assert "  2 x Tea & <Cake>\n" in str(found.render("email.text.txt", "en", ORDER))
    html = str(found.render("email.html", "en", ORDER))
    assert "Tea &amp; &lt;Cake&gt;" in html
    assert "<Cake>" not in html


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        ("de-AT", ("de-at", "de", "en")),
        ("DE_at", ("de-at", "de", "en")),
        ("zh-Hant-TW", ("zh-hant-tw", "zh-hant", "zh", "en")),
        ("en", ("en",)),
        ("", ("en",)),
        (None, ("en",)),
    ],
)
def test_locale_fallback(wish: str | None, expected: tuple[str, ...]) -> None:
    assert candidates(wish, "en") == expected


def test_a_part_that_no_locale_has_is_a_fault() -> None:
    found = template("x").render("sms.txt", "fr", {})

    assert found == RenderFault(template="t", part="sms.txt", detail="the template has no sms.txt")


def test_a_missing_value_is_a_fault_with_its_line_and_without_data() -> None:
    detail = fault("one\ntwo {{ order.total }}", order={"secret": "s3cret"})

    assert detail == "en/a.txt, line 2: uses a value that is missing from the data"


def test_errors_repeat_no_data() -> None:
    assert fault("{{ 'x'.upper(name) }}", name="s3cret") == "en/a.txt, line 1: fails with TypeError"


def test_null_prints_nothing() -> None:
    assert rendered("[{{ note }}]", note=None) == "[]"


def test_a_key_of_the_data_beats_a_method() -> None:
    assert rendered("{{ order.items }}", order={"items": "mine"}) == "mine"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{% for x in xs %}{{ loop.index }}{{ x }}{{ ',' if not loop.last }}{% endfor %}", "1a,2b,3c"),
        ("{% for x in xs if x != 'b' %}{{ x }}{% else %}none{% endfor %}", "ac"),
        ("{{ xs|map('upper')|join('-') }}", "A-B-C"),
        ("{{ '%.2f'|format(3.14159) }}", "3.14"),
        ("{{ xs|length * 2 + 1 }}", "7"),
        ("{{ (xs + ['d'])|last ~ '!' }}", "d!"),
        ("{% for k, v in o.items() %}{{ k }}={{ v }}{% endfor %}", "k=1"),
        ("{{ 7 % 4 }} {{ 2 ** 10 }} {{ 3.14159|round(2) }}", "3 1024 3.14"),
        ("{{ xs|sort(reverse=true)|first }}{{ [1, 2]|sum }}", "c3"),
        ("{{ missing|default('there') }}", "there"),
        ("{% for i in range(3) %}{{ i }}{% endfor %}", "012"),
        ("{{ 'a-b'|replace('-', '+') }}{{ name.strip().title() }}", "a+bAda"),
        ("{{ xs|tojson }}", '["a", "b", "c"]'),
        ("{{ loops }}{% set n = xs|length %}{{ n }}", "L3"),
    ],
)
def test_the_everyday_language_works(source: str, expected: str) -> None:
    assert rendered(source, xs=["a", "b", "c"], o={"k": 1}, name=" ada ", loops="L") == expected


BOMBS = {
    "loops": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "filtered loops": "{% for a in range(99999) %}{% for b in range(99999) if false %}{% endfor %}{% endfor %}",
    "output": "{% for a in range(99999) %}{{ 'x' }}0123456789{% endfor %}",
    "power": "{{ 9 ** 999999999 }}",
    "multiplied strings": "{{ 'x' * 999999999 }}",
    "multiplied lists": "{{ [1] * 999999999 }}",
    "numbers": "{% set a = 2 ** 1000 %}{{ a * a * a }}",
    "printf operator": "{{ '%999999999d' % 1 }}",
    "printf filter": "{{ '%999999999d'|format(1) }}",
    "printf star": "{{ '%*d'|format(999999999, 1) }}",
    "str.format": "{{ '{:999999999}'.format(1) }}",
    "str.format by key": "{{ 'x'['format'](1) }}",
    "ljust": "{{ 'x'.ljust(999999999) }}",
    "zfill": "{{ 'x'.zfill(999999999) }}",
    "str.join": "{{ 'x'.join(range(99999)) }}",
    "join": "{{ range(99999)|join(big) }}",
    "replace": "{{ big|replace('x', big) }}",
    "doubled text": "".join(f"{{% set a{i + 1} = a{i} ~ a{i} %}}" for i in range(60)).replace("a0", "big"),
    "doubled sums": "".join(f"{{% set a{i + 1} = a{i} + a{i} %}}" for i in range(60)).replace("a0", "big"),
    "nested lists": "{% set a0 = [1] %}"
    + "".join(f"{{% set a{i + 1} = [a{i}, a{i}] %}}" for i in range(60))
    + "{{ a60 }}",
    "nested tuples": "{% set a0 = (1, 2) %}"
    + "".join(f"{{% set a{i + 1} = (a{i}, a{i}) %}}" for i in range(60))
    + "{{ {a60: 1} }}",
    "nested objects": "{% set a0 = {'k': 1} %}"
    + "".join(f"{{% set a{i + 1} = {{'x': a{i}, 'y': a{i}}} %}}" for i in range(60))
    + "{{ a60|tojson }}",
    "mapped growth": "{{ range(99999)|map('replace', '1', big)|list|length }}",
    "indent": "{{ [1]|tojson(999999999) }}",
    "rounding": "{{ 1|round(999999999, 'ceil') }}",
    "summed lists": "{{ [[1], [2]]|sum(start=[]) }}",
    "ranges": "{% for a in range(999999999) %}{% endfor %}",
}


@pytest.mark.parametrize("source", BOMBS.values(), ids=BOMBS.keys())
@pytest.mark.timeout(10)
def test_a_bomb_ends_as_a_fault(source: str) -> None:
    assert fault(source, big="x" * 1000).startswith(("en/a.txt, line 1: ", "en/a.txt: prints more than"))


def test_a_slow_template_ends_by_the_clock() -> None:
    ticks = itertools.count()
    catalogue = Catalogue(default_locale="en", limits=Limits(seconds=5), timer=lambda: float(next(ticks)))
    slow = catalogue.add("t", {"en/a.txt": "{% for a in range(9999) %}{% endfor %}"})

    found = slow.render("a.txt", None, {})

    assert isinstance(found, RenderFault)
    assert found.detail == "en/a.txt, line 1: takes too long"


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ x['__class__'] }}",
        "{{ x|map(attribute='__class__')|join }}",
        "{{ x.append(1) }}",
        "{{ o.update({'a': 1}) }}",
        "{{ range.__globals__ }}",
        "{{ self._TemplateReference__context }}",
        "{{ o.pop('k') }}",
    ],
)
def test_the_sandbox_holds(source: str) -> None:
    data: dict[str, object] = {"x": [1], "o": {"k": 1}}

    assert isinstance(rendered(source, **data), RenderFault)
    assert data == {"x": [1], "o": {"k": 1}}


def test_data_cannot_reach_the_budget() -> None:
    assert isinstance(rendered("{% for a in range(99999) %}{{ 'xxxxxx' }}{% endfor %}", **{" budget": 1}), RenderFault)


def test_text_is_not_escaped_and_html_is() -> None:
    assert template("{{ x }}").render("a.txt", None, {"x": "<b>"}) == "<b>"
    assert template("{{ x }}", part="a.html").render("a.html", None, {"x": "<b>"}) == "&lt;b&gt;"
    joined = template("{{ x|join('<i>') }}", part="a.html").render("a.html", None, {"x": ["<b>", "&"]})
    assert joined == "&lt;b&gt;&lt;i&gt;&amp;"
