"""What a user gets wrong: type checkers report every line that says so at its end, and no other."""

from typing import Annotated

import kexp
from kexp import AtLeast, TrainOptions, Unpack, recipes


@kexp.recipe(epoch=5)  # mistake
def one_layer(
    data: str = "iris", *, units: Annotated[int, AtLeast(1)] = 8, **train: Unpack[TrainOptions]
) -> kexp.Result:
    return kexp.fit(kexp.models.mlp((4,), 3, hidden=(units,)), kexp.data.load(data), **train)


one_layer(unit=8)  # mistake
one_layer(units="many")  # mistake
one_layer(optimizer="adm")  # mistake
recipes.mlp_images(epoch=3)  # mistake
recipes.mlp_images(hidden=256)  # mistake
recipes.mlp_image(epochs=3)  # mistake
recipes.mlp_images(data=3)  # mistake
recipes.mlp_images(callbacks=3)  # mistake
kexp.models.mlp((4,), 3, hiden=(8,))  # mistake
kexp.models.cnn((28, 28, 1), 10, padding="some")  # mistake
kexp.models.mpl((4,), 3)  # mistake
data = kexp.data.load("iris")
kexp.fit(kexp.models.mlp((4,), 3), data, epohcs=3)  # mistake
kexp.fit(kexp.models.mlp((4,), 3), data, learning_rate="fast")  # mistake
kexp.sweep(recipes.mlp_images, trials="thirty")  # mistake
kexp.sweep(recipes.mlp_images, algorithm="randm")  # mistake
fit = kexp.fitt  # mistake
number: int = recipes.mlp_images()  # mistake
