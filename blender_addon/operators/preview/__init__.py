"""Operators that render a preview."""
