"""Clips in which an object is followed, goes away, and comes back: what planted departures of tests and of docs/make-calibration are made of. The truth is
known for every pixel. Pictures are rendered from random numbers, or given."""
import numpy as np

WIDTH, HEIGHT, FRAMES = 416, 224, 75
AWAY = range(20, 50)  # frames on which a covered object, or one of another scene, is not seen
KINDS = ("leaves", "is covered", "cut", "is behind grey")
MARGIN = 60  # pixels that a background has around what is seen, for its slow pan


def smooth(rng, height, width, cells):
    """Random colours, (height, width, 3) of 0 to 1, between points that are a `cells`-th of the width apart."""
    coarse = rng.uniform(size=(cells * height // width + 2, cells + 1, 3))
    y, x = np.arange(height) * cells / width, np.arange(width) * cells / width
    top, left = y.astype(int), x.astype(int)
    v, u = (y - top)[:, None, None], (x - left)[None, :, None]
    above = coarse[top][:, left] * (1 - u) + coarse[top][:, left + 1] * u
    below = coarse[top + 1][:, left] * (1 - u) + coarse[top + 1][:, left + 1] * u
    return above * (1 - v) + below * v


def background(rng):
    height, width = HEIGHT + 2 * MARGIN, WIDTH + 2 * MARGIN
    return 255 * (0.6 * smooth(rng, height, width, 5) + 0.25 * smooth(rng, height, width, 24) + 0.15 * smooth(rng, height, width, 90))


def sprite(rng):
    """An ellipse of two colours and a texture, (height, width, 4)."""
    height, width = rng.integers(60, 100), rng.integers(70, 120)
    y, x = np.mgrid[-1:1:height * 1j, -1:1:width * 1j]
    parts = np.where((x * np.cos(2) + y * np.sin(2) > 0.1)[..., None], rng.uniform(size=3), rng.uniform(size=3))
    picture = 255 * (0.7 * parts + 0.3 * smooth(rng, height, width, 6))
    return np.dstack([picture, 255.0 * (x * x + y * y < 1)])


def paste(picture, what, x, y, mask):
    """@what, (height, width, 4), at the pixel @x, @y; what it covers is set in @mask."""
    height, width = what.shape[:2]
    left, top, right, bottom = max(x, 0), max(y, 0), min(x + width, WIDTH), min(y + height, HEIGHT)
    if left >= right or top >= bottom:
        return
    part = what[top - y:bottom - y, left - x:right - x]
    alpha = part[..., 3:] / 255
    picture[top:bottom, left:right] = picture[top:bottom, left:right] * (1 - alpha) + part[..., :3] * alpha
    mask[top:bottom, left:right] |= part[..., 3] > 127


def clip(kind, rng, behind, other, what):
    """Frames, bytes (FRAMES, HEIGHT, WIDTH, 3), and masks, bool. @behind: the background; @other: a picture as large, of another scene; @what: the object."""
    start, pan = (rng.uniform(60, 200), rng.uniform(20, HEIGHT - what.shape[0] - 10)), rng.uniform(-0.5, 0.5, 2)
    frames, masks = np.zeros((FRAMES, HEIGHT, WIDTH, 3), np.uint8), np.zeros((FRAMES, HEIGHT, WIDTH), bool)
    for t in range(FRAMES):
        left, top = (MARGIN + pan * t).astype(int)
        picture = behind[top:top + HEIGHT, left:left + WIDTH].astype(float)
        x = start[0] + 1.5 * min(t, 20) + 6 * np.sin(t / 5)
        y = start[1] + 4 * np.cos(t / 4)
        if kind == "leaves" and t > 20:
            x += 12 * (t - 20 if t < 50 else max(75 - t, 0) if t < 62 else 0)
        if kind == "cut" and t in AWAY:
            picture = other[MARGIN:MARGIN + HEIGHT, MARGIN:MARGIN + WIDTH].astype(float)
        else:
            paste(picture, what, int(x), int(y), masks[t])
        if kind in ("is covered", "is behind grey") and t in AWAY:
            right, bottom = int(x) + what.shape[1] + 12, int(y) + what.shape[0] + 12
            hole = np.s_[max(int(y) - 12, 0):bottom, max(int(x) - 12, 0):right]
            picture[hole] = other[MARGIN:MARGIN + HEIGHT, MARGIN:MARGIN + WIDTH][hole] if kind == "is covered" else 128
            masks[t][hole] = False
        frames[t] = picture.clip(0, 255)
    return frames, masks


def longest_run(flags):
    longest = run = 0
    for flag in flags:
        run = run + 1 if flag else 0
        longest = max(longest, run)
    return longest
