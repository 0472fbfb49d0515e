"""Write what the chart carries of other sources: the CRDs from ``crds/``, and its README from ``values.yaml``.

``python helm/refresh.py`` writes, ``python helm/refresh.py --check`` only says what is stale and fails.
Copies, because a packaged chart holds files of its own folder only and Helm follows no links into a package.
"""

import sys
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).resolve().parent.parent
CHART = REPOSITORY / "helm" / "daypass"
INTRODUCTION = (CHART / "README.in.md").read_text()
MARK = "# -- "


def wanted() -> dict[Path, str]:
    """Every generated file of the chart with the text that it should have."""
    sources = sorted((REPOSITORY / "crds").glob("*.yaml"))
    files = {CHART / "files" / "crds" / source.name: source.read_text() for source in sources}
    rows = table((CHART / "values.yaml").read_text())
    return files | {CHART / "README.md": INTRODUCTION.replace("<!-- values -->", rows)}


def table(text: str) -> str:
    """The values as a table: each ``# --`` comment describes the key on the line below it."""
    values = yaml.safe_load(text)
    rows = ["| value | default | what it is |", "|---|---|---|"]
    path: list[str] = []
    comment: list[str] = []
    for line in text.splitlines():
        indent, word = (len(line) - len(line.lstrip())) // 2, line.strip()
        if word.startswith(MARK):
            comment = [word.removeprefix(MARK)]
        elif word.startswith("#") and comment:
            comment.append(word.removeprefix("#").strip())
        elif ":" in word and not word.startswith("#"):
            path = [*path[:indent], word.split(":", 1)[0]]
            if comment:
                rows.append(f"| `{'.'.join(path)}` | `{shown(values, path)}` | {' '.join(comment)} |")
            comment = []
    return "\n".join(rows)


def shown(values: dict[str, Any], path: list[str]) -> str:
    """A default as one line of YAML."""
    value: Any = values
    for key in path:
        value = value[key]
    if isinstance(value, str):
        return f'"{value}"' if not value or " " in value else value
    return yaml.safe_dump(value, default_flow_style=True, width=1000).removesuffix("\n...\n").strip()


def main(arguments: list[str]) -> int:
    """Write or check; returns the exit code."""
    files = wanted()
    folder = CHART / "files" / "crds"
    stale = [path for path, text in files.items() if not path.exists() or path.read_text() != text]
    left = [path for path in sorted(folder.glob("*.yaml")) if path not in files]
    names = ", ".join(str(path.relative_to(REPOSITORY)) for path in [*stale, *left])
    if "--check" in arguments:
        if names:
            print(f"stale, run `make generate`: {names}", file=sys.stderr)
        return 1 if names else 0
    folder.mkdir(parents=True, exist_ok=True)
    for path in stale:
        path.write_text(files[path])
    for path in left:
        path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
