"""Workers, which hold the engine and answer requests."""
