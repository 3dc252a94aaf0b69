"""Live sessions: a partner that dances with a performer, frame by frame."""
