"""Operators that generate a partner, or a range of one."""
