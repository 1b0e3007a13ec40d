"""The recipes; tools/stubs.py writes this file."""

from collections.abc import Mapping, Sequence
from typing import Literal

import keras

from kexp import Result, TrainOptions, Unpack, recipe
from kexp.data import DataLike

__all__: list[str]

@recipe()
def audio_commands(
    data: DataLike = "telephone_keys",
    *,
    audio: str | None = None,
    sample_rate: int | None = None,
    clip_seconds: float | None = None,
    hop_seconds: float | None = None,
    target: str | None = None,
    columns: Mapping[str, Literal["number", "category", "date", "ignore"]] | tuple[str, ...] | None = None,
    missing: tuple[str, ...] | str | None = None,
    separator: str | None = None,
    decimal: Literal[".", ","] | None = None,
    thousands: str | None = None,
    encoding: str | None = None,
    header: bool | None = None,
    group: str | None = None,
    time: str | None = None,
    weight: str | None = None,
    split: Literal["stratified", "random", "group", "time"] | None = None,
    gap: float | None = None,
    network: Literal["ds_cnn", "crnn"] = "ds_cnn",
    filters: int = 64,
    blocks: int = 4,
    units: int = 64,
    bands: int = 40,
    frame_seconds: float = 0.032,
    hop_seconds_of_frames: float = 0.01,
    masks: float = 0.2,
    shift_seconds: float = 0.05,
    speed: float = 0.1,
    noise_db: float | None = 10.0,
    dropout: float = 0.1,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **train: Unpack[TrainOptions],
) -> Result:
    """Tell sounds apart by their spectrogram, which the model makes of raw samples.

    Args:
        data: Name or path of a data set of sounds: folders of WAV or FLAC files by class, or a table with
            their paths.
        audio to hop_seconds: As of kexp.data.AudioArguments, their column, rate and length.
        target: The column with the class; needed for a table.
        columns to gap: As of kexp.data.TableArguments, how a table is read and its rows are divided.
        network: Depthwise separable convolutions, or convolutions and a recurrent layer.
        filters: Filters of each convolution; of the recurrent network half as many in the first.
        blocks: Depthwise separable convolutions.
        units: Of the recurrent layer in each direction.
        bands: Bands of the mel scale.
        frame_seconds: Length of a frame of the spectrogram.
        hop_seconds_of_frames: From one frame to the next.
        masks: Widest stretch of frames and of bands masked in training, as a share of all.
        shift_seconds: Farthest random move, earlier or later.
        speed: Largest random change of speed, as a share.
        noise_db: Decibels of the sound above the loudest random noise; none for no noise.
        dropout: Share of the last layer's inputs dropped.
        **train: Training options.
    """

@recipe()
def autoencoder_anomaly(
    data: DataLike = "digits",
    *,
    target: str | None = None,
    columns: Mapping[str, Literal["number", "category", "date", "ignore"]] | tuple[str, ...] | None = None,
    missing: tuple[str, ...] | str | None = None,
    separator: str | None = None,
    decimal: Literal[".", ","] | None = None,
    thousands: str | None = None,
    encoding: str | None = None,
    header: bool | None = None,
    group: str | None = None,
    time: str | None = None,
    weight: str | None = None,
    split: Literal["stratified", "random", "group", "time"] | None = None,
    gap: float | None = None,
    in_memory: bool | None = None,
    normal: str | None = None,
    code: int = 8,
    hidden: tuple[int, ...] = (64,),
    filters: tuple[int, ...] = (16, 32),
    activation: Literal["relu", "gelu", "tanh", "sigmoid", "swish"] = "relu",
    normalization: Literal["none", "batch", "layer"] = "none",
    noise: float = 0.0,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **train: Unpack[TrainOptions],
) -> Result:
    """Find anomalies with an autoencoder that was trained on one class.

    Args:
        data: Name or path of a data set of images or of a table, with classes.
        target: The column with the classes; a table in a file needs it.
        columns to gap: As of kexp.data.TableArguments, how a table is read and its rows are divided.
        in_memory: Whether samples are held in memory, not read from disk; None: if they fit.
        normal: The class that is trained on; None: the first one.
        code: Numbers of the code.
        hidden: Units of the hidden layers, for tables; the decoder has them in reverse.
        filters: Filters of each convolutional stage, for images.
        activation: After each hidden layer.
        normalization: Before each activation.
        noise: Deviation of what is put on the inputs in training, to be taken off.
        **train: Training options.
    """

@recipe()
def autoencoder_images(
    data: DataLike = "digits",
    *,
    image_size: tuple[int, int] | None = None,
    resize: Literal["stretch", "crop", "pad"] | None = None,
    in_memory: bool | None = None,
    network: Literal["dense", "convolutional"] = "dense",
    code: int | None = 32,
    hidden: tuple[int, ...] | None = None,
    filters: tuple[int, ...] = (16, 8, 8),
    activation: Literal["relu", "gelu", "tanh", "sigmoid", "swish"] = "relu",
    normalization: Literal["none", "batch", "layer"] = "none",
    noise: float = 0.0,
    noise_kind: Literal["gaussian", "masking"] = "gaussian",
    sparsity: float = 0.0,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **train: Unpack[TrainOptions],
) -> Result:
    """Learn codes of images with an autoencoder.

    Args:
        data: Name or path of an image data set; labels only measure the code.
        image_size to in_memory: As of kexp.data.ImageArguments, their size and where they are held.
        network: Of dense layers, or of convolutions with halvings.
        code: Numbers of the code; None: what the last convolution leaves.
        hidden: Units of the dense encoder's hidden layers, in reverse for the decoder; None for none.
        filters: Filters of each convolutional stage.
        activation: After each hidden layer.
        normalization: Before each activation.
        noise: Put on the images in training, to be taken off: a deviation, or the share that is masked.
        noise_kind: Normal noise, or pixels that are 0.
        sparsity: Weight of the code's absolute values in the loss.
        **train: Training options.
    """

@recipe()
def cnn_images(
    data: DataLike = "digits",
    *,
    image_size: tuple[int, int] | None = None,
    resize: Literal["stretch", "crop", "pad"] | None = None,
    in_memory: bool | None = None,
    size: Literal["plain", "resnet20", "resnet32", "resnet56"] = "plain",
    filters: tuple[int, ...] = (16, 32, 64),
    activation: Literal["relu", "gelu", "tanh", "sigmoid", "swish"] = "relu",
    normalization: Literal["none", "batch", "layer"] = "batch",
    padding: Literal["same", "valid"] = "same",
    head: Literal["flatten", "average"] = "average",
    dropout: float = 0.1,
    stochastic_depth: float = 0.0,
    shift: float = 0.0,
    flip: bool = False,
    randaugment: int = 0,
    erasing: float = 0.0,
    mixup: float = 0.0,
    cutmix: float = 0.0,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **train: Unpack[TrainOptions],
) -> Result:
    """Classify images with a plain convnet or a residual network.

    Args:
        data: Name or path of an image data set.
        image_size to in_memory: As of kexp.data.ImageArguments, their size and where they are held.
        size: A plain convnet, or a residual network of so many layers.
        filters: Filters of each stage of the plain convnet.
        activation: After each convolution.
        normalization: After each convolution, before the activation.
        padding: Of the plain convnet's convolutions.
        head: What the plain convnet's last layer sees: all positions, or their average.
        dropout: Share of the last layer's inputs dropped.
        stochastic_depth: Share of samples that skip a residual network's last block; fewer skip earlier ones.
        shift: Farthest random move, as a fraction of the size.
        flip: Whether half of the training images are mirrored left to right.
        randaugment: Random operations on each training image.
        erasing: Share of training images with a patch replaced by noise.
        mixup: Strength of blending pairs of training images and their labels, 0 for none.
        cutmix: Strength of pasting from one training image and its label into another, 0 for none.
        **train: Training options.
    """

@recipe()
def cnn_series(
    data: DataLike = "japanese_vowels",
    *,
    size: Literal["fcn", "resnet", "lite", "litetime"] = "fcn",
    filters: tuple[int, ...] = (128, 256, 128),
    kernel_sizes: tuple[int, ...] = (8, 5, 3),
    activation: Literal["relu", "gelu", "tanh", "sigmoid", "swish"] = "relu",
    normalization: Literal["none", "batch", "layer"] = "batch",
    dropout: float = 0.0,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **train: Unpack[TrainOptions],
) -> Result:
    """Classify series with a fully convolutional network, a residual one or an ensemble of light ones.

    Args:
        data: Name or path of a data set of series.
        size: One convolution after another, residual blocks of three, LITE, or five of it.
        filters: Filters of each convolution of fcn, or of the convolutions of each block of resnet.
        kernel_sizes: Steps that each convolution of fcn sees, or each of a block's of resnet.
        activation: After each convolution.
        normalization: After each convolution, before the activation.
        dropout: Share of the last layer's inputs dropped.
        **train: Training options.
    """

@recipe()
def detect_images(
    data: DataLike = "digits",
    *,
    image_size: tuple[int, int] | None = None,
    resize: Literal["stretch", "crop", "pad"] | None = None,
    in_memory: bool | None = None,
    size: tuple[int, int] = (128, 128),
    samples: tuple[int, int, int] = (4000, 300, 500),
    objects: tuple[int, int] = (1, 8),
    sides: tuple[int, int] = (14, 48),
    clutter: int = 8,
    filters: tuple[int, ...] = (16, 32, 64, 96),
    width: int = 48,
    box_weight: float = 2.0,
    shift: float = 0.0,
    zoom: float = 0.0,
    flip: bool = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **train: Unpack[TrainOptions],
) -> Result:
    """Detect objects on images with a one-stage detector.

    Args:
        data: Name or path of a data set of images with boxes, or of grey images with a label each.
        image_size to in_memory: As of kexp.data.ImageArguments, their size and where they are held.
        size: (height, width) in pixels of the scenes made of labelled images.
        samples: Scenes for training, validation and test.
        objects: Fewest and most objects in a scene.
        sides: Least and largest longer side of an object in pixels.
        clutter: Patches of other images in a scene.
        filters: Filters of the backbone's stages, each at half the height and width of the one before.
        width: Filters of the feature pyramid and the head.
        box_weight: Of the loss of boxes beside that of classes.
        shift: Farthest move of training images and their boxes, as a fraction of the size.
        zoom: Largest change of their scale, up or down.
        flip: Whether half of them are mirrored left to right.
        **train: Training options.
    """

@recipe()
def diffusion_images(
    data: DataLike = "digits",
    *,
    image_size: tuple[int, int] | None = None,
    resize: Literal["stretch", "crop", "pad"] | None = None,
    in_memory: bool | None = None,
    conditional: bool | None = None,
    filters: tuple[int, ...] = (32, 64),
    patch: int = 1,
    steps: int = 250,
    path: Literal["diffusion", "flow"] = "diffusion",
    noise: Literal["linear", "cosine"] = "cosine",
    predicts: Literal["epsilon", "x0", "v"] = "v",
    unlabelled: float = 0.1,
    sampler: Literal["ddpm", "ddim"] = "ddim",
    sample_steps: int = 25,
    guidance: float = 1.0,
    classifier: str | None = None,
    quality_samples: int = 250,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **train: Unpack[TrainOptions],
) -> Result:
    """Train a diffusion model on images.

    Args:
        data: Name or path of an image data set.
        image_size to in_memory: As of kexp.data.ImageArguments, their size and where they are held.
        conditional: Whether images of a class can be generated; None: if the data have classes.
        filters: Filters of each level; each after the first has half the height and width.
        patch: Pixels in each direction that are one place of the first level.
        steps: Of the noise schedule.
        path: From image to noise: of a diffusion, or the straight line of rectified flow.
        noise: How the noise of a diffusion grows from step to step.
        predicts: Target of a diffusion's network: the noise, the image, or the velocity between both.
        unlabelled: Share of the images whose class is left out in training, for the guidance.
        sampler: How samples are drawn, with noise at each step or without.
        sample_steps: Steps that a sample takes.
        guidance: How far samples are moved towards their class.
        classifier: Run folder of a classifier whose features the samples are measured by; None trains one.
        quality_samples: Samples that are measured after each epoch and at the end.
        **train: Training options.
    """

@recipe()
def distill_images(
    data: DataLike = "digits",
    *,
    image_size: tuple[int, int] | None = None,
    resize: Literal["stretch", "crop", "pad"] | None = None,
    in_memory: bool | None = None,
    teacher: str | None = None,
    temperature: float = 4.0,
    teacher_weight: float = 0.7,
    filters: tuple[int, ...] = (8, 16),
    activation: Literal["relu", "gelu", "tanh", "sigmoid", "swish"] = "relu",
    dropout: float = 0.0,
    shift: float = 0.0,
    flip: bool = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **train: Unpack[TrainOptions],
) -> Result:
    """Classify images with a small convnet that a larger network teaches.

    Args:
        data: Name or path of an image data set.
        image_size to in_memory: As of kexp.data.ImageArguments, their size and where they are held.
        teacher: Folder of a finished run or of an export, for the same images and classes; None: the labels
            alone.
        temperature: What the logits of teacher and student are divided by.
        teacher_weight: Share of the teacher in the loss.
        filters: Filters of each stage.
        activation: After each convolution.
        dropout: Share of the last layer's inputs dropped.
        shift: Farthest random move, as a fraction of the size.
        flip: Whether half of the training images are mirrored left to right.
        **train: Training options.
    """

@recipe()
def finetune_images(
    data: DataLike = "digits",
    *,
    resize: Literal["stretch", "crop", "pad"] | None = None,
    in_memory: bool | None = None,
    backbone: str = "efficientnet_lite0",
    image_size: tuple[int, int] | None = None,
    head_epochs: int = 8,
    unfreeze: float = 0.3,
    rate: float = 0.1,
    depth_decay: float = 0.95,
    precompute: bool = False,
    lora_rank: int = 0,
    lora_layers: tuple[str, ...] | None = None,
    tta: bool = False,
    dropout: float = 0.2,
    flip: bool = True,
    randaugment: int = 0,
    mixup: float = 0.0,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **train: Unpack[TrainOptions],
) -> Result:
    """Classify images with a pretrained network.

    Args:
        data: Name or path of an image data set.
        resize to in_memory: As of kexp.data.ImageArguments, how they are resized and where they are held.
        backbone: As of kexp.models.pretrained: a name, a .keras file or the folder of a run.
        image_size: (height, width) in pixels; None: what the network was trained at.
        head_epochs: Epochs, of all, of the head alone.
        unfreeze: Share of the layers, from the last one down, that is trained then; 0 for the head alone.
        rate: What the learning rate is multiplied by then.
        depth_decay: What it is multiplied by from layer to layer towards the input.
        precompute: Whether the head is trained alone, on features that are computed once.
        lora_rank: Rank of the matrices that are trained in the place of the layers' own; 0 for none.
        lora_layers: Names of the layers that get such; None: all that can have them.
        tta: Whether predictions are means over an image and its mirror image.
        dropout: Share of the head's inputs dropped.
        flip: Whether half of the training images are mirrored left to right.
        randaugment: Random operations on each training image.
        mixup: Strength of blending pairs of training images and their labels, 0 for none.
        **train: Training options.
    """

@recipe()
def finetune_text(
    data: DataLike = "first_names",
    *,
    text: str | None = None,
    target: str | None = None,
    columns: Mapping[str, Literal["number", "category", "date", "ignore"]] | tuple[str, ...] | None = None,
    missing: tuple[str, ...] | str | None = None,
    separator: str | None = None,
    decimal: Literal[".", ","] | None = None,
    thousands: str | None = None,
    encoding: str | None = None,
    header: bool | None = None,
    group: str | None = None,
    time: str | None = None,
    weight: str | None = None,
    split: Literal["stratified", "random", "group", "time"] | None = None,
    gap: float | None = None,
    vectors: Literal["wordllama", "random"] = "wordllama",
    steps: int | None = None,
    head_epochs: int = 4,
    rate: float = 0.5,
    lora_rank: int = 0,
    depth: int = 0,
    hidden: int = 128,
    dropout: float = 0.5,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **train: Unpack[TrainOptions],
) -> Result:
    """Classify texts, or predict a number from them, by pretrained vectors of their tokens.

    Args:
        data: Name or path of a data set of texts.
        text: The column with the text; needed for a table.
        target: The column to predict; needed for a table.
        columns to gap: As of kexp.data.TableArguments, how a table is read and its rows are divided.
        vectors: What the vectors begin as; random ones of the same size and spread are for comparison.
        steps: Tokens kept of a text; None: as many as 95 % of the training texts have at most.
        head_epochs: Epochs, of all, of the head alone.
        rate: What the learning rate is multiplied by then, when the vectors are trained too.
        lora_rank: Rank of the matrices that are trained in the place of the vectors; 0 for none.
        depth: Transformer blocks between vectors and head.
        hidden: Units of the hidden layer of the head; 0 for none.
        dropout: Share dropped of what each dense layer of the head sees.
        **train: Training options.
    """

@recipe()
def forecast(
    data: DataLike = "sunspots",
    *,
    horizon: int = 24,
    context: int | None = None,
    test: int | None = None,
    target: tuple[str, ...] | str | None = None,
    time: str | None = None,
    series: str | None = None,
    past: tuple[str, ...] | None = None,
    future: tuple[str, ...] | None = None,
    static: tuple[str, ...] | None = None,
    season: int | None = None,
    gaps: Literal["refuse", "skip", "fill"] | None = None,
    quantiles: tuple[float, ...] | None = None,
    stride: int | None = None,
    leave_out: int | None = None,
    scaling: Literal["window", "series", "all"] = "window",
    network: Literal["nlinear", "tsmixer", "patch_transformer", "lstm"] = "nlinear",
    width: int = 64,
    depth: int = 2,
    patch: int = 12,
    dropout: float = 0.1,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **train: Unpack[TrainOptions],
) -> Result:
    """Forecast the quantiles of the next steps of one series or several, beside naive forecasts.

    Args:
        data: Name of a series, or path of a CSV or Parquet file with a row per step and series.
        horizon: Steps ahead that are forecast.
        context: Steps that a forecast is made from; None: three times the horizon.
        test: Last steps, which are tested on; None: twice the horizon.
        target to leave_out: As of kexp.data.ForecastArguments, what columns are, and what is done about gaps.
        scaling: What brings the target to one scale: each window, each series, or all alike.
        network: Which one.
        width: Numbers of a step's vector; not of nlinear.
        depth: Blocks or recurrent layers; not of nlinear.
        patch: Steps of a patch of the Transformer.
        dropout: Share dropped; not of nlinear.
        **train: Training options.
    """

@recipe()
def gan_images(
    data: DataLike = "digits",
    *,
    image_size: tuple[int, int] | None = None,
    resize: Literal["stretch", "crop", "pad"] | None = None,
    in_memory: bool | None = None,
    conditional: bool | None = None,
    loss: Literal["non_saturating", "hinge", "wasserstein"] = "non_saturating",
    latent: int = 64,
    generator_filters: tuple[int, ...] | None = None,
    discriminator_filters: tuple[int, ...] = (64, 128, 256),
    normalization: Literal["none", "batch", "layer"] = "none",
    spectral: bool = True,
    critic_steps: int = 1,
    discriminator_rate: float = 1.0,
    classifier: str | None = None,
    quality_samples: int = 1000,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **train: Unpack[TrainOptions],
) -> Result:
    """Train a generative adversarial network on images.

    Args:
        data: Name or path of an image data set.
        image_size to in_memory: As of kexp.data.ImageArguments, their size and where they are held.
        conditional: Whether images of a class can be generated; None: if the data have classes.
        loss: What the players play for.
        latent: Numbers of the noise that images are made from.
        generator_filters: Of its pixels before each doubling; None goes by the size of the images.
        discriminator_filters: Of its stages.
        normalization: In the discriminator; for wasserstein, where samples count alone, batch becomes layer.
        spectral: Whether the discriminator's weights are divided by their largest singular value.
        critic_steps: Turns of the discriminator for each one of the generator.
        discriminator_rate: What the learning rate is multiplied by for the discriminator.
        classifier: Run folder of a classifier whose features the samples are measured by; None trains one.
        quality_samples: Samples that are measured after each epoch and at the end.
        **train: Training options.
    """

@recipe()
def image_text(
    data: DataLike = "emoji",
    *,
    image: str | None = None,
    target: str | None = None,
    image_size: tuple[int, int] | None = None,
    resize: Literal["stretch", "crop", "pad"] | None = None,
    in_memory: bool | None = None,
    columns: Mapping[str, Literal["number", "category", "date", "ignore"]] | tuple[str, ...] | None = None,
    missing: tuple[str, ...] | str | None = None,
    separator: str | None = None,
    decimal: Literal[".", ","] | None = None,
    thousands: str | None = None,
    encoding: str | None = None,
    header: bool | None = None,
    group: str | None = None,
    time: str | None = None,
    weight: str | None = None,
    split: Literal["stratified", "random", "group", "time"] | None = None,
    gap: float | None = None,
    target_split: Literal["character", "space", "subword"] = "space",
    filters: tuple[int, ...] = (32, 64, 128),
    units: int = 64,
    depth: int = 1,
    embedding: int = 128,
    dropout: float = 0.1,
    shift: float = 0.1,
    flip: bool = True,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **train: Unpack[TrainOptions],
) -> Result:
    """Find images by texts and texts by images.

    Args:
        data: Name or path of a data set of images with a text each.
        image: The column with the path of an image; needed for a table.
        target: The column with the text; needed for a table.
        image_size to in_memory: As of kexp.data.ImageArguments, their size and where they are held.
        columns to gap: As of kexp.data.TableArguments, how a table is read and its rows are divided.
        target_split: What a token of a text is; "space" stands between them.
        filters: Of each stage of the image encoder, with half the height and width of the one before.
        units: Numbers of a token's vector in the text encoder.
        depth: Blocks of the text encoder's Transformer.
        embedding: Numbers of the vector that an image or a text becomes.
        dropout: Share dropped of the image encoder's features, and in the blocks.
        shift: Farthest move of training images, as a fraction of the size.
        flip: Whether half of them are mirrored left to right.
        **train: Training options.
    """

@recipe()
def lstm_forecast(
    data: DataLike = "sunspots",
    *,
    column: str | None = None,
    time: str | None = None,
    series: str | None = None,
    history: int = 22,
    horizon: int = 3,
    season: int = 11,
    test: int = 40,
    cell: Literal["lstm", "gru", "simple"] = "gru",
    units: tuple[int, ...] = (16,),
    dropout: float = 0.3,
    skip: int = 11,
    scaling: Literal["window", "all"] = "window",
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **train: Unpack[TrainOptions],
) -> Result:
    """Forecast a series with a stack of recurrent layers.

    Args:
        data: Name of a series, or path of a CSV or Parquet file with a row per step.
        column: The column to forecast; needed for a file.
        time: The column that rows are ordered by; None: the only one of dates, else they are in order.
        series: The column that says which of several series a row belongs to; None: all are one.
        history: Steps that a forecast is made from.
        horizon: Steps ahead that are forecast.
        season: Steps after which the series about repeats itself, for the seasonal forecast beside it.
        test: Last steps of the series, which are tested on.
        cell: Of the layers.
        units: Of each layer.
        dropout: Share of each layer's outputs dropped.
        skip: Last steps that the output layer sees too, as a linear autoregression does.
        scaling: What is brought to mean 0 and deviation 1, and forecasts back: each window by itself, or all
            training windows together.
        **train: Training options.
    """

@recipe()
def lstm_series(
    data: DataLike = "japanese_vowels",
    *,
    cell: Literal["lstm", "gru", "simple"] = "lstm",
    units: tuple[int, ...] = (64,),
    bidirectional: bool = True,
    head: Literal["last", "average", "max"] = "average",
    dropout: float = 0.2,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **train: Unpack[TrainOptions],
) -> Result:
    """Classify series with a stack of recurrent layers.

    Args:
        data: Name or path of a data set of series.
        cell: Of the layers.
        units: Of each layer, in each direction.
        bidirectional: Whether each layer reads in both directions.
        head: What the last layer sees: the last step, the average or the largest value of all steps.
        dropout: Share of each layer's outputs dropped.
        **train: Training options.
    """

@recipe()
def lstm_text(
    data: DataLike = "first_names",
    *,
    text: str | None = None,
    target: str | None = None,
    columns: Mapping[str, Literal["number", "category", "date", "ignore"]] | tuple[str, ...] | None = None,
    missing: tuple[str, ...] | str | None = None,
    separator: str | None = None,
    decimal: Literal[".", ","] | None = None,
    thousands: str | None = None,
    encoding: str | None = None,
    header: bool | None = None,
    group: str | None = None,
    time: str | None = None,
    weight: str | None = None,
    gap: float | None = None,
    split: Literal["character", "word"] = "character",
    vocabulary: int = 20000,
    cell: Literal["lstm", "gru", "simple"] = "lstm",
    embedding: int = 32,
    units: tuple[int, ...] = (64,),
    bidirectional: bool = True,
    head: Literal["last", "average", "max"] = "last",
    dropout: float = 0.2,
    ngrams: int = 5,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **train: Unpack[TrainOptions],
) -> Result:
    """Classify texts with a stack of recurrent layers.

    Args:
        data: Name or path of a data set of texts.
        text: The column with the text; needed for a table.
        target: The column to predict; needed for a table.
        columns to gap: As of kexp.data.TableArguments, how a table is read and its rows are divided.
        split: What a token is; words make sense from sentences on.
        vocabulary: Most tokens to tell apart; the rarest of the training texts are left out.
        cell: Of the layers.
        embedding: Numbers of a token's vector.
        units: Of each layer, in each direction.
        bidirectional: Whether each layer reads in both directions.
        head: What the last layer sees: the last step, the average or the largest value of all steps.
        dropout: Share of each layer's outputs dropped.
        ngrams: Tokens of the longest n-grams whose linear scores are added to the logits; 0 for none.
        **train: Training options.
    """

@recipe()
def mlp_images(
    data: DataLike = "digits",
    *,
    image_size: tuple[int, int] | None = None,
    resize: Literal["stretch", "crop", "pad"] | None = None,
    in_memory: bool | None = None,
    hidden: tuple[int, ...] = (256, 128),
    activation: Literal["relu", "gelu", "tanh", "sigmoid", "swish"] = "relu",
    normalization: Literal["none", "batch", "layer"] = "none",
    dropout: float = 0.2,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **train: Unpack[TrainOptions],
) -> Result:
    """Classify images with a multi-layer perceptron.

    Args:
        data: Name or path of an image data set.
        image_size to in_memory: As of kexp.data.ImageArguments, their size and where they are held.
        hidden: Units of each hidden layer.
        activation: After each hidden layer.
        normalization: Before each activation.
        dropout: Share of units dropped after each hidden layer.
        **train: Training options.
    """

@recipe()
def mlp_tabular(
    data: DataLike = "breast_cancer",
    *,
    target: str | None = None,
    task: Literal["classification", "multilabel", "regression"] | None = None,
    columns: Mapping[str, Literal["number", "category", "date", "ignore"]] | tuple[str, ...] | None = None,
    missing: tuple[str, ...] | str | None = None,
    separator: str | None = None,
    decimal: Literal[".", ","] | None = None,
    thousands: str | None = None,
    encoding: str | None = None,
    header: bool | None = None,
    group: str | None = None,
    time: str | None = None,
    weight: str | None = None,
    split: Literal["stratified", "random", "group", "time"] | None = None,
    gap: float | None = None,
    in_memory: bool | None = None,
    hidden: tuple[int, ...] = (64, 32),
    activation: Literal["relu", "gelu", "tanh", "sigmoid", "swish"] = "relu",
    normalization: Literal["none", "batch", "layer"] = "none",
    dropout: float = 0.2,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **train: Unpack[TrainOptions],
) -> Result:
    """Classify the rows of a table, label them or predict a number for each.

    Args:
        data: Name of a table, path of a CSV or Parquet file, or of a folder with train.csv and test.csv.
        target: The column to predict; needed for a file.
        task: What the target is; None finds out from its values.
        columns to gap: As of kexp.data.TableArguments, how a table is read and its rows are divided.
        in_memory: Whether the rows are held in memory, not read from disk; None: if they fit.
        hidden: Units of each hidden layer.
        activation: After each hidden layer.
        normalization: Before each activation.
        dropout: Share of units dropped after each hidden layer.
        **train: Training options.
    """

@recipe()
def realmlp_tabular(
    data: DataLike = "breast_cancer",
    *,
    target: str | None = None,
    task: Literal["classification", "multilabel", "regression"] | None = None,
    columns: Mapping[str, Literal["number", "category", "date", "ignore"]] | tuple[str, ...] | None = None,
    missing: tuple[str, ...] | str | None = None,
    separator: str | None = None,
    decimal: Literal[".", ","] | None = None,
    thousands: str | None = None,
    encoding: str | None = None,
    header: bool | None = None,
    group: str | None = None,
    time: str | None = None,
    weight: str | None = None,
    split: Literal["stratified", "random", "group", "time"] | None = None,
    gap: float | None = None,
    in_memory: bool | None = None,
    hidden: tuple[int, ...] = (256, 256, 256),
    number_embedding: int = 4,
    dropout: float = 0.15,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **train: Unpack[TrainOptions],
) -> Result:
    """Classify the rows of a table, label them or predict a number for each, by RealMLP.

    Args:
        data: Name of a table, path of a CSV or Parquet file, or of a folder with train.csv and test.csv.
        target: The column to predict; needed for a file.
        task: What the target is; None finds out from its values.
        columns to gap: As of kexp.data.TableArguments, how a table is read and its rows are divided.
        in_memory: Whether the rows are held in memory, not read from disk; None: if they fit.
        hidden: Units of each hidden layer.
        number_embedding: Numbers that stand for a number of a row.
        dropout: Share of units dropped after each hidden layer, which falls in the second half of the epochs.
        **train: Training options; for a number to predict the learning rate is five times as high.
    """

@recipe()
def seq2seq(
    data: DataLike = "pronunciations",
    *,
    text: str | None = None,
    target: str | None = None,
    columns: Mapping[str, Literal["number", "category", "date", "ignore"]] | tuple[str, ...] | None = None,
    missing: tuple[str, ...] | str | None = None,
    separator: str | None = None,
    decimal: Literal[".", ","] | None = None,
    thousands: str | None = None,
    encoding: str | None = None,
    header: bool | None = None,
    group: str | None = None,
    time: str | None = None,
    weight: str | None = None,
    split: Literal["stratified", "random", "group", "time"] | None = None,
    gap: float | None = None,
    source_split: Literal["character", "space"] = "character",
    target_split: Literal["character", "space"] = "space",
    reverse: bool = False,
    cell: Literal["lstm", "gru"] = "lstm",
    embedding: int = 64,
    units: Literal[32, 64, 128, 256] = 128,
    attention: bool = True,
    bidirectional: bool = True,
    dropout: float = 0.0,
    beam: int = 3,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **train: Unpack[TrainOptions],
) -> Result:
    """Predict texts from texts, token by token.

    Args:
        data: Name or path of a data set of texts with texts as targets.
        text: The column with the text; needed for a table.
        target: The column with the text to predict; needed for a table.
        columns to gap: As of kexp.data.TableArguments, how a table is read and its rows are divided.
        source_split: What a token of the text is; "space" stands between them.
        target_split: What a token of the output is.
        reverse: Whether the text is read from its end.
        cell: Of encoder and decoder.
        embedding: Numbers of a token's vector.
        units: Of the decoder; in both directions each has half of them.
        attention: Whether the decoder looks at each token of the text.
        bidirectional: Whether the encoder reads in both directions.
        dropout: Share dropped of the embeddings and of what the last layer sees.
        beam: Candidates for an output, the most probable of which is given.
        **train: Training options.
    """

@recipe()
def speech_ctc(
    data: DataLike = "dialled_numbers",
    *,
    audio: str | None = None,
    sample_rate: int | None = None,
    clip_seconds: float | None = None,
    hop_seconds: float | None = None,
    target: str | None = None,
    columns: Mapping[str, Literal["number", "category", "date", "ignore"]] | tuple[str, ...] | None = None,
    missing: tuple[str, ...] | str | None = None,
    separator: str | None = None,
    decimal: Literal[".", ","] | None = None,
    thousands: str | None = None,
    encoding: str | None = None,
    header: bool | None = None,
    group: str | None = None,
    time: str | None = None,
    weight: str | None = None,
    split: Literal["stratified", "random", "group", "time"] | None = None,
    gap: float | None = None,
    target_split: Literal["character", "space"] = "space",
    filters: tuple[int, ...] = (32, 64),
    units: int = 128,
    bands: int = 40,
    masks: float = 0.1,
    speed: float = 0.1,
    noise_db: float | None = 20.0,
    dropout: float = 0.1,
    beam: int = 8,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **train: Unpack[TrainOptions],
) -> Result:
    """Write down sounds token by token, without being told where in time each token is.

    Args:
        data: Name or path of a data set of sounds with texts as targets.
        audio to hop_seconds: As of kexp.data.AudioArguments, their column, rate and length.
        target: The column with the text; needed for a table.
        columns to gap: As of kexp.data.TableArguments, how a table is read and its rows are divided.
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

@recipe()
def tabular(
    data: DataLike = "breast_cancer",
    *,
    target: str | None = None,
    task: Literal["classification", "multilabel", "regression"] | None = None,
    columns: Mapping[str, Literal["number", "category", "date", "ignore"]] | tuple[str, ...] | None = None,
    missing: tuple[str, ...] | str | None = None,
    separator: str | None = None,
    decimal: Literal[".", ","] | None = None,
    thousands: str | None = None,
    encoding: str | None = None,
    header: bool | None = None,
    group: str | None = None,
    time: str | None = None,
    weight: str | None = None,
    split: Literal["stratified", "random", "group", "time"] | None = None,
    gap: float | None = None,
    in_memory: bool | None = None,
    members: int = 8,
    hidden: tuple[int, ...] = (256, 256, 256),
    number_embedding: int = 16,
    bins: int = 48,
    activation: Literal["relu", "gelu", "tanh", "sigmoid", "swish"] = "relu",
    dropout: float = 0.1,
    wanted_steps: int = 3000,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **train: Unpack[TrainOptions],
) -> Result:
    """Classify the rows of a table, label them or predict a number for each, by an ensemble in one network.

    Args:
        data: Name of a table, path of a CSV or Parquet file, or of a folder with train.csv and test.csv.
        target: The column to predict; needed for a file.
        task: What the target is; None finds out from its values.
        columns to gap: As of kexp.data.TableArguments, how a table is read and its rows are divided.
        in_memory: Whether the rows are held in memory, not read from disk; None: if they fit.
        members: Perceptrons of the ensemble, which share their matrices.
        hidden: Units of each hidden layer.
        number_embedding: Numbers that stand for a number of a row.
        bins: Bins between quantiles of a number at most, in which its embedding is linear.
        activation: After each hidden layer.
        dropout: Share of units dropped after each hidden layer.
        wanted_steps: Steps of the training, for which batches of small tables are halved, to 16 at least.
        **train: Training options.
    """

@recipe()
def transformer_lm(
    data: DataLike = "moby_dick",
    *,
    split: Literal["character", "subword"] = "character",
    vocabulary: int = 1000,
    context: int = 128,
    width: Literal[32, 64, 128, 256] = 64,
    depth: int = 2,
    heads: Literal[2, 4, 8] = 4,
    expansion: int = 4,
    dropout: float = 0.0,
    positions: Literal["rotary", "learned", "none"] = "rotary",
    prompt: str = "The whale",
    sample_tokens: int = 80,
    temperature: float = 0.8,
    top_k: int | None = None,
    top_p: float | None = 0.95,
    block_norm: Literal["layer", "rms"] | None = None,
    feed_forward: Literal["dense", "relu_squared", "swiglu"] | None = None,
    query_key_norm: bool | None = None,
    zero_init: bool | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **train: Unpack[TrainOptions],
) -> Result:
    """Train a Transformer to predict the next token of a long text, and let it go on with a prompt.

    Args:
        data: "moby_dick", or the path of a text file, .txt or .txt.gz.
        split: What a token is.
        vocabulary: Most tokens to tell apart, not fewer than there are characters where they are subwords.
        context: Tokens of a passage.
        width: Numbers of a token's vector.
        depth: Blocks.
        heads: Heads of each attention.
        expansion: Width of a block's hidden layer, in widths.
        dropout: Share dropped of what each branch adds.
        positions: How a token knows where it stands.
        prompt: What the samples begin with, which are written beside the result.
        sample_tokens: Tokens that they add to it, below the context.
        temperature: Of the draws; at 0 the most likely token is taken.
        top_k: Draw among so many tokens; None for all.
        top_p: Draw among the fewest tokens whose probabilities reach this; None for all.
        block_norm to zero_init: As of kexp.TransformerArguments, how blocks are built.
        **train: Training options.
    """

@recipe()
def transformer_series(
    data: DataLike = "japanese_vowels",
    *,
    width: Literal[32, 64, 128] = 64,
    depth: int = 2,
    heads: Literal[2, 4, 8] = 4,
    expansion: int = 4,
    positions: Literal["rotary", "learned", "none"] = "rotary",
    dropout: float = 0.2,
    block_norm: Literal["layer", "rms"] | None = None,
    feed_forward: Literal["dense", "relu_squared", "swiglu"] | None = None,
    query_key_norm: bool | None = None,
    zero_init: bool | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **train: Unpack[TrainOptions],
) -> Result:
    """Classify series with a Transformer encoder.

    Args:
        data: Name or path of a data set of series.
        width: Numbers of a step's vector.
        depth: Blocks.
        heads: Heads of each attention.
        expansion: Width of a block's hidden layer, in widths.
        positions: How a step knows where it stands.
        dropout: Share dropped of what each branch adds.
        block_norm to zero_init: As of kexp.TransformerArguments, how blocks are built.
        **train: Training options.
    """

@recipe()
def transformer_text(
    data: DataLike = "first_names",
    *,
    text: str | None = None,
    target: str | None = None,
    columns: Mapping[str, Literal["number", "category", "date", "ignore"]] | tuple[str, ...] | None = None,
    missing: tuple[str, ...] | str | None = None,
    separator: str | None = None,
    decimal: Literal[".", ","] | None = None,
    thousands: str | None = None,
    encoding: str | None = None,
    header: bool | None = None,
    group: str | None = None,
    time: str | None = None,
    weight: str | None = None,
    gap: float | None = None,
    split: Literal["character", "word"] = "character",
    vocabulary: int = 20000,
    width: Literal[32, 64, 128] = 64,
    depth: int = 2,
    heads: Literal[2, 4, 8] = 4,
    expansion: int = 4,
    positions: Literal["rotary", "learned", "none"] = "rotary",
    dropout: float = 0.1,
    block_norm: Literal["layer", "rms"] | None = None,
    feed_forward: Literal["dense", "relu_squared", "swiglu"] | None = None,
    query_key_norm: bool | None = None,
    zero_init: bool | None = None,
    ngrams: int = 0,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **train: Unpack[TrainOptions],
) -> Result:
    """Classify texts with a Transformer encoder.

    Args:
        data: Name or path of a data set of texts.
        text: The column with the text; needed for a table.
        target: The column to predict; needed for a table.
        columns to gap: As of kexp.data.TableArguments, how a table is read and its rows are divided.
        split: What a token is; words make sense from sentences on.
        vocabulary: Most tokens to tell apart; the rarest of the training texts are left out.
        width: Numbers of a token's vector.
        depth: Blocks.
        heads: Heads of each attention.
        expansion: Width of a block's hidden layer, in widths.
        positions: How a token knows where it stands.
        dropout: Share dropped of what each branch adds.
        block_norm to zero_init: As of kexp.TransformerArguments, how blocks are built.
        ngrams: Tokens of the longest n-grams whose linear scores are added to the logits; 0 for none.
        **train: Training options.
    """

@recipe()
def unet_segmentation(
    data: DataLike = "digits",
    *,
    canvas: tuple[int, int] | None = None,
    samples: tuple[int, int, int] = (6000, 300, 500),
    objects: tuple[int, int] = (1, 2),
    clutter: int = 4,
    filters: tuple[int, ...] = (8, 16, 48, 96),
    activation: Literal["relu", "gelu", "tanh", "sigmoid", "swish"] = "relu",
    normalization: Literal["none", "batch", "layer"] = "batch",
    dropout: float = 0.1,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **train: Unpack[TrainOptions],
) -> Result:
    """Segment images with a U-Net.

    Args:
        data: Name or path of a data set of images with masks, or of grey images with a label each.
        canvas: (height, width) in pixels of the canvases made of labelled images; None goes by their size.
        samples: Canvases for training, validation and test.
        objects: Fewest and most objects on a canvas.
        clutter: Patches of other images on a canvas.
        filters: Filters of each level; each after the first has half the height and width.
        activation: After each convolution.
        normalization: After each convolution, before the activation.
        dropout: Share dropped of what leaves the lowest level.
        **train: Training options.
    """

@recipe()
def vae_images(
    data: DataLike = "digits",
    *,
    image_size: tuple[int, int] | None = None,
    resize: Literal["stretch", "crop", "pad"] | None = None,
    in_memory: bool | None = None,
    code: int = 16,
    hidden: tuple[int, ...] = (512, 256),
    beta: float = 1.0,
    activation: Literal["relu", "gelu", "tanh", "sigmoid", "swish"] = "relu",
    normalization: Literal["none", "batch", "layer"] = "none",
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **train: Unpack[TrainOptions],
) -> Result:
    """Learn a distribution of images with a variational autoencoder.

    Args:
        data: Name or path of an image data set; labels only measure the code.
        image_size to in_memory: As of kexp.data.ImageArguments, their size and where they are held.
        code: Numbers of the code.
        hidden: Units of the encoder's hidden layers; the decoder has them in reverse.
        beta: Weight of the codes' divergence from the standard normal distribution.
        activation: After each hidden layer.
        normalization: Before each activation.
        **train: Training options.
    """

@recipe()
def vit_images(
    data: DataLike = "digits",
    *,
    image_size: tuple[int, int] | None = None,
    resize: Literal["stretch", "crop", "pad"] | None = None,
    in_memory: bool | None = None,
    tokens: Literal["patches", "convolutions"] = "convolutions",
    patch: Literal[2, 4, 7, 8, 16] = 4,
    filters: int = 32,
    width: Literal[32, 64, 128] = 64,
    depth: int = 2,
    heads: Literal[2, 4, 8] = 2,
    expansion: int = 1,
    dropout: float = 0.0,
    stochastic_depth: float = 0.0,
    shift: float = 0.0,
    block_norm: Literal["layer", "rms"] | None = None,
    feed_forward: Literal["dense", "relu_squared", "swiglu"] | None = None,
    query_key_norm: bool | None = None,
    zero_init: bool | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **train: Unpack[TrainOptions],
) -> Result:
    """Classify images with a vision Transformer.

    Args:
        data: Name or path of an image data set.
        image_size to in_memory: As of kexp.data.ImageArguments, their size and where they are held.
        tokens: What the steps are: square patches, or the places of a small convolutional network.
        patch: Side of a patch in pixels, which divides height and width.
        filters: Of the first convolution, where there are two.
        width: Numbers of a step's vector.
        depth: Blocks.
        heads: Heads of each attention.
        expansion: Width of a block's hidden layer, in widths.
        dropout: Share dropped of what each branch adds.
        stochastic_depth: Share of samples that skip the last block; fewer skip earlier ones.
        shift: Farthest random move of training images, as a fraction of the size.
        block_norm to zero_init: As of kexp.TransformerArguments, how blocks are built.
        **train: Training options.
    """
