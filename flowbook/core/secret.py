"""A secret: the flow holds its name, and only a task that asks for it gets the value."""

from __future__ import annotations

import os
from typing import Any

from flowbook._context import context
from flowbook.engine.masks import secret_variable
from flowbook.exceptions import DefinitionError, MissingSecretError

__all__ = ["Secret"]


class Secret:
    """The name of a secret; `get()` returns its value.

    Pass the Secret itself to a task and call `get()` inside: then no event, store or picture contains the value, and it is
    never sent anywhere. If the task prints or logs it, or an exception contains it, the run shows `*****`. The value is
    looked up in `context.secrets`, then in the environment as `FLOWBOOK_SECRET_NAME` (upper case; characters other than
    letters and digits become `_`).

    Args:
        name: e.g. "db-password".
    """

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        if not isinstance(name, str) or not name.strip():
            msg = "A Secret needs a name, a text: Secret('db-password'). Its value is looked up by that."
            raise DefinitionError(msg)
        self.name = name

    @property
    def variable(self) -> str:
        """The environment variable that may hold it."""
        return secret_variable(self.name)

    def get(self) -> Any:  # noqa: ANN401  # a text from the environment; from the context, whatever was put there
        """Return the value.

        Raises:
            MissingSecretError: if neither has it.
        """
        secrets = context.get("secrets") or {}
        if self.name in secrets:
            return secrets[self.name]
        if self.variable in os.environ:
            return os.environ[self.variable]
        msg = (
            f"No secret {self.name!r} here. Set the environment variable {self.variable}, "
            f"or run inside `with flowbook.context(secrets={{{self.name!r}: ...}})`."
        )
        raise MissingSecretError(msg, name=self.name, variable=self.variable)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other.name == self.name

    def __hash__(self) -> int:
        return hash(("Secret", self.name))

    def __repr__(self) -> str:
        return f"Secret({self.name!r})"
