"""`.env.example` is the list of all environment variables, and stays it."""

import re
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from auth_server.settings import AuthSettings
from mcp_server.settings import Settings as McpSettings
from pingone_simulator.settings import SimulatorSettings
from todo_api.settings import TodoApiSettings

_EXAMPLE = (Path(__file__).parents[1] / ".env.example").read_text()
_LINES = dict(re.findall(r"^#?([A-Z][A-Z0-9_]+)=(.*)$", _EXAMPLE, re.MULTILINE))
_SETTINGS: list[type[BaseSettings]] = [
    AuthSettings,
    McpSettings,
    TodoApiSettings,
    SimulatorSettings,
]


def _variables() -> dict[str, list[FieldInfo]]:
    found: dict[str, list[FieldInfo]] = {}
    for settings in _SETTINGS:
        for name, field in settings.model_fields.items():
            found.setdefault(str(field.alias or name).upper(), []).append(field)
    return found


def _text(default: Any) -> str:
    if default is None:
        return ""
    if isinstance(default, SecretStr):
        return default.get_secret_value()
    if isinstance(default, tuple):
        return ",".join(default)
    return str(default).removesuffix(".0").replace("False", "false").replace("True", "true")


def test_the_example_names_every_variable_and_no_other() -> None:
    assert set(_LINES) == set(_variables())


def test_a_variable_that_is_commented_out_shows_its_default() -> None:
    for name in re.findall(r"^#([A-Z][A-Z0-9_]+)=", _EXAMPLE, re.MULTILINE):
        defaults = {_text(field.default) for field in _variables()[name]}
        assert defaults == {_LINES[name]}, name


def test_a_variable_that_must_be_set_is_not_commented_out() -> None:
    required = {
        name
        for name, fields in _variables().items()
        if any(field.is_required() for field in fields)
    }
    set_in_example = set(re.findall(r"^([A-Z][A-Z0-9_]+)=", _EXAMPLE, re.MULTILINE))
    assert required <= set_in_example
