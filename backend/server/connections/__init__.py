"""Who may connect to the server, who a client is, and what a connection and a client may cost."""
