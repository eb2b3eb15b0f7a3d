"""The forward pass of RVM in numpy and double precision, written from the published description and independent of the C code: encoder, core
and state for weights of any sizes. Checked itself against the authors' recorded outputs by test_reference.py."""
import numpy as np


def positions(rows, columns, dim):
    """(rows, columns, dim): the fixed 16 x 16 table, resized as jax.image.resize(..., "bicubic") does."""
    channel = np.arange(dim)
    angle = np.arange(256)[:, None] / 10000 ** (2 * (channel // 2) / dim)
    table = np.where(channel % 2 == 0, np.sin(angle), np.cos(angle)).reshape(16, 16, dim)
    if (rows, columns) == (16, 16):
        return table
    return np.einsum("ri,cj,ijd->rcd", resize_matrix(rows), resize_matrix(columns), table)


def resize_matrix(size, old=16):
    stretch = max(old / size, 1)
    centre = (np.arange(size) + 0.5) * old / size - 0.5
    x = np.abs(centre[:, None] - np.arange(old)) / stretch
    near, far = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    weights = np.where(x < 1, near, np.where(x < 2, far, 0))
    return weights / weights.sum(axis=1, keepdims=True)


def norm(x, scale, bias=0.0, epsilon=1e-6):
    x = x - x.mean(axis=-1, keepdims=True)
    return x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + epsilon) * scale + bias


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class Model:
    def __init__(self, weights):
        self.weights = {name: np.asarray(array, np.float64) for name, array in weights.items()}
        self.patch = self.weights["tokenizer/patch_embedding/Conv_0/kernel"].shape[1]
        self.dim = self.weights["cls_token"].shape[-1]
        self.state = None

    def named(self, prefix):
        return {name[len(prefix) :]: array for name, array in self.weights.items() if name.startswith(prefix)}

    def count(self, prefix):
        numbers = [int(name[len(prefix) :].split("/")[0]) for name in self.weights if name.startswith(prefix)]
        return max(numbers) + 1

    @staticmethod
    def attention(w, name, x, context):
        q, k, v = (np.einsum("nd,dhe->hne", source, w[f"{name}/{part}/kernel"]) + w[f"{name}/{part}/bias"][:, None]
                   for source, part in ((x, "query"), (context, "key"), (context, "value")))
        scores = np.einsum("hne,hme->hnm", q / np.sqrt(q.shape[-1]), k)
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        scores /= scores.sum(axis=-1, keepdims=True)
        return np.einsum("hnm,hme,hed->nd", scores, v, w[f"{name}/out/kernel"], optimize=True) + w[f"{name}/out/bias"]

    @staticmethod
    def mlp(w, x):
        x = x @ w["mlp/dense_in/kernel"] + w["mlp/dense_in/bias"]
        x = 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
        return x @ w["mlp/dense_out/kernel"] + w["mlp/dense_out/bias"]

    @staticmethod
    def normed(w, name, x):
        return norm(x, w[f"{name}/scale"], w[f"{name}/bias"])

    def encode(self, frame):
        p = self.patch
        rows, columns = frame.shape[0] // p, frame.shape[1] // p
        patches = (frame / 255.0).reshape(rows, p, columns, p, 3).swapaxes(1, 2).reshape(rows * columns, -1)
        kernel = self.weights["tokenizer/patch_embedding/Conv_0/kernel"].reshape(-1, self.dim)
        x = patches @ kernel + self.weights["tokenizer/patch_embedding/Conv_0/bias"]
        x = np.concatenate([self.weights["cls_token"], x + positions(rows, columns, self.dim).reshape(-1, self.dim)])
        for layer in range(self.count("encoder/layers_")):
            w = self.named(f"encoder/layers_{layer}/")
            y = self.normed(w, "attention_norm", x)
            x = x + self.attention(w, "attention", y, y)
            x = x + self.mlp(w, self.normed(w, "mlp_norm", x))
        return self.normed(self.named("encoder/"), "LayerNorm_0", x)

    def push(self, frame):
        """The features of @frame (H, W, 3), which are the next state: (1 + N, dim)."""
        e = self.encode(frame)
        core = self.named("rnn_core/")
        s = np.zeros_like(e) if self.state is None else self.state
        u = sigmoid(e @ core["input_update/kernel"] + s @ core["state_update/kernel"])
        r = sigmoid(e @ core["input_reset/kernel"] + s @ core["state_reset/kernel"])
        c = r * norm(s, core["state_layer_norm/scale"], epsilon=1e-4)
        x = e
        for layer in range(self.count("rnn_core/transformer/xa_blocks_")):
            w = self.named(f"rnn_core/transformer/xa_blocks_{layer}/")
            x = x + self.attention(w, "ca_attention", self.normed(w, "ca_attention_norm", x), c)
            x = x + self.mlp(w, self.normed(w, "mlp_norm", x))
            y = self.normed(w, "attention_norm", x)
            x = x + self.attention(w, "attention", y, y)
        h = self.normed(self.named("rnn_core/transformer/"), "output_norm", x)
        self.state = (1 - u) * s + u * h
        return self.state
