"""Layers that Keras has not as a run computes them, as texts of a plain Keras script."""

from __future__ import annotations

from typing import Any

_DROPOUT = '''\
class Dropout(layers.Dropout):
    """Dropout whose random bits are a hash of the layer's seed, of the step and of the place of a number.

    The hash is triple32 (https://nullprogram.com/blog/2018/07/31/).
    """

    def call(self, inputs, training=False):
        if not training:
            return inputs
        seed = tf.cast(self.seed_generator.next(), tf.uint32)
        weights = np.random.SeedSequence(0).generate_state(4).reshape(2, 2) | np.uint32(1)
        one = tf.constant(1, tf.uint32)
        key = (seed[0] + one) * weights[0] + (seed[1] + one) * weights[1]
        bits = tf.cast(tf.range(tf.size(inputs)), tf.uint32) * word(0x9E3779B9) + key[0]
        bits = mixed(bits, 17) * word(0xED5AD4BB)
        bits = mixed(bits, 11) * word(0xAC4C1B51)
        bits = mixed(bits + key[1], 15) * word(0x31848BAB)
        bits = tf.reshape(mixed(bits, 14), tf.shape(inputs))
        kept = tf.cast(bits >= word(round(self.rate * 2**32)), inputs.dtype)
        return inputs * (kept * tf.constant(1 / (1 - self.rate), inputs.dtype))


def word(number):
    return tf.constant(number, tf.uint32)


def mixed(bits, shift):
    return tf.bitwise.bitwise_xor(bits, tf.bitwise.right_shift(bits, word(shift)))
'''

_LEARNED_POSITIONS = '''\
class LearnedPositions(layers.Layer):
    """Adds a learned vector to each step."""

    def build(self, shape):
        start = keras.initializers.TruncatedNormal(stddev=0.02)
        self.table = self.add_weight(shape=shape[1:], initializer=start, name="embeddings")

    def call(self, inputs):
        return inputs + self.table
'''

_TRANSFORMER_BLOCK = '''\
class SelfAttention(layers.Layer):
    """Each step looks at all of them, in several heads."""

    def __init__(self, heads):
        super().__init__()
        self.heads = heads

    def build(self, shape):
        width = shape[-1]
        self.project = layers.Dense(3 * width, use_bias=False)
        self.merge = layers.Dense(width)
        self.project.build(shape)
        self.merge.build(shape)

    def call(self, inputs):
        steps, width = ops.shape(inputs)[1], inputs.shape[-1]
        projected = ops.reshape(self.project(inputs), (-1, steps, 3, self.heads, width // self.heads))
        queries, keys, values = ops.unstack(projected, 3, axis=2)
        attended = ops.dot_product_attention(queries, keys, values)
        return self.merge(ops.reshape(attended, (-1, steps, width)))


class TransformerBlock(layers.Layer):
    """Attention, then two dense layers, each on normalised inputs and added to them."""

    def __init__(self, heads, expansion, activation="gelu", name=None):
        super().__init__(name=name)
        self.heads, self.expansion, self.activation = heads, expansion, activation

    def build(self, shape):
        width = shape[-1]
        self.attention_norm = layers.LayerNormalization()
        self.attention = SelfAttention(self.heads)
        self.dense_norm = layers.LayerNormalization()
        self.expand = layers.Dense(self.expansion * width, self.activation)
        self.contract = layers.Dense(width)
        for layer in (self.attention_norm, self.attention, self.dense_norm, self.expand):
            layer.build(shape)
        self.contract.build((*shape[:-1], self.expansion * width))

    def call(self, inputs):
        x = inputs + self.attention(self.attention_norm(inputs))
        return x + self.contract(self.expand(self.dense_norm(x)))
'''

_SEQUENCE_POOLING = '''\
class SequencePooling(layers.Layer):
    """The mean of the steps, weighted by a learned softmax over them."""

    def build(self, shape):
        self.score = layers.Dense(1, use_bias=False)
        self.score.build(shape)

    def call(self, inputs):
        shares = ops.softmax(self.score(inputs)[..., 0])[:, None]
        return ops.matmul(shares, inputs)[:, 0]
'''

OWN_LAYERS = {
    "Dropout": _DROPOUT,
    "LearnedPositions": _LEARNED_POSITIONS,
    "SequencePooling": _SEQUENCE_POOLING,
    "TransformerBlock": _TRANSFORMER_BLOCK,
}
# What layers of kexp's can do and those of a script cannot, with what stands for not doing it.
LEFT_OUT: dict[str, dict[str, Any]] = {
    "TransformerBlock": {
        "rotary": False,
        "causal": False,
        "dropout": 0.0,
        "stochastic_depth": 0.0,
        "block_norm": "layer",
        "feed_forward": "dense",
        "query_key_norm": False,
        "zero_init": False,
    }
}
