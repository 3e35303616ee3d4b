"""What keeps the gate from reaching a verdict, in words for the person who started it."""


class ConformanceProblem(Exception):
    """A part of the gate cannot go on. The text says what happened and what to do."""
