"""Settings come from the environment or are refused with what to change, and without values."""

import os
from typing import Annotated, Self

import pytest
from pydantic import AfterValidator, BaseModel, Field, SecretStr, ValidationError, model_validator

from service_kit.settings import (
    InvalidSettings,
    ServiceSettings,
    check_public_url,
    read_settings,
    read_settings_or_exit,
    refuse_placeholder,
)

SECRET = "hunter2-hunter2-hunter2"


class Region(BaseModel):
    """A variable that holds a JSON object."""

    name: str
    zones: dict[str, int] = {}


class Settings(ServiceSettings):
    """One setting of each kind that can be wrong."""

    public_url: Annotated[str, AfterValidator(check_public_url)]
    port: int = Field(8080, ge=1, le=65535)
    client_secret: SecretStr = SecretStr("")
    retries: tuple[int, ...] = ()
    region: Region | None = None

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.client_secret.get_secret_value() and self.port == 80:
            raise ValueError("PORT 80 has no secrets")
        return self


@pytest.fixture(autouse=True)
def valid_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBLIC_URL", "https://auth.example.com")
    for name in ("PORT", "CLIENT_SECRET", "RETRIES", "REGION"):
        monkeypatch.delenv(name, raising=False)


def refusal() -> str:
    with pytest.raises(InvalidSettings) as refused:
        read_settings(Settings)
    assert refused.value.__suppress_context__, "the cause, which has the values, is not shown"
    return str(refused.value)


def test_settings_are_read_from_variables_of_any_case_and_unknown_ones_are_ignored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("port", "9000")
    monkeypatch.setenv("SOMETHING_ELSE", "1")
    monkeypatch.setenv("RETRIES", "[1, 2]")
    monkeypatch.setenv("REGION", '{"name": "eu"}')
    settings = read_settings(Settings)
    assert (settings.public_url, settings.port) == ("https://auth.example.com", 9000)
    assert settings.retries == (1, 2)
    assert settings.region == Region(name="eu")


def test_settings_cannot_be_changed_once_read() -> None:
    settings = read_settings(Settings)
    with pytest.raises(ValidationError):
        settings.__setattr__("port", 1)


def test_a_refusal_names_every_wrong_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PUBLIC_URL")
    monkeypatch.setenv("PORT", "99999")
    first, *lines = refusal().splitlines()
    assert first == "The environment is not complete, or not right:"
    assert lines == [
        "  PUBLIC_URL: must be set",
        "  PORT: Input should be less than or equal to 65535",
    ]


def test_a_refusal_shows_a_validators_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBLIC_URL", "http://auth.example.com")
    assert refusal().splitlines()[1:] == [
        "  PUBLIC_URL: must be https; plain http is accepted on a loopback host only"
    ]


def test_a_refusal_of_settings_that_contradict_each_other_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PORT", "80")
    monkeypatch.setenv("CLIENT_SECRET", SECRET)
    text = refusal()
    assert text.splitlines()[1:] == ["  the settings together: PORT 80 has no secrets"]
    assert SECRET not in text


@pytest.mark.parametrize(
    ("name", "value", "blamed"),
    [
        ("PORT", SECRET, "PORT: "),
        ("PUBLIC_URL", SECRET, "PUBLIC_URL: "),
        ("RETRIES", f'[1, "{SECRET}"]', "RETRIES[1]: "),
        ("RETRIES", SECRET, 'field "retries"'),
        ("REGION", f'{{"name": "eu", "zones": {{"{SECRET}": "x"}}}}', "REGION: "),
        ("REGION", f'{{"{SECRET}": 1}}', "REGION: "),
    ],
)
def test_a_refusal_names_the_variable_and_never_quotes_its_value(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, blamed: str
) -> None:
    monkeypatch.setenv(name, value)
    text = refusal()
    assert blamed in text
    assert SECRET not in text


def test_a_process_with_invalid_settings_exits_with_ex_config_and_says_why_on_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PORT", SECRET)
    with pytest.raises(SystemExit) as ended:
        read_settings_or_exit(Settings)
    assert ended.value.code == os.EX_CONFIG
    output = capsys.readouterr()
    assert output.out == ""
    assert "PORT: " in output.err
    assert SECRET not in output.err


def test_a_process_with_valid_settings_gets_them() -> None:
    assert read_settings_or_exit(Settings) == read_settings(Settings)


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "Zq3vX8sN5rT1wYu",  # fifteen characters
        "CHANGEME-Zq3vX8sN5rT1wYuB",
        "please-change-me-now-0",
        "a-placeholder-of-24-char",
        "Example-Zq3vX8sN5rT1wYuB",
        "for-development-0123456789",
        "insecure-0123456789abcdef",
        "a" * 64,
        " " * 32,
        "0101010101010101010101010101",
    ],
)
def test_a_placeholder_is_no_secret_and_the_refusal_does_not_quote_it(secret: str) -> None:
    with pytest.raises(ValueError, match=r"^COOKIE_KEY is a placeholder or shorter than 16") as no:
        refuse_placeholder("COOKIE_KEY", secret)
    assert not secret.strip() or secret not in str(no.value)


@pytest.mark.parametrize(
    "secret",
    ["Zq3vX8sN5rT1wYuB", "9f86d081884c7d65", "4OQz2m0Yk1yD3w1eY4iUuT2b6ZrX9aVnJ8sLq7p0c+E="],
)
def test_a_random_secret_of_sixteen_characters_or_more_is_accepted(secret: str) -> None:
    refuse_placeholder("COOKIE_KEY", secret)
