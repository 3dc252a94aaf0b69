"""partner-flow: generates a partner for a leader by flow matching."""
