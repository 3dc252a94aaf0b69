"""Unit quaternions (..., 4) in w, x, y, z order, and conversions to and from all other forms of rotation.

All functions broadcast over leading axes. Angles are in radians.
"""

import numpy as np

from rigs import Array

IDENTITY: Array = np.array([1.0, 0.0, 0.0, 0.0])


def identity(*shape: int) -> Array:
    """Identity rotations (*shape, 4)."""
    return np.broadcast_to(IDENTITY, (*shape, 4)).copy()


def multiply(a: Array, b: Array) -> Array:
    """Quaternion product, the rotation that applies `b` first and then `a`: (..., 4)."""
    a, b = np.asarray(a), np.asarray(b)
    aw, ax, ay, az = a[..., 0], a[..., 1], a[..., 2], a[..., 3]
    bw, bx, by, bz = b[..., 0], b[..., 1], b[..., 2], b[..., 3]
    w = aw * bw - ax * bx - ay * by - az * bz
    product = np.empty((*w.shape, 4), w.dtype)
    product[..., 0] = w
    product[..., 1] = aw * bx + ax * bw + ay * bz - az * by
    product[..., 2] = aw * by - ax * bz + ay * bw + az * bx
    product[..., 3] = aw * bz + ax * by - ay * bx + az * bw
    return product


def inverse(q: Array) -> Array:
    """Inverse (conjugate) of unit quaternions: (..., 4)."""
    return np.asarray(q) * np.array([1.0, -1.0, -1.0, -1.0])


def inverse_multiply(base: Array, q: Array) -> Array:
    """Rotation of `q` relative to `base`, base⁻¹ q: (..., 4)."""
    return multiply(inverse(base), q)


def rotate(q: Array, v: Array) -> Array:
    """Rotate the vectors `v` (..., 3) by `q` (..., 4)."""
    q, v = np.asarray(q), np.asarray(v)
    turned = 2.0 * _fast_cross(q[..., 1:], v)
    second = _fast_cross(q[..., 1:], turned)
    turned *= q[..., :1]
    turned += v
    turned += second
    return turned


def normalize(v: Array) -> Array:
    """Scale vectors (..., n) to length 1; a zero vector stays zero."""
    v = np.asarray(v)
    length = np.linalg.norm(v, axis=-1, keepdims=True)
    return v / np.where(length > 0.0, length, 1.0)


def unroll(q: Array) -> Array:
    """Choose the sign of each quaternion (F, ..., 4) that is nearer to the frame before, so that no curve jumps."""
    q = np.asarray(q)
    flips = np.sum(q[1:] * q[:-1], axis=-1) < 0.0
    signs = np.where(np.cumsum(flips, axis=0) % 2 == 1, -1.0, 1.0)
    return np.concatenate([q[:1], q[1:] * signs[..., None]])


def slerp(a: Array, b: Array, t: Array | float) -> Array:
    """Spherical linear interpolation from `a` to `b` (..., 4) by the fraction `t` (...) along the shorter arc."""
    a, b = np.asarray(a), np.asarray(b)
    t = np.asarray(t)[..., None]
    dot = np.sum(a * b, axis=-1, keepdims=True)
    b = np.where(dot < 0.0, -b, b)
    angle = np.arccos(np.clip(np.abs(dot), 0.0, 1.0))
    linear = angle < 1e-4
    sine = np.where(linear, 1.0, np.sin(angle))
    weight_a = np.where(linear, 1.0 - t, np.sin((1.0 - t) * angle) / sine)
    weight_b = np.where(linear, t, np.sin(t * angle) / sine)
    return normalize(weight_a * a + weight_b * b)


def mean(q: Array) -> Array:
    """Mean of the rotations `q` (N, ..., 4) over the first axis: (..., 4) (Markley et al. 2007)."""
    scatter = np.moveaxis(q, 0, -1) @ np.moveaxis(q, 0, -2)
    average = np.linalg.eigh(scatter)[1][..., -1]
    return np.asarray(average * np.where(average[..., :1] < 0.0, -1.0, 1.0))


def angle_between(a: Array, b: Array) -> Array:
    """Angle in radians between the rotations `a` and `b`: (...)."""
    difference = inverse_multiply(a, b)
    return 2.0 * np.arctan2(np.linalg.norm(difference[..., 1:], axis=-1), np.abs(difference[..., 0]))


def from_axis_angle(axis: Array, angle: Array | float) -> Array:
    """Rotation by `angle` (...) about the unit vector `axis` (..., 3): (..., 4)."""
    half = np.asarray(angle)[..., None] / 2.0
    axis, half = np.broadcast_arrays(np.asarray(axis, dtype=float), half)
    return np.concatenate([np.cos(half[..., :1]), np.sin(half[..., :1]) * axis], axis=-1)


def from_rotation_vector(vector: Array) -> Array:
    """Exponential map of rotation vectors (..., 3), axis times angle, to quaternions (..., 4)."""
    vector = np.asarray(vector)
    angle = np.linalg.norm(vector, axis=-1)
    return from_axis_angle(normalize(vector), angle)


def to_rotation_vector(q: Array) -> Array:
    """Logarithm map of quaternions to rotation vectors (..., 3), axis times angle, at most pi long."""
    q = np.asarray(q)
    q = np.where(q[..., :1] < 0.0, -q, q)
    sine = np.linalg.norm(q[..., 1:], axis=-1, keepdims=True)
    angle = 2.0 * np.arctan2(sine, q[..., :1])
    return q[..., 1:] * np.where(sine > 1e-9, angle / np.where(sine > 1e-9, sine, 1.0), 2.0)


def between(u: Array, v: Array) -> Array:
    """Shortest-arc rotation (..., 4) from the direction `u` (..., 3) to `v` (..., 3): a swing without twist."""
    u, v = np.broadcast_arrays(normalize(u), normalize(v))
    dot = np.sum(u * v, axis=-1, keepdims=True)
    # 1 + dot loses its digits when the directions are nearly opposite
    real = np.where(dot < -0.9, np.sum((u + v) ** 2, axis=-1, keepdims=True) / 2.0, 1.0 + dot)
    q = np.concatenate([real, _fast_cross(u, v)], axis=-1)
    perpendicular = np.eye(3)[np.argmin(np.abs(u), axis=-1)]
    half_turn = np.concatenate([np.zeros_like(dot), normalize(_fast_cross(u, perpendicular))], axis=-1)
    return normalize(np.where(real < 1e-14, half_turn, q))


def swing(q: Array, rest_direction: Array, direction: Array) -> Array:
    """Swing rotations `q` (..., 4) by the shortest arc that takes a bone's `rest_direction` to `direction` (..., 3)."""
    return multiply(between(rotate(q, rest_direction), direction), q)


def from_matrix(matrix: Array) -> Array:
    """Quaternions (..., 4) of rotation matrices (..., 3, 3), by the largest of four candidates (Shepperd 1978)."""
    m = np.asarray(matrix)
    m00, m11, m22 = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    x, y, z = m[..., 2, 1], m[..., 0, 2], m[..., 1, 0]
    x_, y_, z_ = m[..., 1, 2], m[..., 2, 0], m[..., 0, 1]
    rows = [
        [1 + m00 + m11 + m22, x - x_, y - y_, z - z_],
        [x - x_, 1 + m00 - m11 - m22, z + z_, y + y_],
        [y - y_, z + z_, 1 - m00 + m11 - m22, x + x_],
        [z - z_, y + y_, x + x_, 1 - m00 - m11 + m22],
    ]
    candidates = np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)
    diagonal = candidates[..., [0, 1, 2, 3], [0, 1, 2, 3]]
    best = np.argmax(diagonal, axis=-1)[..., None, None]
    return normalize(np.take_along_axis(candidates, best, axis=-2)[..., 0, :])


def to_matrix(q: Array) -> Array:
    """Rotation matrices (..., 3, 3) of quaternions (..., 4)."""
    w, x, y, z = np.moveaxis(np.asarray(q), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def from_axes(x: Array, y: Array) -> Array:
    """Rotation (..., 4) whose first axis is `x` (..., 3) and whose second is as near to `y` as that allows."""
    x = normalize(x)
    z = normalize(_fast_cross(x, y))
    return from_matrix(np.stack([x, _fast_cross(z, x), z], axis=-1))


def align_vectors(u: Array, v: Array) -> Array:
    """Least-squares rotation (..., 4) from the vectors `u` (..., N, 3) to `v` (..., N, 3): the Kabsch or Wahba problem.

    Longer vectors weigh more. Davenport's q-method (Wahba 1965; Keat 1977), which never yields a reflection.
    """
    b = np.swapaxes(np.asarray(v), -1, -2) @ np.asarray(u)
    trace = np.trace(b, axis1=-2, axis2=-1)
    axis = np.stack([b[..., 2, 1] - b[..., 1, 2], b[..., 0, 2] - b[..., 2, 0], b[..., 1, 0] - b[..., 0, 1]], axis=-1)
    k = np.empty((*b.shape[:-2], 4, 4))
    k[..., 0, 0] = trace
    k[..., 0, 1:] = k[..., 1:, 0] = axis
    k[..., 1:, 1:] = b + np.swapaxes(b, -1, -2) - trace[..., None, None] * np.eye(3)
    return np.linalg.eigh(k)[1][..., -1]


def from_euler(angles: Array, order: str) -> Array:
    """Rotations (..., 4) of intrinsic Euler angles (..., N) in radians.

    order: N letters such as 'ZXY', the outermost axis first.
    """
    half = np.asarray(angles, dtype=float) / 2.0
    cosines, sines = np.cos(half), np.sin(half)
    w, v = np.ones(half.shape[:-1]), [np.zeros(half.shape[:-1]) for _ in range(3)]
    for n, letter in enumerate(order):
        i = "XYZ".index(letter)
        j, k = (i + 1) % 3, (i + 2) % 3
        cosine, sine = cosines[..., n], sines[..., n]
        w, v[i] = w * cosine - v[i] * sine, v[i] * cosine + w * sine
        v[j], v[k] = v[j] * cosine + v[k] * sine, v[k] * cosine - v[j] * sine
    return np.stack([w, *v], axis=-1)


def to_euler(q: Array, order: str) -> Array:
    """Intrinsic Euler angles (..., 3) in radians, in any of the twelve orders (Bernardes and Viollet 2022).

    In gimbal lock the last angle is zero.
    """
    i, j, k = ("XYZ".index(letter) for letter in reversed(order))
    proper = i == k
    if proper:
        k = 3 - i - j
    sign = (i - j) * (j - k) * (k - i) // 2
    q = np.asarray(q)
    w, qi, qj, qk = q[..., 0], q[..., 1 + i], q[..., 1 + j], q[..., 1 + k] * sign
    a, b, c, d = (w, qi, qj, qk) if proper else (w - qj, qi + qk, qj + w, qk - qi)
    middle = 2.0 * np.arctan2(np.hypot(c, d), np.hypot(a, b))
    half_sum, half_difference = np.arctan2(b, a), np.arctan2(d, c)
    first, last = half_sum + half_difference, half_sum - half_difference
    low, high = np.abs(middle) < 1e-7, np.abs(middle - np.pi) < 1e-7
    first = np.where(low, 2.0 * half_sum, np.where(high, 2.0 * half_difference, first))
    last = np.where(low | high, 0.0, last)
    if not proper:
        first, middle = first * sign, middle - np.pi / 2.0
    angles = np.stack([first, middle, last], axis=-1)
    return (angles + np.pi) % (2.0 * np.pi) - np.pi


def heading(q: Array) -> Array:
    """Heading (...) in radians: the yaw about Z of a body that faces -Y at rest.

    Where the body faces nearly straight up or down, its left side decides.
    """
    forward = rotate(q, np.array([0.0, -1.0, 0.0]))
    left = rotate(q, np.array([1.0, 0.0, 0.0]))
    upright = np.hypot(forward[..., 0], forward[..., 1]) > 0.2
    by_forward = np.arctan2(forward[..., 0], -forward[..., 1])
    by_left = np.arctan2(left[..., 1], left[..., 0])
    return np.where(upright, by_forward, by_left)


def about_z(angle: Array | float) -> Array:
    """Rotations (..., 4) about the vertical axis by `angle` (...)."""
    return from_axis_angle(np.array([0.0, 0.0, 1.0]), np.asarray(angle, dtype=float))


def _fast_cross(a: Array, b: Array) -> Array:
    """Cross product (..., 3), several times faster than numpy's."""
    ax, ay, az = a[..., 0], a[..., 1], a[..., 2]
    bx, by, bz = b[..., 0], b[..., 1], b[..., 2]
    x = ay * bz - az * by
    product = np.empty((*x.shape, 3), x.dtype)
    product[..., 0] = x
    product[..., 1] = az * bx - ax * bz
    product[..., 2] = ax * by - ay * bx
    return product
