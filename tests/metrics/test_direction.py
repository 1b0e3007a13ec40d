"""One place knows which way a metric is better."""

import pytest

from kexp.metrics import better, stated_directions


@pytest.mark.parametrize(
    "name",
    [
        *("accuracy", "val_accuracy", "test_auc", "val_auroc_low95", "mean_iou", "iou_cat", "f1_score", "r2"),
        *("diversity_cnn_1000", "rarest_class_cnn_100", "recognised_cnn_100", "retrieval_precision_at_10"),
        *("linear_probe_accuracy", "cosine_similarity", "bleu", "val_acc", "dice"),
    ],
)
def test_these_are_better_when_higher(name):
    assert better(name) == "max"


@pytest.mark.parametrize(
    "name",
    [
        *("loss", "val_loss", "root_mean_squared_error", "perplexity", "val_frechet_cnn_1000", "kl"),
        *("word_error_rate", "bits_per_character", "negative_elbo", "negative_importance_weighted_bound"),
    ],
)
def test_these_are_better_when_lower(name):
    assert better(name) == "min"


def test_keras_metrics_state_their_own_direction_where_they_have_one():
    import keras

    from kexp.metrics.training.perplexity import Perplexity

    metrics = [Perplexity(), keras.metrics.SparseCategoricalAccuracy(name="a"), keras.metrics.Mean(name="b")]
    assert stated_directions(metrics) == {"perplexity": "min", "a": "max"}
