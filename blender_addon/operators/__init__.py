"""Operators: everything that a button or a script can call."""
