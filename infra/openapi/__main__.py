"""`python -m infra.openapi`: write the API's description to docs/openapi.json."""

import sys

from infra.openapi.document import PATH, text, undescribed


def main() -> int:
    """Write the file, unless a route has no description; return the exit code."""
    if missing := undescribed():
        print(f"Neither more nor less than the API's routes belongs into infra/openapi/operations.py: {missing}")
        return 1
    PATH.write_text(text(), "utf-8")
    print(f"written: docs/{PATH.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
