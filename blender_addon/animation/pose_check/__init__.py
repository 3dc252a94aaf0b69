"""Compare the evaluated pose with the written one, and find what holds the bones that do not follow."""
