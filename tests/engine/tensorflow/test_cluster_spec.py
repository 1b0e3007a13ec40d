"""What TF_CONFIG and SLURM say of the processes that train together."""

import json

import pytest

from kexp.core.errors import InputError
from kexp.engine.tensorflow.cluster_spec import local_clusters, read_cluster


def config(cluster, kind="worker", index=0):
    return {"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}})}


def test_a_chief_comes_before_the_workers():
    described = {"chief": ["a:1"], "worker": ["b:2", "c:3"]}
    assert read_cluster(config(described, "chief")).index == 0
    cluster = read_cluster(config(described, "worker", 1))
    assert (cluster.workers, cluster.index, cluster.source) == (("a:1", "b:2", "c:3"), 2, "TF_CONFIG")
    again = read_cluster({"TF_CONFIG": cluster.to_json()})
    assert (again.workers, again.index) == (cluster.workers, cluster.index)


@pytest.mark.parametrize("environment", [{}, {"TF_CONFIG": ""}, {"TF_CONFIG": "{}"}, {"SLURM_PROCID": "0"}])
def test_without_a_cluster_there_is_none(environment):
    assert read_cluster(environment) is None


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"TF_CONFIG": "{cluster"}, "TF_CONFIG: is not JSON in line 1"),
        ({"TF_CONFIG": '["a:1"]'}, "TF_CONFIG: must hold a JSON object"),
        (
            config({"worker": ["a:1"]}) | {"TF_CONFIG": '{"cluster": {"worker": ["a:1"]}}'},
            "TF_CONFIG, task: must hold a JSON object",
        ),
        (
            config({"worker": ["a:1"], "ps": ["b:1"]}),
            "cluster of workers, and at most one chief; received jobs ps",
        ),
        (config({"chief": ["a:1", "b:1"]}, "chief"), "at most one chief"),
        (
            config({"worker": ["a:1"]}, index=1),
            "task that is in its cluster; received worker 1, and 1 of worker",
        ),
        (config({"worker": ["a:1"]}, "chief"), "received chief 0"),
    ],
)
def test_a_cluster_that_is_none_is_refused_in_a_sentence(environment, sentence):
    with pytest.raises(InputError, match=sentence):
        read_cluster(environment)


def test_every_task_of_a_slurm_step_is_a_worker_at_a_port_of_the_job():
    step = {
        "SLURM_STEP_NUM_TASKS": "5",
        "SLURM_STEP_NODELIST": "gpu[01-02],login",
        "SLURM_STEP_TASKS_PER_NODE": "2(x2),1",
        "SLURM_JOB_ID": "24007",
        "SLURM_PROCID": "4",
    }
    cluster = read_cluster(step)
    assert cluster.workers == ("gpu01:20007", "gpu01:20008", "gpu02:20007", "gpu02:20008", "login:20007")
    assert (cluster.index, cluster.source) == (4, "SLURM")
    assert read_cluster({**step, "SLURM_STEP_NUM_TASKS": "1"}) is None
    del step["SLURM_STEP_NODELIST"]
    with pytest.raises(InputError, match="SLURM must describe its step by SLURM_STEP_NODELIST"):
        read_cluster(step)


def test_workers_of_this_machine_get_ports_of_their_own():
    clusters = local_clusters(3)
    assert len(set(clusters[0].workers)) == 3
    assert [cluster.index for cluster in clusters] == [0, 1, 2]
