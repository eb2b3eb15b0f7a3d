"""One frame of RVM (encoder and core) as a JAX function, as somebody who uses JAX would write it."""
import jax
import jax.numpy as jnp

from rvm_weights import Sizes, token_table


def layer_norm(x, scale, bias=None, epsilon=1e-6):
    mean = x.mean(-1, keepdims=True)
    x = (x - mean) * jax.lax.rsqrt(jnp.square(x - mean).mean(-1, keepdims=True) + epsilon) * scale
    return x if bias is None else x + bias


def norm(p, key, x):
    return layer_norm(x, p[key + "/scale"], p[key + "/bias"])


def attention(p, key, x, context):
    def project(part, value):
        return jnp.einsum("nd,dhk->nhk", value, p[f"{key}/{part}/kernel"]) + p[f"{key}/{part}/bias"]

    q, k, v = project("query", x), project("key", context), project("value", context)
    scores = jnp.einsum("qhk,mhk->hqm", q / jnp.sqrt(q.shape[-1]).astype(q.dtype), k)
    mixed = jnp.einsum("hqm,mhk->qhk", jax.nn.softmax(scores, -1), v)
    return jnp.einsum("qhk,hkd->qd", mixed, p[key + "/out/kernel"]) + p[key + "/out/bias"]


def mlp(p, key, x):
    hidden = jax.nn.gelu(x @ p[key + "/dense_in/kernel"] + p[key + "/dense_in/bias"], approximate=True)
    return hidden @ p[key + "/dense_out/kernel"] + p[key + "/dense_out/bias"]


def tokens(p, patch, table, pixels):
    height, width, _ = pixels.shape
    patches = pixels.astype(jnp.float32) / 255
    patches = patches.reshape(height // patch, patch, width // patch, patch, 3).transpose(0, 2, 1, 3, 4).reshape(-1, patch * patch * 3)
    kernel = p["tokenizer/patch_embedding/Conv_0/kernel"]
    embedded = patches @ kernel.reshape(-1, kernel.shape[-1])
    return table.at[1:].add(embedded)


def encode(p, layers, x):
    for i in range(layers):
        key = f"encoder/layers_{i}"
        y = norm(p, key + "/attention_norm", x)
        x = x + attention(p, key + "/attention", y, y)
        x = x + mlp(p, key + "/mlp", norm(p, key + "/mlp_norm", x))
    return norm(p, "encoder/LayerNorm_0", x)


def cross_transformer(p, root, layers, x, context):
    for i in range(layers):
        key = f"{root}/xa_blocks_{i}"
        x = x + attention(p, key + "/ca_attention", norm(p, key + "/ca_attention_norm", x), context)
        x = x + mlp(p, key + "/mlp", norm(p, key + "/mlp_norm", x))
        y = norm(p, key + "/attention_norm", x)
        x = x + attention(p, key + "/attention", y, y)
    return norm(p, root + "/output_norm", x)


def fold(p, core_layers, e, s):
    u = jax.nn.sigmoid(e @ p["rnn_core/input_update/kernel"] + s @ p["rnn_core/state_update/kernel"])
    r = jax.nn.sigmoid(e @ p["rnn_core/input_reset/kernel"] + s @ p["rnn_core/state_reset/kernel"])
    c = r * layer_norm(s, p["rnn_core/state_layer_norm/scale"], epsilon=1e-4)
    return (1 - u) * s + u * cross_transformer(p, "rnn_core/transformer", core_layers, e, c)


def build(weights, height, width):
    """step (pixels uint8 (H, W, 3), state) -> state, compiled; the weights are constants on the device."""
    sizes = Sizes(weights)
    table = jnp.asarray(token_table(weights, height // sizes.patch, width // sizes.patch))
    device_weights = {name: jnp.asarray(value) for name, value in weights.items()}

    @jax.jit
    def step(p, pixels, state):
        return fold(p, sizes.core_layers, encode(p, sizes.layers, tokens(p, sizes.patch, table, pixels)), state)

    return lambda pixels, state: step(device_weights, pixels, state)
