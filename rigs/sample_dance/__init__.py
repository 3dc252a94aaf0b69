"""A procedural sample dance: a salsa basic that needs no mocap file."""
