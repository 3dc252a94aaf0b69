"""partner-flow: a partner for a leader, by flow matching."""
