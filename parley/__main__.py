"""Lets `python -m parley` stand in for the `parley` script."""

from __future__ import annotations

from parley.cli import main

if __name__ == "__main__":
    main()
