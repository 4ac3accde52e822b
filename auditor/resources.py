"""Finds the folders that are shipped beside the code: `policies`, `templates`, `migrations`."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def folder(name: str) -> Path:
    """The shipped folder called `name`: inside an installed package, else at the top of a checkout.

    Raises:
        FileNotFoundError: It is in neither place, so the installation is broken.
    """
    for candidate in (_PACKAGE / "_bundled" / name, _PACKAGE.parent / name):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"the shipped folder {name!r} is missing from this installation ({_PACKAGE})")
