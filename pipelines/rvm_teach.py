"""What pipelines/teach knows apart from its window: a History of what the model saw, a Lesson of what was held when, and learn(), which makes a readout
of both in closed form. The readout is the linear one of kind class that rvm-cl-train readout makes, too (docs/model.md, section 9). It learns from windows as
a live stream has them: of any phase, with what came before in them. A window that ends in the second half of a stretch is of the class that was held, one
that has next to nothing of any stretch is of the class NOTHING."""
import json
import math
import struct
import threading

import numpy as np

NOTHING = "nothing"
WINDOW, SLOTS, CELLS, MOST_STRIDE = 16, 9, 8, 8
ENDS = 8  # windows that are taken of a stretch, or of a pause between two
CHUNK, LEAD, CHUNKS = 1500, WINDOW * MOST_STRIDE, 6  # frames of a run, those of the run before that it begins with, and runs that are kept without a stretch
SETTLING = 0.2  # of the window: how long after a stretch nothing is learnt
PENALTY = 0.003  # as rvm-cl-train readout class has it
FOLDS = 10
PLAIN_SCALE = 8  # of the scores, where nothing could be held out to find a better one
SCALES = 2 * 1.15 ** np.arange(20)


class Unready(Exception):
    """There is nothing to learn from yet; its text says what is missing."""


def pool(patches):
    """(CELLS, CELLS, dim): the means over a grid of cells of patches (rows, columns, dim), each normalised, as model/readout/pooled.c has them."""
    x = patches.astype(np.float64)
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6)
    edges = [[(i * n // CELLS, max((i + 1) * n // CELLS, i * n // CELLS + 1)) for i in range(CELLS)] for n in x.shape[:2]]
    return np.stack([np.stack([x[top:bottom, left:right].mean((0, 1)) for left, right in edges[1]]) for top, bottom in edges[0]]).astype(np.float32)


class Run:
    """Frames that follow each other without a reset. The first @lead are the end of another run, for the windows of those that follow."""

    def __init__(self, times=(), states=()):
        self.times, self.states, self.lead = list(times), list(states), len(times)


class History:
    """Pooled states of the analysed frames. A streaming thread adds to it, others read it."""

    def __init__(self):
        self.lock, self.runs, self.key, self.update, self.about, self.frames = threading.Lock(), [], None, None, None, 0

    def add(self, features, time, stretches=()):
        """The @features of the frame at @time, in seconds of the stream. What is held in @stretches is never forgotten."""
        key = (features.source, features.generation, features.model_id)
        if features.carried or (key, features.update) == (self.key, self.update):
            return
        patches = np.frombuffer(features.get_patches().get_data(), np.float32).reshape(features.rows, features.columns, features.dim)
        state = pool(patches).astype(np.float16)  # half the memory
        with self.lock:
            self.about = {"model": features.model_id, "width": features.analysis_width, "height": features.analysis_height}
            run = self.runs[-1] if self.runs else None
            if run is None or key != self.key or time <= run.times[-1]:
                self.runs.append(Run())
            elif len(run.times) - run.lead >= CHUNK:
                self.runs.append(Run(run.times[-LEAD:], run.states[-LEAD:]))
                self.forget(stretches)
            self.key, self.update = key, features.update
            self.runs[-1].times.append(time)
            self.runs[-1].states.append(state)
            self.frames += 1

    def forget(self, stretches):
        """The oldest runs in which nothing was held."""
        idle = [run for run in self.runs if not any(start <= run.times[-1] and end >= run.times[0] for start, end, _ in stretches)]
        for run in idle[:-CHUNKS]:
            self.runs.remove(run)

    def read(self):
        """(times, states, lead) of each run, and what they are of."""
        with self.lock:
            return [(np.array(run.times), list(run.states), run.lead) for run in self.runs], self.about


class Lesson:
    """Stretches (start, end, class), in seconds, in which a class was held. One is held at a time."""

    def __init__(self):
        self.stretches, self.held, self.version = [], None, 0

    def press(self, name, time):
        if self.held and self.held[1] == name:
            return
        self.release(time)
        self.held = (time, name)

    def release(self, time):
        """False: what was held was held for no time, or time went back in between."""
        held, self.held = self.held, None
        if held is None or time <= held[0]:
            return False
        self.stretches.append((held[0], time, held[1]))
        self.version += 1
        return True

    def undo(self):
        if self.stretches:
            self.version += 1
            return self.stretches.pop()
        return None

    def rename(self, before, now):
        self.stretches = [(start, end, now if name == before else name) for start, end, name in self.stretches]
        self.version += 1

    def classes(self):
        """In the order in which they were held first."""
        return list(dict.fromkeys(name for _, _, name in self.stretches))


class Readout:
    """What was learnt: arrays, metadata, and in words how well."""

    def __init__(self, classes, arrays, metadata, counts, recognised, tried):
        self.classes, self.arrays, self.metadata, self.counts, self.recognised, self.tried = classes, arrays, metadata, counts, recognised, tried

    def describe(self):
        times = ", ".join(f"{count} x {name}" for name, count in self.counts.items())
        return times + (f"; of {self.tried} stretches and pauses that were held out, {self.recognised} are recognised" if self.tried
                        else "; too few of a class to be held out")

    def write(self, path):
        header, at = {"__metadata__": self.metadata}, 0
        for name, array in self.arrays.items():
            header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [at, at + array.nbytes]}
            at += array.nbytes
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        with open(path, "wb") as file:
            file.write(struct.pack("<Q", len(text)) + text + b"".join(np.ascontiguousarray(array, "<f4").tobytes() for array in self.arrays.values()))


def spread(indices, most):
    return [indices[i] for i in sorted({round(x) for x in np.linspace(0, len(indices) - 1, min(most, len(indices)))})] if len(indices) else []


def find_windows(runs, stretches, stride):
    """(run, last frame, class, group) of the windows to learn from. Those of one stretch, or of one pause, are a group."""
    span, found, pauses = (WINDOW - 1) * stride, [], []
    for number, (times, _, lead) in enumerate(runs):
        held = np.full(len(times), -1)
        for i, (start, end, _) in enumerate(stretches):
            held[(times >= start) & (times < end)] = i
        frames = np.arange(len(times))
        full = (frames >= lead) & (frames // stride + 1 >= WINDOW // 2)
        for i in np.unique(held[held >= 0]):
            inside = np.flatnonzero(held == i)
            ends = inside[len(inside) // 2:]
            found += [(number, end, stretches[i][2], ("held", i)) for end in spread(ends[full[ends]], ENDS)]
        # Right after a stretch it is still going on, as far as a window can tell.
        after = frames - np.maximum.accumulate(np.where(held >= 0, frames, -span))
        idle = np.flatnonzero((held < 0) & full & (after > SETTLING * span))
        for part, pause in enumerate(np.split(idle, np.flatnonzero(np.diff(idle) > 1) + 1)):
            pauses.append([(number, end, NOTHING, ("pause", number, part)) for end in spread(pause, max(ENDS, len(pause) // span))])
    most = max(2 * ENDS, len(found))
    return found + spread([window for pause in pauses for window in pause], most)


def make_vector(states, end, stride):
    """The window that ends with frame @end, less its first state, its change and its travel, one behind the other, as rvm_pooled_vector() makes them."""
    n = min(WINDOW, end // stride + 1)
    window = np.stack([states[end - stride * age] for age in range(n - 1, -1, -1)]).astype(np.float32)
    steps = np.sqrt((np.diff(window, axis=0) ** 2).mean(-1))
    change = np.concatenate([steps[:1], steps]) if n > 1 else np.zeros(window.shape[:-1], np.float32)
    travel = np.sqrt(((window - window[0]) ** 2).mean(-1))
    at = np.arange(SLOTS) * (n - 1) / (SLOTS - 1)
    before = at.astype(int)
    after = np.minimum(before + 1, n - 1)
    share = (at - before).astype(np.float32)[:, None]
    flat = [part.reshape(n, -1) for part in (window - window[0], change, travel)]
    return np.concatenate([((1 - share) * part[before] + share * part[after]).reshape(-1) for part in flat])


def divide(vectors):
    """Where the parts of @vectors lie in them: window, change and travel."""
    cells = SLOTS * CELLS * CELLS
    return [slice(0, vectors.shape[-1] - 2 * cells), slice(vectors.shape[-1] - 2 * cells, vectors.shape[-1] - cells), slice(vectors.shape[-1] - cells, None)]


def level(vectors):
    """Divides each part by the root of its variance, in place, so that all parts weigh the same. Returns what each value was divided by."""
    scale = np.ones(vectors.shape[1], np.float32)
    for part in divide(vectors):
        variance = vectors[:, part].var(0).sum()
        scale[part] = math.sqrt(variance) if variance > 0 else 1
    vectors /= scale
    return scale


def fit(products, label, classes, penalty):
    """Ridge regression of indicators in which classes weigh the same, as trainer/evaluate/classifier.c solves it: coefficients of the vectors, and bias."""
    m, count = len(label), np.bincount(label, minlength=classes)
    weight = m / ((count > 0).sum() * count[label])
    mean_product = products @ weight / m
    centred = products - mean_product[:, None] - mean_product + weight @ mean_product / m
    targets = np.eye(classes)[label]
    mean = weight @ targets / m
    ridge = max(penalty * (weight @ np.diag(centred)) / m, 1e-12) * m
    coefficients = np.linalg.solve(centred + np.diag(ridge / weight), targets - mean)
    return coefficients, mean - mean_product @ coefficients


def hold_out(products, label, group, classes):
    """The mean scores of every group that was held out and is of a class that others are of, too; and the classes of these groups."""
    first = {g: label[group == g][0] for g in range(group.max() + 1)}
    groups = [g for g in first if list(first.values()).count(first[g]) > 1]
    scores, right = [], []
    for out in (groups[fold::FOLDS] for fold in range(min(FOLDS, len(groups)))):
        train = ~np.isin(group, out)
        coefficients, bias = fit(products[np.ix_(train, train)], label[train], classes, PENALTY)
        for g in (g for g in out if first[g] in label[train]):
            right.append(first[g])
            scores.append((products[np.ix_(group == g, train)] @ coefficients + bias).mean(0))
    return np.array(scores), np.array(right, int)


def loss(scores, label, scale):
    x = scores * scale
    top = x.max(1)
    return (top + np.log(np.exp(x - top[:, None]).sum(1)) - x[np.arange(len(label)), label]).mean()


def choose_scale(products, label, group, classes):
    """The scale that makes what is held out most likely; how many stretches were recognised, of how many."""
    scores, right = hold_out(products, label, group, classes)
    if not len(right):
        return PLAIN_SCALE, 0, 0
    return min(SCALES, key=lambda scale: loss(scores, right, scale)), scores.argmax(1) == right, len(right)


def learn(history, lesson):
    """A Readout of what was held, or Unready."""
    runs, about = history.read()
    stretches, names = list(lesson.stretches), lesson.classes()
    lengths = sorted(sum(int(((times >= start) & (times < end)).sum()) for times, _, _ in runs) for start, end, _ in stretches)
    if not lengths or not lengths[-1]:
        raise Unready("hold a class while it happens")
    stride = min(max(math.ceil((lengths[len(lengths) // 2] - 1) / (WINDOW - 1)), 1), MOST_STRIDE)
    windows = find_windows(runs, stretches, stride)
    names = [name for name in [*names, NOTHING] if any(window[2] == name for window in windows)]
    if len(names) < 2:
        raise Unready("one class so far: hold another one, or wait a little while nothing happens")
    vectors = np.stack([make_vector(runs[run][1], end, stride) for run, end, _, _ in windows])
    label = np.array([names.index(name) for _, _, name, _ in windows])
    numbers = {key: i for i, key in enumerate(dict.fromkeys(window[3] for window in windows))}
    group = np.array([numbers[window[3]] for window in windows])
    unit = level(vectors)
    products = (vectors @ vectors.T).astype(np.float64)
    scale, right, tried = choose_scale(products, label, group, len(names))
    coefficients, bias = fit(products, label, len(names), PENALTY)
    kernel = scale * (vectors.T.astype(np.float64) @ coefficients) / unit[:, None]
    window, change, travel = (kernel[part] for part in divide(vectors))
    counts = {name: sum(1 for _, _, other in stretches if other == name) for name in names if name != NOTHING}
    grid = SLOTS, CELLS, CELLS
    arrays = {"linear/kernel": window.reshape(*grid, -1, len(names)), "linear/bias": scale * bias,
              "linear/change": change.reshape(*grid, len(names)), "linear/travel": travel.reshape(*grid, len(names))}
    arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
    readout = Readout(names, arrays, None, counts, int(np.sum(right)), tried)
    steps = np.concatenate([np.diff(times) for times, _, _ in runs])
    metadata = {"format": "rvm-readout", "version": "1", "kind": "class", "features": "state", **about, "window": WINDOW, "stride": stride, "reference": "first",
                "classes": "\n".join(names), "material": f"taught by pipelines/teach: {readout.describe()}",
                "measured": f"stretches and pauses, held out in turn: {readout.recognised} of {tried} recognised" if tried else "not measured: too few of a class"}
    if len(steps) and np.median(steps) > 0:
        metadata["frame-rate"] = f"{1 / np.median(steps):.6g}"
    readout.metadata = {key: str(value) for key, value in metadata.items()}
    return readout
