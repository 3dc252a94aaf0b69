"""The `pasdedeux` command line."""
