"""The flow-matching motion network, its features and its sampler, which partner_flow and dance_flow share."""
