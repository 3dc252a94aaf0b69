"""Operators that help an animator to edit a generated dance by hand."""
