"""What both peer networks share: sizes from the weight file, and the token table of a grid."""
import numpy as np


class Sizes:
    """Widths, depths and head counts, from the names and shapes of the arrays."""

    def __init__(self, weights):
        self.patch, self.dim = weights["tokenizer/patch_embedding/Conv_0/kernel"].shape[1::3]
        self.layers = self._count(weights, "encoder/layers_")
        self.core_layers = self._count(weights, "rnn_core/transformer/xa_blocks_")

    @staticmethod
    def _count(weights, prefix):
        return 1 + max(int(name[len(prefix):].split("/")[0]) for name in weights if name.startswith(prefix))


def load(path):
    with np.load(path) as archive:
        return {name: archive[name] for name in archive.files if not name.startswith(("decoder", "delta_", "detoken", "mask_"))}


def token_table(weights, rows, columns):
    """(1 + rows * columns, D): class token, then positional code plus the bias of the patch embedding."""
    import jax

    dim = weights["cls_token"].shape[1]
    channel = np.arange(dim)
    angle = np.arange(256)[:, None] / 10000.0 ** (2 * (channel // 2) / dim)
    table = np.where(channel % 2, np.cos(angle), np.sin(angle)).astype(np.float32)
    if (rows, columns) != (16, 16):
        table = np.asarray(jax.image.resize(table.reshape(16, 16, dim), (rows, columns, dim), "bicubic"))
    table = table.reshape(-1, dim) + weights["tokenizer/patch_embedding/Conv_0/bias"]
    return np.concatenate([weights["cls_token"], table]).astype(np.float32)
