"""The arguments by which the blocks of a Transformer are built as they are today."""

from __future__ import annotations

from typing import Literal, TypedDict


class TransformerArguments(TypedDict, total=False):
    """How the blocks of a Transformer differ from those of GPT-2; None, or left out: as there.

    Attributes:
        block_norm: Normalisation of the blocks: layer (as None), or rms, by the root mean square alone (Zhang
            and Sennrich 2019).
        feed_forward: Between a block's dense layers: dense (as None), the activation alone; relu_squared (So
            et al. 2021, Primer); or swiglu, which has a gate (Shazeer 2020) and, for as many parameters, two
            thirds of the units.
        query_key_norm: Whether each head normalises its queries and keys (Henry et al. 2020; Dehghani et al.
            2023); None: no.
        zero_init: Whether the last kernel of each branch begins at zero, and so each block as the identity
            (Zhang, Dauphin and Ma 2019, Fixup; Bachlechner et al. 2021, ReZero); None: no.
    """

    block_norm: Literal["layer", "rms"] | None
    feed_forward: Literal["dense", "relu_squared", "swiglu"] | None
    query_key_norm: bool | None
    zero_init: bool | None
