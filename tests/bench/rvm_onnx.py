"""One frame of RVM (encoder and core) as an ONNX graph: pixels uint8 (H, W, 3) and state in, state out.

Q, K and V are one product, as are the two gates, and operators are the fused ones of opset 20 (LayerNormalization, Gelu), so that an
engine starts from the best graph that the format allows. With `attention_op` attention is opset 23's Attention operator."""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from rvm_weights import Sizes, token_table


class Graph:
    def __init__(self, weights, height, width, attention_op):
        self.weights, self.attention_op = weights, attention_op
        self.nodes, self.constants, self.count = [], [], 0
        self.sizes = Sizes(weights)
        self.height, self.width = height, width

    def constant(self, value):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def op(self, kind, *inputs, outputs=1, **attributes):
        names = [f"t{self.count + i}" for i in range(outputs)]
        self.count += outputs
        self.nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names[0] if outputs == 1 else names

    def ints(self, *values):
        return self.constant(np.array(values, np.int64))

    def linear(self, x, kernel, bias=None):
        y = self.op("MatMul", x, self.constant(kernel))
        return y if bias is None else self.op("Add", y, self.constant(bias))

    def dense(self, x, key):
        return self.linear(x, self.weights[key + "/kernel"], self.weights[key + "/bias"])

    def norm(self, x, key):
        return self.op("LayerNormalization", x, self.constant(self.weights[key + "/scale"]), self.constant(self.weights[key + "/bias"]),
                       axis=-1, epsilon=1e-6)

    def heads_first(self, x, heads, transpose):
        x = self.op("Reshape", x, self.ints(-1, heads, self.sizes.dim // heads))
        return self.op("Transpose", x, perm=transpose)

    def attention(self, key, x, context=None):
        w, dim = self.weights, self.sizes.dim
        heads = w[key + "/query/kernel"].shape[1]

        def flat(part):
            return w[f"{key}/{part}/kernel"].reshape(dim, dim), w[f"{key}/{part}/bias"].reshape(dim)

        (kq, bq), (kk, bk), (kv, bv) = flat("query"), flat("key"), flat("value")
        scale = np.float32(1 / np.sqrt(dim // heads))
        if not self.attention_op:
            kq, bq = kq * scale, bq * scale
        if context is None:
            joined = self.linear(x, np.concatenate([kq, kk, kv], 1), np.concatenate([bq, bk, bv]))
            q, k, v = self.op("Split", joined, outputs=3, axis=-1, num_outputs=3)
        else:
            q = self.linear(x, kq, bq)
            k, v = self.op("Split", self.linear(context, np.concatenate([kk, kv], 1), np.concatenate([bk, bv])), outputs=2, axis=-1,
                           num_outputs=2)
        if self.attention_op:
            zero = self.ints(0)
            q, k, v = (self.op("Unsqueeze", t, zero) for t in (q, k, v))
            mixed = self.op("Squeeze", self.op("Attention", q, k, v, q_num_heads=heads, kv_num_heads=heads), zero)
        else:
            q, k, v = self.heads_first(q, heads, [1, 0, 2]), self.heads_first(k, heads, [1, 2, 0]), self.heads_first(v, heads, [1, 0, 2])
            mixed = self.op("MatMul", self.op("Softmax", self.op("MatMul", q, k), axis=-1), v)
            mixed = self.op("Reshape", self.op("Transpose", mixed, perm=[1, 0, 2]), self.ints(-1, dim))
        return self.linear(mixed, w[key + "/out/kernel"].reshape(dim, dim), w[key + "/out/bias"])

    def mlp(self, key, x):
        return self.dense(self.op("Gelu", self.dense(x, key + "/dense_in"), approximate="tanh"), key + "/dense_out")

    def tokens(self, pixels):
        patch = self.sizes.patch
        rows, columns = self.height // patch, self.width // patch
        x = self.op("Mul", self.op("Cast", pixels, to=TensorProto.FLOAT), self.constant(np.float32(1 / 255)))
        x = self.op("Reshape", x, self.ints(rows, patch, columns, patch, 3))
        x = self.op("Reshape", self.op("Transpose", x, perm=[0, 2, 1, 3, 4]), self.ints(rows * columns, patch * patch * 3))
        table = token_table(self.weights, rows, columns)
        x = self.op("Add", self.op("MatMul", x, self.constant(
            self.weights["tokenizer/patch_embedding/Conv_0/kernel"].reshape(-1, self.sizes.dim))), self.constant(table[1:]))
        return self.op("Concat", self.constant(table[:1]), x, axis=0)

    def encode(self, x):
        for i in range(self.sizes.layers):
            key = f"encoder/layers_{i}"
            x = self.op("Add", x, self.attention(key + "/attention", self.norm(x, key + "/attention_norm")))
            x = self.op("Add", x, self.mlp(key + "/mlp", self.norm(x, key + "/mlp_norm")))
        return self.norm(x, "encoder/LayerNorm_0")

    def fold(self, e, s):
        w = self.weights

        def both(name):
            return np.concatenate([w[f"rnn_core/{name}_update/kernel"], w[f"rnn_core/{name}_reset/kernel"]], 1)

        gates = self.op("Sigmoid", self.op("Add", self.linear(e, both("input")), self.linear(s, both("state"))))
        u, r = self.op("Split", gates, outputs=2, axis=-1, num_outputs=2)
        scale = w["rnn_core/state_layer_norm/scale"]
        c = self.op("Mul", r, self.op("LayerNormalization", s, self.constant(scale), self.constant(np.zeros_like(scale)), axis=-1, epsilon=1e-4))
        x = e
        for i in range(self.sizes.core_layers):
            key = f"rnn_core/transformer/xa_blocks_{i}"
            x = self.op("Add", x, self.attention(key + "/ca_attention", self.norm(x, key + "/ca_attention_norm"), c))
            x = self.op("Add", x, self.mlp(key + "/mlp", self.norm(x, key + "/mlp_norm")))
            x = self.op("Add", x, self.attention(key + "/attention", self.norm(x, key + "/attention_norm")))
        h = self.norm(x, "rnn_core/transformer/output_norm")
        return self.op("Add", s, self.op("Mul", u, self.op("Sub", h, s)))

    def build(self):
        state = self.fold(self.encode(self.tokens("pixels")), "state")
        self.nodes.append(helper.make_node("Identity", [state], ["next"]))
        shape = [self.height // self.sizes.patch * (self.width // self.sizes.patch) + 1, self.sizes.dim]
        graph = helper.make_graph(
            self.nodes, "rvm",
            [helper.make_tensor_value_info("pixels", TensorProto.UINT8, [self.height, self.width, 3]),
             helper.make_tensor_value_info("state", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info("next", TensorProto.FLOAT, shape)], self.constants)
        opset = 23 if self.attention_op else 20
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10 if opset < 23 else 11)


def build(weights, height, width, path, attention_op=False):
    onnx.save(Graph(weights, height, width, attention_op).build(), path)
