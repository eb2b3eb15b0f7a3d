"""A clip whose truth is known: textured shapes that move over a textured ground, drawn with numpy."""
import struct
import zlib

import numpy as np

WIDTH, HEIGHT, FRAMES = 320, 192, 16
# x, y, width, height on the first frame, pixels a frame in x and y, colour.
SHAPES = [(30, 40, 48, 40, 4.0, 1.0, (220, 60, 40)), (230, 20, 40, 56, -3.0, 2.0, (40, 90, 220)), (60, 128, 64, 48, 4.0, -1.0, (60, 230, 90))]


def texture(rng, height, width, grain):
    """Smooth noise, mean 0, about -1 to 1."""
    small = rng.standard_normal((height // grain + 3, width // grain + 3))
    y, x = np.arange(height) / grain, np.arange(width) / grain
    i, j = y.astype(int)[:, None], x.astype(int)[None]
    v, u = (y % 1)[:, None], (x % 1)[None]
    return ((1 - v) * ((1 - u) * small[i, j] + u * small[i, j + 1]) + v * ((1 - u) * small[i + 1, j] + u * small[i + 1, j + 1])) / 2


def boxes(t):
    return [(x + dx * t, y + dy * t, w, h) for x, y, w, h, dx, dy, _ in SHAPES]


def render():
    """(FRAMES, HEIGHT, WIDTH, 3) uint8, and masks (FRAMES, HEIGHT, WIDTH), 0 the ground, 1 + i shape i."""
    rng = np.random.default_rng(7)
    ground = 110 + 35 * texture(rng, HEIGHT, WIDTH, 24)[..., None] * (1, 0.8, 0.6) + 12 * texture(rng, HEIGHT, WIDTH, 6)[..., None]
    skins = [np.array(s[6]) + 40 * texture(rng, s[3], s[2], 9)[..., None] for s in SHAPES]
    frames = np.empty((FRAMES, HEIGHT, WIDTH, 3), np.uint8)
    masks = np.zeros((FRAMES, HEIGHT, WIDTH), np.uint8)
    for t in range(FRAMES):
        picture = ground.copy()
        for i, ((x, y, w, h), skin) in enumerate(zip(boxes(t), skins)):
            x, y = round(x), round(y)
            picture[y:y + h, x:x + w] = skin
            masks[t, y:y + h, x:x + w] = 1 + i
        frames[t] = picture.clip(0, 255).astype(np.uint8)
    return frames, masks


def read_png(data):
    """(height, width) values of an indexed or grey PNG of 8 bits without filters: what rvmexport writes; and its palette."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, body, palette = 8, b"", None
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        content = data[at + 8:at + 8 + size]
        assert zlib.crc32(kind + content) == struct.unpack(">I", data[at + 8 + size:at + 12 + size])[0]
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", content[:10])
            assert depth == 8 and colour in (0, 3)
        elif kind == b"PLTE":
            palette = np.frombuffer(content, np.uint8).reshape(-1, 3)
        elif kind == b"IDAT":
            body += content
        at += 12 + size
    rows = np.frombuffer(zlib.decompress(body), np.uint8).reshape(height, width + 1)
    assert not rows[:, 0].any(), "filtered rows"
    return rows[:, 1:], palette


def write_png(path, mask):
    """A grey PNG of 8 bits."""
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    height, width = mask.shape
    rows = b"".join(b"\0" + row.tobytes() for row in mask)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
                     + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def overlap(a, b):
    """Intersection over union of two boxes x, y, width, height."""
    across = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    along = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    both = max(across, 0) * max(along, 0)
    return both / (a[2] * a[3] + b[2] * b[3] - both)
