"""The `smle` command: one thin file per verb."""
