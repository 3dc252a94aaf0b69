"""Training shared by partner_flow and dance_flow: data set, statistics and task of a motion flow."""
