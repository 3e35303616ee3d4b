"""`auth clients add` for clients with keys of their own."""

import json
from pathlib import Path

import pytest
from auth_commands import Commands
from auth_harness import REDIRECT_URI, AuthUnderTest
from client_assertions import EC, key_set, proof

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ADD = ("clients", "add", "--name", "Build agent", "--redirect-uri", REDIRECT_URI)
JWKS_URI = "https://ci.example/jwks.json"


@pytest.fixture
def run(auth: AuthUnderTest, monkeypatch: pytest.MonkeyPatch) -> Commands:
    return Commands(auth, monkeypatch)


def jwks_file(folder: Path, text: str) -> tuple[str, str]:
    """The option that names a file with this text."""
    file = folder / "jwks.json"
    file.write_text(text, encoding="utf-8")
    return "--jwks-file", str(file)


@ON_SQLITE
async def test_an_added_client_with_keys_signs_in_and_has_no_secret(
    auth: AuthUnderTest, run: Commands, tmp_path: Path
) -> None:
    auth.published.publish(JWKS_URI, key_set(EC))
    file = jwks_file(tmp_path, json.dumps(key_set(EC)))
    for option in (file, ("--jwks-uri", JWKS_URI)):
        [added] = await run.json(*ADD, *option)
        assert set(added) == {"client_id"}
        auth.client_id = added["client_id"]
        code = await auth.obtain_code()
        response = await auth.exchange(code, **proof(auth, auth.client_id))
        assert response.status_code == 200, response.text
    [shown] = await run.json("clients", "show", auth.client_id)
    assert shown["token_endpoint_auth_method"] == "private_key_jwt"
    assert shown["jwks_uri"] == JWKS_URI


@ON_SQLITE
async def test_keys_that_cannot_be_used_are_refused_in_a_line(
    auth: AuthUnderTest, run: Commands, tmp_path: Path
) -> None:
    uri, file = ("--jwks-uri", JWKS_URI), jwks_file(tmp_path, json.dumps(key_set(EC)))
    for options in ((*uri, *file), (*uri, "--confidential"), (*file, "--confidential")):
        assert (await run(*ADD, *options)).exit_code == 2, options
    missing = await run(*ADD, "--jwks-file", str(tmp_path / "none"))
    assert missing.exit_code == 2
    assert "No such file" in missing.stderr
    assert (await run(*ADD, *jwks_file(tmp_path, "no JSON"))).exit_code == 2
    private = jwks_file(tmp_path, json.dumps({"keys": [EC.as_dict(private=True)]}))
    for option in (private, ("--jwks-uri", "http://ci.example/jwks")):
        refused = await run(*ADD, *option)
        assert refused.exit_code == 1, option
        assert refused.stderr.count("\n") == 1
    assert [one["client_id"] for one in await run.json("clients", "list")] == [auth.client_id]
