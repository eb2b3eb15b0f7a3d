#!/usr/bin/python3
"""flow.py DAVIS [--size WxH] [--frames N] [--every N]: masks that follow a dense optical flow, the DIS of OpenCV, from frame to frame: what somebody has who
takes a classical method. Needs python3-opencv and numpy.

The mask of the first frame, one map for each object, is reduced to --size, where the flow is computed; from then on each map is what the one before has
where the flow from this frame back to that one points (bilinear). The largest map of a pixel, in the size of the masks, is its object. J and F are those of
`rvm-cl-train evaluate`, over the same frames, and so is the table; its column of the copied mask must be the same. make-quality --flow compares it."""
import argparse
import math
import pathlib

import cv2
import numpy as np

TOLERANCE = 0.008  # of the diagonal, as trainer/evaluate/mask_measures.c has it


def region(truth, result):
    either = np.count_nonzero(truth | result)
    return np.count_nonzero(truth & result) / either if either else 1.0


def boundary_of(mask):
    edge = np.zeros_like(mask)
    edge[:, :-1] |= mask[:, :-1] != mask[:, 1:]
    edge[:-1] |= mask[:-1] != mask[1:]
    edge[:-1, :-1] |= mask[:-1, :-1] != mask[1:, 1:]
    return edge


def boundary(truth, result, disk):
    a, b = boundary_of(truth), boundary_of(result)
    if not a.any() or not b.any():
        return float(a.any() == b.any())
    precision = (b & (cv2.dilate(a.astype(np.uint8), disk) > 0)).sum() / b.sum()
    recall = (a & (cv2.dilate(b.astype(np.uint8), disk) > 0)).sum() / a.sum()
    return 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0


def measure(truth, result, objects, disk):
    """J and F, means over objects."""
    return (np.mean([region(truth == value, result == value) for value in objects]),
            np.mean([boundary(truth == value, result == value, disk) for value in objects]))


def read_mask(path):
    mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if mask is None or mask.ndim != 2:
        raise SystemExit(f"{path}: expected a grey picture, as the masks of video/ and masks/ are")
    return mask


def follow(davis, name, size, frames):
    """J, F of the copied mask and of the flow."""
    masks = sorted((davis / "masks" / name).glob("*.png"))
    first = read_mask(masks[0])
    objects = [value for value in np.unique(first) if value]
    radius = math.ceil(TOLERANCE * math.hypot(*first.shape))
    y, x = np.mgrid[-radius:radius + 1, -radius:radius + 1]
    disk = (abs(x) <= np.sqrt(radius * radius - y * y).astype(int)).astype(np.uint8)
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    video = cv2.VideoCapture(str(davis / "video" / f"{name}.mp4"))
    maps = [cv2.resize((first == value).astype(np.float32), size, interpolation=cv2.INTER_AREA) for value in objects]
    grid = np.stack(np.meshgrid(np.arange(size[0], dtype=np.float32), np.arange(size[1], dtype=np.float32)), -1)
    before, scores = None, []
    for index in range(min(frames or len(masks), len(masks) - 1)):
        there, picture = video.read()
        if not there:
            raise SystemExit(f"{name}: the video has fewer frames than there are masks")
        grey = cv2.cvtColor(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
        if before is not None:
            place = grid + flow.calc(grey, before, None)
            maps = [cv2.remap(part, place, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) for part in maps]
            large = np.stack([cv2.resize(part, first.shape[::-1], interpolation=cv2.INTER_LINEAR) for part in maps])
            background = 1 - large.sum(0)
            result = np.where(large.max(0) > background, np.array(objects)[large.argmax(0)], 0)
            truth = read_mask(masks[index])
            scores.append((*measure(truth, first, objects, disk), *measure(truth, result, objects, disk)))
        before = grey
    return np.mean(scores, 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("davis", type=pathlib.Path)
    parser.add_argument("--size", default="208x112")
    parser.add_argument("--frames", type=int, default=0, help="the first of each sequence (default: all)")
    parser.add_argument("--every", type=int, default=1)
    args = parser.parse_args()
    size = tuple(map(int, args.size.split("x")))
    print("| sequence | first mask copied | DIS flow |\n| --- | --- | --- |")
    for video in sorted((args.davis / "video").glob("*.mp4"))[::args.every]:
        a, b, c, d = follow(args.davis, video.stem, size, args.frames)
        print(f"| {video.stem} | {a:.3f} {b:.3f} **{(a + b) / 2:.3f}** | {c:.3f} {d:.3f} **{(c + d) / 2:.3f}** |", flush=True)


if __name__ == "__main__":
    main()
