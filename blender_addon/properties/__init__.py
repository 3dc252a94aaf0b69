"""Property groups of scenes and armatures, operator options and add-on preferences: what is saved in files and settings."""
