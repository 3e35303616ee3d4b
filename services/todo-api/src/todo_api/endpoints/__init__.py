"""The HTTP surface of todo-api."""
