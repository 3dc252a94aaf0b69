"""What the training of partner_flow and dance_flow shares: windows, statistics and the training task."""
