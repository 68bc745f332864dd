"""Schemathesis over the published OpenAPI: no input makes a 5xx, and every answer is as described."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.result import Ok

from tests.support.gateways import NOTIFICATION, Gateway, running

_CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
)


class Examiner:
    """Calls a gateway as its OpenAPI says that one may, and as it says that one may not."""

    def __init__(self, openapi: dict[str, Any], *, url: str, key: str, examples: int) -> None:
        load_all_checks()
        self._schema = schemathesis.openapi.from_dict(openapi)
        self._checks: list[Any] = [CHECKS.get_one(name) for name in _CHECKS]
        self._url = url
        self._headers = {"Authorization": f"Bearer {key}"}
        self._examples = examples
        self.statuses: set[int] = set()

    def all_operations(self) -> None:
        """Try every operation with what fits its schema, and with what does not."""
        for found in self._schema.get_all_operations():
            assert isinstance(found, Ok), found
            operation = found.ok()
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                with contextlib.suppress(Unsatisfiable):  # without parameters nothing can be wrong with the input
                    self._tries(operation.as_strategy(generation_mode=mode))

    def known(self, path: str, method: str, **parameters: str) -> None:
        """Try an operation on what there is."""
        self._try(self._schema[path][method].Case(path_parameters=parameters))

    def _tries(self, strategy: Any) -> None:
        @hypothesis.settings(
            max_examples=self._examples,
            deadline=None,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @hypothesis.given(case=strategy)
        def tried(case: Case[Any]) -> None:
            self._try(case)

        tried()

    def _try(self, case: Case[Any]) -> None:
        response = case.call(base_url=self._url, headers=self._headers)
        self.statuses.add(response.status_code)
        case.validate_response(response, checks=self._checks)


@pytest.mark.timeout(900)
async def test_no_input_breaks_the_gateway_and_every_answer_is_as_described(tmp_path: Path, *, long: bool) -> None:
    async with running(tmp_path) as gateway:
        delivered, letter = await one_of_each(gateway)
        openapi = (await gateway.client.get("/openapi.json")).json()
        url = str(gateway.client.base_url)
        examiner = Examiner(openapi, url=url, key=gateway.key, examples=400 if long else 12)
        await asyncio.to_thread(examiner.all_operations)
        for path, method, parameters in (
            ("/v1/notifications/{notification_id}", "GET", {"notification_id": delivered}),
            ("/v1/notifications", "GET", {}),
            ("/v1/dlq", "GET", {}),
            ("/v1/dlq/{letter_id}", "GET", {"letter_id": letter}),
            ("/v1/dlq/{letter_id}/replay", "POST", {"letter_id": letter}),
            ("/v1/dlq/{letter_id}", "GET", {"letter_id": letter}),
            ("/v1/dlq/{letter_id}/discard", "POST", {"letter_id": letter}),
            ("/v1/keys", "GET", {}),
        ):
            await asyncio.to_thread(examiner.known, path, method, **parameters)
        answers = [
            content["schema"]
            for operations in openapi["paths"].values()
            for operation in operations.values()
            for status, answer in operation["responses"].items()
            if status.startswith("2")
            for content in answer["content"].values()
        ]
        await gateway.ended((await gateway.submit())["id"])

    assert all(answers), "an answer is described by nothing, and so anything would do"
    assert {200, 201, 202, 400, 401, 404, 409, 422} <= examiner.statuses


async def one_of_each(gateway: Gateway) -> tuple[str, str]:
    """Return the id of a notification that was delivered, and of a dead letter."""
    delivered = await gateway.submit()
    refused = await gateway.submit(NOTIFICATION, recipient={"email": "refused@example.test"})
    for each in (delivered, refused):
        await gateway.ended(each["id"])
    letters = await gateway.until("/v1/dlq", lambda found: bool(found["items"]))
    return delivered["id"], letters["items"][0]["id"]
