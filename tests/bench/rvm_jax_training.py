"""One training step of RVM as a JAX function, as somebody who uses JAX would write it: loss of a batch, its gradients, clipping, AdamW."""
import jax
import jax.numpy as jnp
import numpy as np

from rvm_jax import cross_transformer, encode, fold, norm
from rvm_weights import Sizes, token_table


def position_code(positions, dim):
    channel = np.arange(dim)
    angle = np.arange(positions)[:, None] / 10000.0 ** (2 * (channel // 2) / dim)
    return np.where(channel % 2, np.cos(angle), np.sin(angle)).astype(np.float32)


def split_patches(pixels, patch):
    height, width, _ = pixels.shape
    patches = pixels.astype(jnp.float32) / 255
    return patches.reshape(height // patch, patch, width // patch, patch, 3).transpose(0, 2, 1, 3, 4).reshape(-1, patch * patch * 3)


def build_loss(weights, height, width, kept):
    """loss (p, source (B, S, H, W, 3), target (B, T, H, W, 3), gaps (B, T), order (B, T, N)): mean squared error over masked patches."""
    sizes, patch = Sizes(weights), Sizes(weights).patch
    decoder_layers = Sizes._count(weights, "decoder/xa_blocks_")
    rows, columns = height // patch, width // patch
    # What the table has beside weights: positions.
    table = jnp.asarray(token_table({**weights, "cls_token": 0 * weights["cls_token"], "tokenizer/patch_embedding/Conv_0/bias": 0 * weights["tokenizer/patch_embedding/Conv_0/bias"]},
                                    rows, columns)[1:])
    code = jnp.asarray(position_code(rows * columns, weights["decoder_embedder/kernel"].shape[1]))

    def embed(p, patches, positions):
        kernel = p["tokenizer/patch_embedding/Conv_0/kernel"]
        x = patches @ kernel.reshape(-1, kernel.shape[-1]) + p["tokenizer/patch_embedding/Conv_0/bias"] + positions
        return jnp.concatenate([p["cls_token"], x])

    def to_decoder(p, x):
        return x @ p["decoder_embedder/kernel"] + p["decoder_embedder/bias"]

    def target_loss(p, context, pixels, gap, order):
        patches = split_patches(pixels, patch)
        visible = order[:kept]
        seen = to_decoder(p, encode(p, sizes.layers, embed(p, patches[visible], table[visible])))
        x = jnp.broadcast_to(p["mask_token"].reshape(1, -1), code.shape).at[visible].set(seen[1:])
        x = x + code + p["delta_embedder/kernel"][gap] + p["delta_embedder/bias"]
        x = cross_transformer(p, "decoder", decoder_layers, jnp.concatenate([seen[:1], x]), context)[1:]
        error = jnp.square(x @ p["detokenizer/Dense_0/kernel"] + p["detokenizer/Dense_0/bias"] - patches).mean(-1)
        return error[order[kept:]].mean()

    def sample_loss(p, source, target, gaps, order):
        encoded = jax.vmap(lambda frame: encode(p, sizes.layers, embed(p, split_patches(frame, patch), table)))(source)
        _, features = jax.lax.scan(lambda s, e: (fold(p, sizes.core_layers, e, s),) * 2, jnp.zeros_like(encoded[0]), encoded)
        context = to_decoder(p, features.reshape(-1, features.shape[-1]))
        return jax.vmap(lambda *one: target_loss(p, context, *one))(target, gaps, order).mean()

    return lambda p, *batch: jax.vmap(lambda *one: sample_loss(p, *one))(*batch).mean()


def build_step(loss, clip=1.0, b1=0.9, b2=0.95, epsilon=1e-8, decay=0.05):
    """step (p, m, v, t, rate, batch...) -> p, m, v, loss, compiled; p, m and v are given away."""

    def step(p, m, v, t, rate, *batch):
        value, g = jax.value_and_grad(loss)(p, *batch)
        total = jnp.sqrt(sum(jnp.square(x).sum() for x in g.values()))
        g = {k: x * jnp.minimum(1, clip / total) for k, x in g.items()}
        m = {k: b1 * m[k] + (1 - b1) * g[k] for k in p}
        v = {k: b2 * v[k] + (1 - b2) * jnp.square(g[k]) for k in p}
        p = {k: p[k] - rate * (m[k] / (1 - b1**t) / (jnp.sqrt(v[k] / (1 - b2**t)) + epsilon) + (decay * p[k] if k.endswith("/kernel") else 0)) for k in p}
        return p, m, v, value, total

    return jax.jit(step, donate_argnums=(0, 1, 2))
