"""Property groups of scenes and armatures, options of operators, and add-on preferences."""
