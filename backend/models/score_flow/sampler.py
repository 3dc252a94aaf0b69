"""Sampler of score-flow: Euler steps along the rectified flow, with classifier-free guidance."""

from collections.abc import Callable

from backend.models.common.array_api import AnyArray, array_namespace, constant_like
from backend.models.score_flow.conditions import ScoreCondition

GUIDANCE = 1.5
"""Scale of the classifier-free guidance by the dance."""
STEPS = 12
"""Euler steps per bar."""


def sample_latents(
    predict: Callable[[AnyArray, AnyArray, ScoreCondition], AnyArray],
    noise: AnyArray,
    condition: ScoreCondition,
    *,
    steps: int = STEPS,
    guidance: float = GUIDANCE,
) -> AnyArray:
    """Sample normalized latents (B, latent_dim) from noise by Euler steps, with classifier-free guidance.

    predict: the network, see `network.flow.ScoreFlow.forward`.  guidance: scale of the dance's influence, 1 as trained.
    """
    xp = array_namespace(noise)
    latents, size, guided = noise, len(noise), guidance != 1.0
    if guided:
        condition = condition.concat(condition.drop_dance())
    for step in range(steps):
        t = constant_like([step / steps] * len(condition.dance), noise)
        if guided:
            predicted = predict(xp.concat([latents, latents]), t, condition)
            with_dance, without = predicted[:size], predicted[size:]
            clean = without + guidance * (with_dance - without)
        else:
            clean = predict(latents, t, condition)
        latents = latents + (clean - latents) / (steps - step)
    return latents
