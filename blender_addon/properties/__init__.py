"""Scene settings and add-on preferences."""
