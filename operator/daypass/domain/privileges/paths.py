"""The one spelling of a path of the node."""


def normal_path(path: str) -> str:
    """The path without doubled slashes, single dots and a trailing slash; nothing where it is not plainly absolute.

    Fail closed: relative paths and those with ``..`` (which the API server refuses) and paths of Windows (where case,
    slashes and short names make many spellings of one) have no spelling to compare, so they stand for every path.
    """
    parts = [part for part in path.split("/") if part not in {"", "."}]
    return f"/{'/'.join(parts)}" if path.startswith("/") and ".." not in parts else ""
