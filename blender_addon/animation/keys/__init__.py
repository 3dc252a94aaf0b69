"""Keyframes: F-curves in bulk, channels, actions and NLA strips."""
