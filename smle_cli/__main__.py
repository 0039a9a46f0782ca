"""`python -m smle_cli` is `smle`."""

from __future__ import annotations

from smle_cli.main import main

if __name__ == "__main__":
    main()
