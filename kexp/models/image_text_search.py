"""A trained dual encoder with what stands before it, as the model that is recorded, asked and exported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from kexp.core.errors import InputError
from kexp.core.types import Tensor
from kexp.models.dual_encoder import DualEncoder
from kexp.models.preprocessing.tokens import tokens_of
from kexp.models.signatures import Signature

__all__ = ["ImageTextSearch"]

_AT_ONCE = 256


@keras.saving.register_keras_serializable(package="kexp")
class ImageTextSearch(keras.Model):
    """Embeddings of raw images and raw texts, and the known text that is nearest to each image.

    Called with images it gives {"text": (batch,) strings, "similarity": (batch,), "lead": (batch,),
    "embedding": (batch, width)}, of which the similarity is the cosine of the embeddings of image and text,
    and the lead what it has above the next text. The embeddings of the known texts are computed at each call.

    Args:
        model: The encoders; they are not copied, so that what they learn later shows in the outputs.
        tokenizer: From `tokenizer`, for the texts.
        texts: The known ones, such as those of training; of those with the same tokens the first is kept.

    Raises:
        InputError: The models do not belong together, or there is no text.

    Example:
        >>> import kexp
        >>> reads = kexp.models.tokenizer(["red ball", "green ball"], split="space")
        >>> images = kexp.models.cnn((8, 8, 3), 16, filters=(4,))
        >>> encoder = kexp.models.transformer_encoder((None,), 16, width=8, depth=1, vocabulary=7)
        >>> model = kexp.models.DualEncoder(images, encoder)
        >>> search = ImageTextSearch(model, reads, ["red ball", "green ball", "red ball"])
        >>> search.texts, search(np.zeros((3, 8, 8, 3), "uint8"))["embedding"].shape
        (('red ball', 'green ball'), TensorShape([3, 16]))
        >>> search.text_embeddings(["ball"]).shape
        (1, 16)
        >>> labels, probabilities = search.classify(np.zeros((2, 8, 8, 3), "uint8"), ["ball", "sky"])
        >>> labels.shape, probabilities.shape
        ((2,), (2, 2))
    """

    def __init__(
        self, model: DualEncoder, tokenizer: keras.Model, texts: Sequence[str] | np.ndarray, **options: Any
    ) -> None:
        super().__init__(**options)
        known = [layer.input_dim for layer in model.text_encoder.layers if hasattr(layer, "input_dim")]
        size = tokens_of(tokenizer).size
        if known and known[0] != size:
            raise InputError(
                f"tokenizer must have the {known[0]} tokens that the model was built for; received {size}."
            )
        if not len(texts):
            raise InputError("texts must be known texts, 1 or more; received none.")
        self.model, self.tokenizer = model, tokenizer
        different = np.array(list(dict.fromkeys(str(text) for text in texts)), object)
        tokens = np.asarray(tokenizer(ops.convert_to_tensor(different)))
        _, first = np.unique(tokens, axis=0, return_index=True)
        kept = np.sort(first)
        self.texts = tuple(different[kept].tolist())
        self._tokens = tokens[kept]
        self.built = True  # its parts are

    def call(self, images: Tensor, training: bool = False) -> Any:
        """Return "text", "similarity", "lead" and "embedding" of raw images."""
        import tensorflow as tf

        embedding = self.model(images, training=False)
        similarities = ops.matmul(embedding, ops.transpose(self.model.encode_tokens(self._tokens)))
        best, places = ops.top_k(similarities, min(2, len(self.texts)))
        lead = best[:, 0] - best[:, 1] if len(self.texts) > 1 else best[:, 0] + 1.0
        text = tf.gather(tf.constant(self.texts), places[:, 0])
        return {"text": text, "similarity": best[:, 0], "lead": lead, "embedding": embedding}

    def encode_text(self, texts: Tensor) -> Any:
        """Return (batch, width) float32 of length 1 of (batch,) strings."""
        return self.model.encode_tokens(self.tokenizer(texts))

    def text_embeddings(self, texts: Sequence[str] | np.ndarray) -> np.ndarray:
        """Return (n, width) float32 of length 1 of any (n,) texts.

        Args:
            texts: Strings, 1 or more.

        Raises:
            InputError: There is none.
        """
        given = np.array([str(text) for text in texts], object)
        if not len(given):
            raise InputError("texts must be strings, 1 or more; received none.")
        # Of texts that come often one is enough.
        different, places = np.unique(given.astype(str), return_inverse=True)
        parts = [
            np.asarray(
                self.encode_text(ops.convert_to_tensor(different[first : first + _AT_ONCE].astype(object)))
            )
            for first in range(0, len(different), _AT_ONCE)
        ]
        return np.concatenate(parts)[places]

    def classify(
        self, images: np.ndarray, names: Sequence[str], batch_size: int = _AT_ONCE
    ) -> tuple[np.ndarray, np.ndarray]:
        """Choose among names that need not be known from training (zero-shot classification).

        Args:
            images: (n, height, width, channels) uint8, as those of training.
            names: Texts to choose among, 1 or more, all different.
            batch_size: Images per call, default 256, 1 or more.

        Returns:
            (n,) str objects, the name of each image, and (n, names) float32 probabilities.

        Raises:
            InputError: There is no name, or one stands there twice.
        """
        if not len(names) or len(set(names)) != len(names):
            raise InputError(
                f"names must be different texts, 1 or more; received {len(names)}: {list(names)[:5]}."
            )
        texts = self.text_embeddings(names)
        parts = [
            np.asarray(self._probabilities(ops.convert_to_tensor(images[first : first + batch_size]), texts))
            for first in range(0, len(images), batch_size)
        ]
        probabilities = np.concatenate(parts) if parts else np.zeros((0, len(names)), np.float32)
        return np.array(names, object)[probabilities.argmax(axis=1)], probabilities

    def _probabilities(self, images: Tensor, texts: Tensor) -> Any:
        logits = self.model.scale() * ops.matmul(self.model(images, training=False), ops.transpose(texts))
        return ops.softmax(logits, axis=-1)

    def signatures(self) -> dict[str, Signature]:
        """Return what an export serves besides: both encoders, and the choice among names.

        "encode_image" takes raw images, "encode_text" takes "text", (n,) strings; "classify" takes "inputs",
        raw images, and "text", the names, and gives the "probabilities" of each, (images, names).
        """
        import tensorflow as tf

        encoder, some = self.model.image_encoder, np.array(self.texts[:8])
        shape = tuple(encoder.input_shape[1:])
        text = tf.TensorSpec((None,), tf.string, name="text")
        images = tf.TensorSpec((None, *shape), encoder.inputs[0].dtype, name="inputs")
        pixels = np.random.default_rng(0).integers(0, 256, (3, *shape)).astype(encoder.inputs[0].dtype)
        return {
            "encode_image": Signature(
                lambda inputs: {"embedding": self.model(inputs, training=False)}, None, None
            ),
            "encode_text": Signature(
                lambda text: {"embedding": self.encode_text(text)}, {"text": text}, {"text": some}
            ),
            "classify": Signature(
                lambda inputs, text: {"probabilities": self._probabilities(inputs, self.encode_text(text))},
                {"inputs": images, "text": text},
                {"inputs": pixels, "text": some},
            ),
        }

    def get_config(self) -> dict[str, Any]:
        parts = {name: getattr(self, name) for name in ("model", "tokenizer")}
        saved = {name: keras.saving.serialize_keras_object(part) for name, part in parts.items()}
        return {**super().get_config(), **saved, "texts": list(self.texts)}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> ImageTextSearch:
        parts = {name: keras.saving.deserialize_keras_object(config[name]) for name in ("model", "tokenizer")}
        return cls(**{**config, **parts})
