"""The service's answers: TensorFlow Serving's form, and a clear refusal of all else."""

import base64
import io
import json
import socket
import time
import urllib.request

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

import kexp
from kexp.core.errors import InputError
from kexp.export import load_exported
from kexp.serve.service import Limits, Service
from tests.serve.conftest import LIMITS

DIGITS, HOMES = "/v1/models/digits:predict", "/v1/models/homes:predict"
ROW = {"age (years)": 31, "town": "Graz"}


@pytest.fixture(scope="module")
def client(service):
    with TestClient(service.application()) as found:
        yield found


@pytest.fixture(scope="module")
def images():
    return kexp.data.load("digits").validation.inputs[:5]


def png(image):
    file = io.BytesIO()
    Image.fromarray(image[..., 0]).save(file, "PNG")
    return {"b64": base64.b64encode(file.getvalue()).decode()}


def test_rows_are_answered_as_the_export_answers_in_process(client, images, served_models):
    expected = load_exported(served_models / "digits").predict(images)
    answer = client.post(DIGITS, json={"instances": images.tolist()})
    assert answer.status_code == 200
    rows = answer.json()["predictions"]
    assert [row["label"] for row in rows] == expected.labels.tolist()
    np.testing.assert_allclose([row["probabilities"] for row in rows], expected.probabilities, atol=1e-6)
    for instances in (
        [png(image) for image in images],
        [{"inputs": image.tolist()} for image in images],
        [{"image_bytes": png(image)} for image in images],
    ):
        again = client.post(DIGITS, json={"instances": instances}).json()["predictions"]
        assert [row["label"] for row in again] == expected.labels.tolist()


def test_columns_are_answered_in_columns_and_by_either_name(client):
    columns = {"age (years)": [31, "40", None], "town": ["Graz", "Ulm", "Graz"]}
    answer = client.post(HOMES, json={"inputs": columns}).json()
    assert set(answer["outputs"]) == {"label", "probabilities"}
    assert np.shape(answer["outputs"]["probabilities"]) == (3, 2)
    by_key = {"age_years": [31, 40, None], "town": ["Graz", "Ulm", "Graz"]}
    assert client.post(HOMES, json={"inputs": by_key}).json() == answer
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    predictions = client.post(HOMES, json={"instances": rows}).json()["predictions"]
    assert [row["label"] for row in predictions] == answer["outputs"]["label"]


def test_what_training_had_not_is_told_with_the_answer(client):
    answer = client.post(HOMES, json={"instances": [{**ROW, "town": "Ys"}]}).json()
    assert len(answer["predictions"]) == 1
    assert "none that training had, such as 'Ys'" in answer["warnings"][0]
    assert "warnings" not in client.post(HOMES, json={"instances": [ROW]}).json()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "empty"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[" * 100_000, "nested too deep"),
        (b"[1]", "must hold a JSON object"),
        (b"{}", "received neither"),
        (b'{"instances": [1], "inputs": [1]}', "received both"),
        (b'{"instance": [1]}', "did you mean 'instances'?"),
        (b'{"instances": 3}', "instances must be a list"),
        (b'{"instances": []}', "received none"),
        (
            b'{"instances": [1], "signature_name": "serving_defualt"}',
            "signature_name must be serving_default",
        ),
        (b'{"instances": [1, {"town": "Graz"}]}', "row 1 is a value"),
        (b'{"instances": [1]}', "must name the inputs"),
        (b'{"instances": [{"age (years)": 1, "town": "a", "twon": "b"}]}', "did you mean 'town'?"),
        (b'{"instances": [{"age (years)": 1, "age_years": 1, "town": "a"}]}', "under two names"),
        (b'{"instances": [{"age (years)": 1}]}', "lack the columns 'town'"),
        (b'{"instances": [{"age (years)": 1, "town": "a"}, {"age (years)": 1}]}', "row 2 of instances"),
        (b'{"instances": [{"age (years)": "old", "town": "a"}]}', "received 'old'"),
        (b'{"instances": [{"age (years)": Infinity, "town": "a"}]}', "finite"),
        (b'{"instances": [{"age (years)": 1e400, "town": "a"}]}', "finite"),
        (b'{"instances": [{"age (years)": ' + b"9" * 5000 + b', "town": "a"}]}', "cannot be read"),
        (b'{"instances": [{"age (years)": [1], "town": "a"}]}', "one value per sample"),
        (b'{"instances": [{"age (years)": {"b64": 3}, "town": "a"}]}', "must be a value or"),
        (b'{"instances": [{"age (years)": 1, "town": {"b64": "/w=="}}]}', "UTF-8"),
        (b'{"inputs": {"age (years)": [1, 2], "town": ["a"]}}', "as many in every column"),
        (b'{"inputs": {"age (years)": 1, "town": ["a", "b"]}}', "as many in every column"),
        (b'{"inputs": {}}', "lack the columns"),
        (b'{"inputs": 7}', "must name the inputs"),
        (
            b'{"instances": ['
            + b'{"age (years)": 1, "town": "a"},' * 8
            + b'{"age (years)": 1, "town": "a"}]}',
            "8 rows",
        ),
    ],
)
def test_a_body_that_cannot_be_answered_is_refused_in_a_sentence(client, body, words):
    answer = client.post(HOMES, content=body)
    assert answer.status_code == 400
    assert words in answer.json()["error"]


@pytest.mark.parametrize(
    ("instances", "words"),
    [
        ([1, 2], "must have the shape"),
        ([[[0] * 8] * 7], "must have the shape"),
        ([[0] * 8] * 8, "one sample each, received 8 that are 1"),
        ([[[300] * 8] * 8], "from 0 to 255"),
        ([[[0.5] * 8] * 8], "whole numbers"),
        ([[["a"] * 8] * 8], "numbers"),
        ([[[None] * 8] * 8], "numbers"),
        ([[[{"b64": ""}] * 8] * 8], "numbers"),
        ([[[0] * 8] * 7 + [[0]]], ""),
        ([None], "numbers"),
        ([True], "must have the shape"),
        ([{"b64": "?"}], "must be base64"),
        ([{"b64": "aGFsbG8="}], "image 1: cannot be read as an image"),
        ([{"b64": "aGFsbG8=", "name": "x"}], "which the model does not take"),
        ([{"inputs": {"b64": 1}}], "must be a value or"),
        ([png(np.zeros((8, 8, 1), np.uint8)), [[0] * 8] * 8], "received both"),
        ([png(np.zeros((9, 8, 1), np.uint8))], "8 x 8 pixels"),
        (["image.png"], "images must be numbers"),
    ],
)
def test_images_that_are_none_are_refused(client, instances, words):
    answer = client.post(DIGITS, json={"instances": instances})
    assert answer.status_code == 400, answer.text
    assert words in answer.json()["error"]
    assert "/" not in answer.json()["error"].replace("/v1", "")  # no path of this machine


def test_a_path_is_no_image_and_no_file_of_the_server_is_read(client, tmp_path, images):
    path = tmp_path / "image.png"
    Image.fromarray(images[0][..., 0]).save(path)
    for body in ({"instances": [str(path)]}, {"inputs": str(path)}, {"inputs": [str(path)]}):
        answer = client.post(DIGITS, json=body)
        assert answer.status_code == 400, answer.text
        assert "must be numbers" in answer.json()["error"]


def test_a_small_file_of_many_pixels_is_refused_before_it_is_decoded(client):
    file = io.BytesIO()
    Image.new("1", (9000, 9000)).save(file, "PNG")
    body = {"instances": [{"b64": base64.b64encode(file.getvalue()).decode()}]}
    answer = client.post(DIGITS, json=body)
    assert answer.status_code == 400
    assert "pixels" in answer.json()["error"]


def test_a_body_that_is_too_large_is_not_held(client):
    assert client.post(HOMES, content=b" " * 200_001).status_code == 413
    assert (
        client.post(HOMES, content=(b" " * 1000 for _ in range(300))).status_code == 413
    )  # without its length


def test_models_versions_and_addresses_that_are_not_there_are_404_and_methods_405(client):
    versions = [f"/v1/models/digits/versions/{number}" for number in (9, -1, "x", "1" * 5000, "²")]
    for path in ("/v1/models/digit", "/v1/models/digit/metadata", "/x", *versions):
        answer = client.get(path)
        assert (answer.status_code, "error" in answer.json()) == (404, True)
    assert "did you mean 'digits'?" in client.get("/v1/models/digit").json()["error"]
    assert client.get("/", params={"model": "../digits"}).status_code == 404
    assert client.put("/health").status_code == 405


def test_state_metadata_and_health_are_as_tensorflow_serving_has_them(client):
    for path in ("/v1/models/homes", "/v1/models/homes/versions/1"):
        (status,) = client.get(path).json()["model_version_status"]
        assert (status["version"], status["state"], status["status"]["error_code"]) == (
            "1",
            "AVAILABLE",
            "OK",
        )
        found = client.get(f"{path}/metadata").json()
        assert found["model_spec"] == {"name": "homes", "signature_name": "", "version": "1"}
        signature = found["metadata"]["signature_def"]["signature_def"]["serving_default"]
        assert {name: one["dtype"] for name, one in signature["inputs"].items()} == {
            "age_years": "DT_FLOAT",
            "town": "DT_STRING",
        }
        sizes = [one["size"] for one in signature["outputs"]["probabilities"]["tensor_shape"]["dim"]]
        assert sizes == ["-1", "2"]
        assert "test_accuracy" in found["metadata"]["kexp"]["metrics"]
    assert client.get("/health").json() == {"status": "ok"}
    one = client.post("/v1/models/homes/versions/1:predict", json={"instances": [ROW]})
    assert one.json() == client.post(HOMES, json={"instances": [ROW]}).json()


def test_metrics_count_requests_by_status(client):
    def counted(code):
        name = f'kexp_requests_total{{code="{code}",model="homes"}} '
        lines = client.get("/metrics").text.splitlines()
        return next((float(line.removeprefix(name)) for line in lines if line.startswith(name)), 0)

    before = counted(200), counted(400)
    client.post(HOMES, json={"instances": [ROW]})
    client.post(HOMES, json={"instances": []})
    assert (counted(200), counted(400)) == (before[0] + 1, before[1] + 1)
    assert 'kexp_model_version{model="homes"} 1.0' in client.get("/metrics").text


def test_without_the_token_nothing_but_health_is_answered(service):
    with TestClient(service.application(token="s3cret")) as client:
        assert client.get("/health").status_code == 200
        basic = base64.b64encode(b"me:s3cret").decode()
        for header in (
            None,
            "Bearer s3cre",
            "Bearer s3cret2",
            "Bearer é",
            "s3cret",
            "Basic !",
            "Basic bWU6eA==",
        ):
            headers = {} if header is None else {"Authorization": header.encode()}
            for path in ("/", "/metrics", "/v1/models/digits", "/x"):
                assert client.get(path, headers=headers).status_code == 401
        for header in ("Bearer s3cret", "bearer s3cret", f"Basic {basic}"):
            assert client.get("/v1/models/digits", headers={"Authorization": header}).status_code == 200


def test_another_host_name_is_refused_where_this_machine_alone_is_answered(service):
    with TestClient(service.application(hosts=["127.0.0.1"])) as client:
        assert client.get("/health", headers={"Host": "127.0.0.1:8501"}).status_code == 200
        assert client.get("/health", headers={"Host": "evil.example:8501"}).status_code == 400


def test_numbers_that_are_not_finite_are_null(client, service, monkeypatch):
    from kexp.serve.batching import Batcher

    async def broken(self, inputs, rows):
        return {"values": np.array([[np.nan, np.inf, 0.5]], np.float32)}

    monkeypatch.setattr(Batcher, "predict", broken)
    answer = client.post(HOMES, json={"instances": [ROW]})
    assert json.loads(answer.text, parse_constant=pytest.fail) == {"predictions": [[None, None, 0.5]]}


def test_what_cannot_be_served_is_refused_at_the_start(served_models, tmp_path):
    for models, words in (
        ([tmp_path / "absent"], "does not exist"),
        ([tmp_path], "holds no"),
        ([f"a/b={served_models / 'digits'}"], "must have a name"),
        ([served_models / "digits", f"digits={served_models / 'homes'}"], "different names"),
    ):
        with pytest.raises(InputError, match=words):
            Service(list(map(str, models)), limits=Limits(), say=print)


def test_connections_that_stay_silent_or_slow_are_let_go_and_others_answered(url, client):
    port = int(url.rsplit(":")[-1].strip("/"))
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(40)]
    slow = silent[20:]
    for one in silent[10:20]:
        one.sendall(b"POST /v1/models/homes:predict HTTP/1.1\r\nHost: 127.0.0.1\r\n")
    for one in slow:
        one.sendall(
            b"POST /v1/models/homes:predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n{"
        )
    began = time.monotonic()
    request = urllib.request.Request(
        f"{url}v1/models/homes:predict", json.dumps({"instances": [ROW]}).encode()
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert answer.status == 200
    assert time.monotonic() - began < LIMITS.seconds
    for one in silent:
        one.settimeout(20)
        said = one.recv(100)
        assert said.startswith(b"HTTP/1.1 408") if one in slow else said == b""
        one.close()
