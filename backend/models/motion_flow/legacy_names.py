"""Names of 0.1.0 in the weight files of this network, which still load."""

LEGACY_KEYS = {
    "read_past": "past_proj",
    "read_noisy": "noisy_proj",
    "read_leader": "leader_proj",
    "read_goal": "target_proj",
    "read_energy": "energy_proj",
    "unheard": "null_condition",
    "places": "position_embedding",
    "roles": "role_embedding",
    "clock": "time_mlp",
    "mood": "modulation",
    "look": "qkv",
    "gather": "attention_out",
    "think": "mlp",
    "finish": "out_norm",
    "write": "out_proj",
    "energy": "energy_stats",
    "bodies": "bone_offsets",
    "floors": "floor_heights",
    "starts": "initial_pasts",
    "stances": "initial_leader_poses",
    "counts": "initial_counts",
}
"""State-dict names of 0.1.0 and today's."""
LEGACY_CONFIG = {"over": "blend"}
"""Config fields of 0.1.0 and today's."""
