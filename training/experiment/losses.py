"""Losses that several models share: the sliced Wasserstein distance."""

from torch import Tensor


def sliced_wasserstein_distance(first: Tensor, second: Tensor, directions: Tensor) -> Tensor:
    """Squared sliced 2-Wasserstein distance of two point sets (B, L), mean over unit directions (D, L).

    In one dimension optimal transport matches the sorted points: Bonneel et al. 2015, "Sliced and Radon Wasserstein
    barycenters of measures". Which point of one set belongs to which of the other does not matter.
    """
    sorted_first, sorted_second = ((points @ directions.T).sort(dim=0).values for points in (first, second))
    return (sorted_first - sorted_second).square().mean()
