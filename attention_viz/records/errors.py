"""One family of errors for what people can put right: a message and a remedy."""


class AttentionVizError(Exception):
    """Says what was given and what is needed (`message`), and what to do (`remedy`)."""

    def __init__(self, message: str, remedy: str = ""):
        super().__init__(f"{message} {remedy}".strip())
        self.message = message
        self.remedy = remedy

    def again(self) -> "AttentionVizError":
        """A copy to raise: one exception raised by many threads would gather their tracebacks."""
        copy = type(self)(self.message, self.remedy)
        copy.__cause__ = self
        return copy


class BadInput(AttentionVizError):
    """Something a person typed, picked or linked to can't be measured."""


class ModelUnavailable(AttentionVizError):
    """A model on the list can't be loaded."""


class Cancelled(AttentionVizError):
    """A running measurement was asked to stop."""
