"""Names of container images: what is a registry, a tag and a digest in them. Pure.

Source: the grammar of references in github.com/distribution/reference.
"""

from __future__ import annotations

import re
import sys
from typing import Literal, NamedTuple

from flowbook._utils.versions import versions_here

__all__ = ["ImageName", "PullPolicy", "is_image_name", "usual_image"]

PullPolicy = Literal["IF_NOT_PRESENT", "ALWAYS", "NEVER"]

_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_TAG = r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}"
_DIGEST = r"[a-zA-Z][a-zA-Z0-9]*(?:[-_+.][a-zA-Z][a-zA-Z0-9]*)*:[0-9a-fA-F]{32,}"
_NAME = re.compile(rf"(?:{_HOST}/)?{_PART}(?:/{_PART})*(?::{_TAG})?(?:@{_DIGEST})?")


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


def is_image_name(text: str) -> bool:
    """Return whether engines and registries take this as the name of an image, or as its id."""
    return _NAME.fullmatch(text) is not None


def usual_image() -> str:
    """Return the name that an image of this flowbook and this Python has where nobody names one; people make it themselves."""
    return f"flowbook:{versions_here()['flowbook']}-python{sys.version_info.major}.{sys.version_info.minor}"
