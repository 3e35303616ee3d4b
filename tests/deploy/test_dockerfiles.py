"""What every image promises, read from its Dockerfile."""

import re
from pathlib import Path

import pytest
from pythons.promise import image_version

ROOT = Path(__file__).parents[2]
IMAGES = {
    "services/auth": ("auth", "8080 8090"),
    "services/mcp": ("mcp", "8081 8091"),
    "services/todo-api": ("todo-api", "8082 8092"),
    "dev/pingone-simulator": ("pingone-simulator", "9080"),
}


@pytest.fixture(params=IMAGES)
def member(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def instructions(member: str) -> list[tuple[str, str]]:
    """The Dockerfile's instructions with their arguments, continuation lines joined."""
    text = (ROOT / member / "Dockerfile").read_text()
    joined = re.sub(r"\\\n\s*", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE))
    return [(line.split()[0], line.partition(" ")[2]) for line in joined.splitlines() if line]


@pytest.fixture
def final_stage(instructions: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """What comes after the last FROM."""
    last = max(index for index, (name, _) in enumerate(instructions) if name == "FROM")
    return instructions[last + 1 :]


def test_the_folders_tested_here_are_all_that_have_a_dockerfile() -> None:
    found = {
        str(file.parent.relative_to(ROOT))
        for group in ("services", "libs", "dev")
        for file in ROOT.glob(f"{group}/*/Dockerfile")
    }
    assert found == set(IMAGES)


def test_both_stages_begin_with_the_base_that_the_builder_chose(
    instructions: list[tuple[str, str]],
) -> None:
    assert instructions[0] == ("ARG", f"BASE_IMAGE=python:{image_version()}-slim")
    stages = [argument for name, argument in instructions if name == "FROM"]
    assert stages == ["${BASE_IMAGE} AS builder", "${BASE_IMAGE}"]


def test_no_other_image_is_fetched_for_the_build(member: str) -> None:
    text = (ROOT / member / "Dockerfile").read_text()
    assert "syntax=" not in text
    assert set(re.findall(r"--from=(\S+)", text)) == {"builder"}


def test_whatever_comes_from_the_network_is_pinned_by_hash(
    member: str, instructions: list[tuple[str, str]]
) -> None:
    commands = [
        command
        for name, argument in instructions
        if name == "RUN"
        for command in argument.split("&&")
        if "/pip" in command
    ]
    fetching = [command for command in commands if "--no-index" not in command]
    lock, _ = IMAGES[member]
    for command, file in zip(fetching, ("build", lock), strict=True):
        assert "--require-hashes" in command
        assert f"--requirement requirements/{file}.txt" in command
    for command in commands:
        assert "--require-hashes" in command or "--no-deps" in command


def test_every_requirement_in_the_locks_has_a_hash(member: str) -> None:
    lock, _ = IMAGES[member]
    for name in ("build", lock):
        text = (ROOT / "requirements" / f"{name}.txt").read_text()
        entries = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
        assert entries
        for entry in entries:
            assert "==" in entry.splitlines()[0]
            assert "--hash=sha256:" in entry


def test_the_image_holds_the_finished_environment_and_nothing_of_the_build(
    final_stage: list[tuple[str, str]],
) -> None:
    copies = [argument for name, argument in final_stage if name in {"COPY", "ADD"}]
    assert copies == ["--from=builder /venv /venv"]
    assert "RUN" not in {name for name, _ in final_stage}


def test_the_process_is_not_root_and_writes_no_bytecode(
    final_stage: list[tuple[str, str]],
) -> None:
    assert ("USER", "10001:10001") in final_stage
    environment = " ".join(argument for name, argument in final_stage if name == "ENV")
    assert "PYTHONDONTWRITEBYTECODE=1" in environment
    assert "_LISTEN_HOST=0.0.0.0" in environment


def test_the_entry_point_is_the_process_itself_and_not_a_shell(
    final_stage: list[tuple[str, str]],
) -> None:
    arguments = [argument for name, argument in final_stage if name in {"ENTRYPOINT", "CMD"}]
    assert arguments
    assert all(re.fullmatch(r'\["[^\]]+"\]', argument) for argument in arguments)


def test_health_is_asked_for_on_the_port_that_no_client_reaches(
    member: str, final_stage: list[tuple[str, str]]
) -> None:
    _, ports = IMAGES[member]
    assert ("EXPOSE", ports) in final_stage
    (check,) = [argument for name, argument in final_stage if name == "HEALTHCHECK"]
    (variable,) = re.findall(r"os\.environ\['(\w+)'\]", check)
    environment = " ".join(argument for name, argument in final_stage if name == "ENV")
    assert f"{variable}={ports.split()[-1]}" in environment.split()
    assert "/livez" in check


@pytest.mark.parametrize("variable", ["AUTH_DATABASE_URL", "TODO_DATABASE_URL"])
def test_the_embedded_database_is_no_default_in_an_image(variable: str) -> None:
    images = "".join((ROOT / member / "Dockerfile").read_text() for member in IMAGES)
    assert f'{variable}=""' in images


def test_the_build_context_is_what_dockerignore_allows() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    allowed = [rule.removeprefix("!") for rule in rules if rule.startswith("!")]
    for path in allowed:
        assert (ROOT / path).exists(), path
        assert "*" not in path
        assert not path.endswith(("/tests", ".env"))
