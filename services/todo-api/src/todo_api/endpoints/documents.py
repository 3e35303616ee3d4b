"""The JSON documents that go in and out, and the strict reading of those that come in."""

from datetime import datetime
from typing import Annotated, Literal, Self, TypeVar
from uuid import UUID

from fastapi import Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.json_schema import SkipJsonSchema

from service_kit.errors import Problem
from service_kit.header_fields import media_type
from todo_api.endpoints.cursors import cursor_after
from todo_api.todos import MAX_TEXT_LENGTH, Page, Todo, TodoChange, clean_text

MAX_BODY_BYTES = 16 * 1024  # the longest text fits, with each character escaped in JSON
DEFAULT_PAGE_LIMIT = 50
MAX_PAGE_LIMIT = 100

Text = Annotated[
    str,
    AfterValidator(clean_text),
    Field(
        description=f"1 to {MAX_TEXT_LENGTH} characters, not counting surrounding white space,"
        " which is dropped. No control characters but tab and line breaks."
    ),
]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)


class NewTodo(_Strict):
    """The body of `POST /api/todos`."""

    text: Text


class TodoPatch(_Strict):
    """The body of `PATCH /api/todos/{id}`: at least one member, and null is not a value."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    text: Text | SkipJsonSchema[None] = None
    completed: bool | SkipJsonSchema[None] = None

    @model_validator(mode="after")
    def _check_members(self) -> Self:
        given = [getattr(self, name) for name in self.model_fields_set]
        if not given or None in given:
            raise ValueError("give text, completed or both, and not null")
        return self

    def change(self) -> TodoChange:
        """Return what the store is to change."""
        return TodoChange(text=self.text, completed=self.completed)


class ListTodos(BaseModel):
    """The query of `GET /api/todos`. A parameter it does not know is refused, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    cursor: Annotated[
        str | SkipJsonSchema[None],
        Field(max_length=64, description="`next_cursor` of the page before"),
    ] = None
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE_LIMIT)] = DEFAULT_PAGE_LIMIT
    completed: Literal["true", "false"] | SkipJsonSchema[None] = None


class TodoDocument(BaseModel):
    """One todo."""

    id: UUID
    text: str
    completed: bool
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, todo: Todo) -> Self:
        """Describe a todo."""
        return cls(
            id=todo.id,
            text=todo.text,
            completed=todo.completed,
            created_at=todo.created_at,
            updated_at=todo.updated_at,
        )


class PageDocument(BaseModel):
    """Todos, oldest first; `next_cursor` is null on the last page."""

    todos: list[TodoDocument]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page) -> Self:
        """Describe a page."""
        return cls(
            todos=[TodoDocument.of(todo) for todo in page.todos],
            next_cursor=None if page.next_after is None else cursor_after(page.next_after),
        )


BodyT = TypeVar("BodyT", bound=_Strict)


async def read_json(request: Request, document: type[BodyT]) -> BodyT:
    """Read a JSON body strictly; raise a 400, 415 or 422 problem.

    By hand and not by a parameter, for the framework would parse the body of a caller who may not
    call at all, and take lone surrogates for text.
    """
    if media_type(request.scope["headers"]) != "application/json":
        raise Problem(
            415,
            "unsupported-media-type",
            "the body must be application/json",
            headers={"Accept": "application/json"},  # RFC 9110 section 15.5.16
        )
    try:
        return document.model_validate_json(await request.body())
    except ValidationError as error:
        raise _refusal(error) from None


def _refusal(error: ValidationError) -> Problem:
    # Where and what, never the value (include_input): it may be a secret sent to the wrong place.
    found = error.errors(include_url=False, include_context=False, include_input=False)
    if found[0]["type"] == "json_invalid":
        return Problem(400, "invalid-json", "the body is not a JSON document")
    errors = [
        {
            "pointer": "".join(f"/{part}" for part in item["loc"]),
            "detail": item["msg"].removeprefix("Value error, "),
        }
        for item in found
    ]
    detail = "; ".join(f"{item['pointer'] or 'body'}: {item['detail']}" for item in errors[:5])
    return Problem(422, "invalid-request", detail, extensions={"errors": errors})
