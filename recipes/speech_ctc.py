"""A convolutional recurrent network writes down what is said, as phonemes or letters, or what is dialled.

Source: Graves, Fernández, Gomez and Schmidhuber 2006, "Connectionist temporal classification: labelling
unsegmented sequence data with recurrent neural networks"; Amodei et al. 2016, "Deep Speech 2", for
convolutions before the recurrent layer; Park et al. 2019, "SpecAugment", for masks.

Command: kexp run speech_ctc --seed S
Time: 8 to 15 minutes on two CPU cores with a load of 16
Score: dialled_numbers, of telephones never heard, test token error rate 0.30 %, text error rate 1.3 % (seed 0
    alone), with the best token of each frame 0.45 % and 1.7 %. Nothing was chosen by these figures

Command: kexp run speech_ctc --data words.npz --seed 0 (tools/spoken_words.py phonemes words.npz: 7,000 clips)
Time: 23 minutes on two CPU cores with other work
Score: words and voices of espeak-ng never heard, test phoneme error rate 9.6 %, with the best phoneme of each
    frame 9.7 %; of validation data, other such words and voices, 16.4 % (seed 0 alone; the goal was 10 %)
"""

from typing import Annotated, Any, Literal

import kexp
from kexp import AtLeast, Between, Reference, TrainOptions, Unpack

REFERENCES = (
    Reference({"data": "spoken_words"}, "test_token_error_rate", 0.10, 0.0, "goal of this project"),
)


@kexp.recipe(
    references=REFERENCES, epochs=20, batch_size=64, learning_rate=4e-3, schedule="one_cycle", clip_norm=1.0
)
def speech_ctc(
    data: str = "dialled_numbers",
    *,
    sounds: kexp.data.AudioArguments,
    target: str | None = None,
    table: kexp.data.TableArguments,
    target_split: Literal["character", "space"] = "space",
    filters: Annotated[tuple[int, ...], Between(8, 128, log=True)] = (32, 64),
    units: Annotated[int, Between(16, 512, log=True)] = 128,
    bands: Annotated[int, Between(20, 80)] = 40,
    masks: Annotated[float, Between(0.0, 0.5)] = 0.1,
    speed: Annotated[float, Between(0.0, 0.5)] = 0.1,
    noise_db: float | None = 20.0,
    dropout: Annotated[float, Between(0.0, 0.5)] = 0.1,
    beam: Annotated[int, AtLeast(1)] = 8,
    **train: Unpack[TrainOptions],
) -> kexp.Result:
    """Write down sounds token by token, without being told where in time each token is.

    Args:
        data: Name or path of a data set of sounds with texts as targets.
        sounds: As of kexp.data.AudioArguments, their column, rate and length.
        target: The column with the text; needed for a table.
        table: As of kexp.data.TableArguments, how a table is read and its rows are divided.
        target_split: What a token of the text is; "space" stands between them.
        filters: Filters of each convolution.
        units: Of the recurrent layer in each direction.
        bands: Bands of the mel scale.
        masks: Widest stretch of frames and of bands masked in training, as a share of all.
        speed: Largest random change of speed, as a share.
        noise_db: Decibels of the sound above the loudest random noise; none for no noise.
        dropout: Share of the last layer's inputs dropped.
        beam: Candidates for a text, the best of which is given; 1 takes the best token of each frame.
        **train: Training options.
    """
    dataset = kexp.data.load(
        data, target=target, task="transcription", kinds=("series",), **kexp.holdout(train), **sounds, **table
    )
    rate = kexp.data.sample_rate_of(dataset)
    writes = kexp.models.tokenizer(dataset.train.targets, split=target_split)
    network: dict[str, Any] = {"filters": filters, "units": units, "bands": bands, "masks": masks}
    network |= {"sample_rate": rate, "dropout": dropout, "answers": "frame"}
    model = kexp.models.crnn(dataset.spec.input_shape, kexp.models.tokens_of(writes).size, **network)
    return kexp.fit(
        model,
        dataset,
        target_preprocessing=writes,
        augmentation=kexp.models.audio_augmentation(rate, speed=speed, noise_db=noise_db),
        inference_model=kexp.models.sound_transcriber(model, writes, beam=beam),
        final_metrics=kexp.metrics.error_rates(target_split),
        **train,
    )
