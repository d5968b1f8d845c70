"""Names of container images: what is a registry, a tag and a digest in them. Pure."""

from __future__ import annotations

import sys
from typing import Literal, NamedTuple

from flowbook._utils.versions import versions_here

__all__ = ["ImageName", "PullPolicy", "usual_image"]

PullPolicy = Literal["IF_NOT_PRESENT", "ALWAYS", "NEVER"]


class ImageName(NamedTuple):
    """The parts of an image's name.

    Attributes:
        repository: with the registry and its port, e.g. "registry:5000/flows".
        tag: None if the name has none.
        digest: "sha256:…"; None if the name has none.
    """

    repository: str
    tag: str | None = None
    digest: str | None = None

    @classmethod
    def parse(cls, text: str) -> ImageName:
        """Return the parts of "registry:5000/team/flows:2@sha256:…": only a colon behind the last slash begins a tag."""
        name, _, digest = text.partition("@")
        before, slash, last = name.rpartition("/")
        last, _, tag = last.partition(":")
        return cls(f"{before}{slash}{last}", tag or None, digest or None)

    @property
    def version(self) -> str:
        """The digest, else the tag, else "latest": what of the repository is meant."""
        return self.digest or self.tag or "latest"

    def pull_policy(self, given: str | None) -> str:
        """Return when the image is pulled: what was given, else always where it may have changed under that name."""
        if given is not None:
            return given
        return "ALWAYS" if self.version == "latest" else "IF_NOT_PRESENT"


def usual_image() -> str:
    """Return the name that an image of this flowbook and this Python has where nobody names one; people make it themselves."""
    return f"flowbook:{versions_here()['flowbook']}-python{sys.version_info.major}.{sys.version_info.minor}"
