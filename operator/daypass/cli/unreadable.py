"""How a file that can't be read is told: by its name first, in words for a person."""


def told(name: str, error: Exception) -> str:
    """One line, without the number of the error and the quotes that Python puts around names."""
    match error:
        case FileNotFoundError():
            return f"{name}: no such file"
        case OSError(strerror=str(why)):
            return f"{name}: {why[:1].lower()}{why[1:]}"
        case UnicodeDecodeError():
            return f"{name}: is not UTF-8"
        case _:
            return f"{name}: {error}"
