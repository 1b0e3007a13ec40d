"""One place knows which way a metric is better."""

import pytest

from kexp.metrics import better, known_direction, signed_metric, stated_directions


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


def test_a_direction_is_known_or_not_rather_than_guessed():
    known = {
        **dict.fromkeys(
            ("val_accuracy", "val_auroc", "f1_setosa", "val_map", "val_diversity_cnn_100"), "max"
        ),
        **dict.fromkeys(
            ("val_loss", "phoneme_error_rate", "brier", "negative_elbo", "mape", "val_kl"), "min"
        ),
        **dict.fromkeys(("my_error", "gain", "one_minus_auc", "accuracy_loss", "none", "f1score2", ""), None),
    }
    assert {name: known_direction(name) for name in known} == known


def test_a_sign_before_a_metric_is_its_direction():
    assert signed_metric("-val_a") == ("val_a", "min")
    assert signed_metric("+val_a") == ("val_a", "max")
    assert signed_metric("val-a") == ("val-a", None)


def test_keras_metrics_state_their_own_direction_where_they_have_one():
    import keras

    from kexp.metrics.training.perplexity import Perplexity

    metrics = [Perplexity(), keras.metrics.SparseCategoricalAccuracy(name="a"), keras.metrics.Mean(name="b")]
    assert stated_directions(metrics) == {"perplexity": "min", "a": "max"}
