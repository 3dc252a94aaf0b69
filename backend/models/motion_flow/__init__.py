"""The rectified flow matching network for motion, with features and sampler, shared by partner_flow and dance_flow."""
