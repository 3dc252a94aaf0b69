"""Rotations as unit quaternions (..., 4) in w, x, y, z order, and the way to and from every other form.

All functions broadcast over leading axes. Angles are in radians.
"""

import numpy as np

from rigs import Array

IDENTITY: Array = np.array([1.0, 0.0, 0.0, 0.0])


def identity(*shape: int) -> Array:
    """Rotations that change nothing, (*shape, 4)."""
    return np.broadcast_to(IDENTITY, (*shape, 4)).copy()


def multiply(a: Array, b: Array) -> Array:
    """The rotation that applies `b` first, then `a`: (..., 4)."""
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
    """The rotation that undoes `q`: (..., 4)."""
    return np.asarray(q) * np.array([1.0, -1.0, -1.0, -1.0])


def inverse_multiply(base: Array, q: Array) -> Array:
    """`q` as seen from `base`: what comes after it, (..., 4)."""
    return multiply(inverse(base), q)


def rotate(q: Array, v: Array) -> Array:
    """Turn the vectors `v` (..., 3) by `q` (..., 4)."""
    q, v = np.asarray(q), np.asarray(v)
    t = 2.0 * _fast_cross(q[..., 1:], v)
    return v + q[..., :1] * t + _fast_cross(q[..., 1:], t)


def normalize(v: Array) -> Array:
    """Scale vectors of any width to length 1; a zero vector stays zero."""
    v = np.asarray(v)
    length = np.linalg.norm(v, axis=-1, keepdims=True)
    return v / np.where(length > 0.0, length, 1.0)


def unroll(q: Array) -> Array:
    """Choose each quaternion's sign so that it is near the one before it: (F, ..., 4), frames first."""
    q = np.asarray(q)
    away = np.sum(q[1:] * q[:-1], axis=-1) < 0.0
    flips = np.where(np.cumsum(away, axis=0) % 2 == 1, -1.0, 1.0)
    return np.concatenate([q[:1], q[1:] * flips[..., None]])


def slerp(a: Array, b: Array, t: Array | float) -> Array:
    """Go from `a` to `b` (..., 4) by the fraction `t` (...) along the shorter arc."""
    a, b = np.asarray(a), np.asarray(b)
    t = np.asarray(t)[..., None]
    dot = np.sum(a * b, axis=-1, keepdims=True)
    b = np.where(dot < 0.0, -b, b)
    angle = np.arccos(np.clip(np.abs(dot), 0.0, 1.0))
    flat = angle < 1e-4
    sine = np.where(flat, 1.0, np.sin(angle))
    from_a = np.where(flat, 1.0 - t, np.sin((1.0 - t) * angle) / sine)
    from_b = np.where(flat, t, np.sin(t * angle) / sine)
    return normalize(from_a * a + from_b * b)


def angle_between(a: Array, b: Array) -> Array:
    """The angle in radians that separates `a` from `b`: (...)."""
    difference = multiply(inverse(a), b)
    return 2.0 * np.arctan2(np.linalg.norm(difference[..., 1:], axis=-1), np.abs(difference[..., 0]))


def from_axis_angle(axis: Array, angle: Array | float) -> Array:
    """Turn by `angle` (...) about the unit vector `axis` (..., 3)."""
    half = np.asarray(angle)[..., None] / 2.0
    axis, half = np.broadcast_arrays(np.asarray(axis, dtype=float), half)
    return np.concatenate([np.cos(half[..., :1]), np.sin(half[..., :1]) * axis], axis=-1)


def from_rotation_vector(vector: Array) -> Array:
    """Turn about the direction of `vector` (..., 3) by its length."""
    vector = np.asarray(vector)
    angle = np.linalg.norm(vector, axis=-1)
    return from_axis_angle(normalize(vector), angle)


def to_rotation_vector(q: Array) -> Array:
    """The axis times the angle, at most pi long: (..., 3)."""
    q = np.asarray(q)
    q = np.where(q[..., :1] < 0.0, -q, q)
    sine = np.linalg.norm(q[..., 1:], axis=-1, keepdims=True)
    angle = 2.0 * np.arctan2(sine, q[..., :1])
    return q[..., 1:] * np.where(sine > 1e-9, angle / np.where(sine > 1e-9, sine, 1.0), 2.0)


def between(u: Array, v: Array) -> Array:
    """The shortest rotation that turns the direction `u` (..., 3) into `v` (..., 3)."""
    u, v = np.broadcast_arrays(normalize(u), normalize(v))
    dot = np.sum(u * v, axis=-1, keepdims=True)
    # 1 + dot, which loses its digits when the directions are nearly opposite
    real = np.where(dot < -0.9, np.sum((u + v) ** 2, axis=-1, keepdims=True) / 2.0, 1.0 + dot)
    q = np.concatenate([real, _fast_cross(u, v)], axis=-1)
    least = np.eye(3)[np.argmin(np.abs(u), axis=-1)]
    half_turn = np.concatenate([np.zeros_like(dot), normalize(_fast_cross(u, least))], axis=-1)
    return normalize(np.where(real < 1e-14, half_turn, q))


def from_matrix(matrix: Array) -> Array:
    """Quaternions of rotation matrices (..., 3, 3): the largest of four candidates, as Shepperd (1978) does."""
    m = np.asarray(matrix)
    m00, m11, m22 = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    x, y, z = m[..., 2, 1], m[..., 0, 2], m[..., 1, 0]
    x_, y_, z_ = m[..., 1, 2], m[..., 2, 0], m[..., 0, 1]
    candidates = np.stack(
        [
            np.stack([1 + m00 + m11 + m22, x - x_, y - y_, z - z_], -1),
            np.stack([x - x_, 1 + m00 - m11 - m22, z + z_, y + y_], -1),
            np.stack([y - y_, z + z_, 1 - m00 + m11 - m22, x + x_], -1),
            np.stack([z - z_, y + y_, x + x_, 1 - m00 - m11 + m22], -1),
        ],
        axis=-2,
    )
    diagonal = candidates[..., [0, 1, 2, 3], [0, 1, 2, 3]]
    best = np.argmax(diagonal, axis=-1)[..., None, None]
    return normalize(np.take_along_axis(candidates, best, axis=-2)[..., 0, :])


def to_matrix(q: Array) -> Array:
    """Rotation matrices (..., 3, 3)."""
    w, x, y, z = np.moveaxis(np.asarray(q), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def from_axes(x: Array, y: Array) -> Array:
    """The rotation whose first axis is `x` (..., 3) and whose second is as near `y` as that allows."""
    x = normalize(x)
    z = normalize(_fast_cross(x, y))
    return from_matrix(np.stack([x, _fast_cross(z, x), z], axis=-1))


def align_vectors(u: Array, v: Array) -> Array:
    """The rotation (..., 4) that brings the vectors `u` (..., N, 3) nearest to `v` (..., N, 3) by least squares.

    Long vectors count for more. Davenport's q-method (Wahba 1965; Keat 1977), which never yields a reflection.
    """
    b = np.swapaxes(np.asarray(v), -1, -2) @ np.asarray(u)
    trace = np.trace(b, axis1=-2, axis2=-1)
    axis = np.stack([b[..., 2, 1] - b[..., 1, 2], b[..., 0, 2] - b[..., 2, 0], b[..., 1, 0] - b[..., 0, 1]], axis=-1)
    k = np.empty((*b.shape[:-2], 4, 4))
    k[..., 0, 0] = trace
    k[..., 0, 1:] = k[..., 1:, 0] = axis
    k[..., 1:, 1:] = b + np.swapaxes(b, -1, -2) - trace[..., None, None] * np.eye(3)
    return np.linalg.eigh(k)[1][..., -1]


def from_6d(columns: Array) -> Array:
    """Rotations of the first two matrix columns (..., 6), made orthonormal (Zhou et al. 2019)."""
    columns = np.asarray(columns)
    return from_axes(columns[..., :3], columns[..., 3:])


def to_6d(q: Array) -> Array:
    """The first two columns of the rotation matrix, one after the other: (..., 6)."""
    matrix = to_matrix(q)
    return np.concatenate([matrix[..., 0], matrix[..., 1]], axis=-1)


def from_euler(angles: Array, order: str) -> Array:
    """Rotations of intrinsic Euler angles (..., N), the first letter of `order` outermost, such as 'ZXY'.

    `order` has N letters, mostly three.
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
    """Intrinsic Euler angles (..., 3) in any of the twelve orders (Bernardes and Viollet 2022).

    At gimbal lock the last angle is zero.
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
    """The angle (...) about Z by which a body that faces -Y at rest is turned, from its facing direction.

    Where the body faces straight up or down its left side decides.
    """
    forward = rotate(q, np.array([0.0, -1.0, 0.0]))
    left = rotate(q, np.array([1.0, 0.0, 0.0]))
    upright = np.hypot(forward[..., 0], forward[..., 1]) > 0.2
    by_forward = np.arctan2(forward[..., 0], -forward[..., 1])
    by_left = np.arctan2(left[..., 1], left[..., 0])
    return np.where(upright, by_forward, by_left)


def about_z(angle: Array | float) -> Array:
    """Turns about the vertical by `angle` (...)."""
    return _about("Z", np.asarray(angle, dtype=float))


def _about(letter: str, angle: Array) -> Array:
    axis = np.eye(3)["XYZ".index(letter)]
    return from_axis_angle(axis, angle)


def _fast_cross(a: Array, b: Array) -> Array:
    """numpy's cross product costs several times more than writing it out."""
    ax, ay, az = a[..., 0], a[..., 1], a[..., 2]
    bx, by, bz = b[..., 0], b[..., 1], b[..., 2]
    x = ay * bz - az * by
    product = np.empty((*x.shape, 3), x.dtype)
    product[..., 0] = x
    product[..., 1] = az * bx - ax * bz
    product[..., 2] = ax * by - ay * bx
    return product
