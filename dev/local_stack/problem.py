"""What goes wrong before or while the stack runs, in words for the person who started it."""


class StackProblem(Exception):
    """The stack cannot start or go on. The text says what happened and what to do."""
