"""Boxes are read from files of COCO, Pascal VOC and YOLO, and what is wrong in one is named by its place."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from kexp.core.errors import InputError
from kexp.data import load

SIZES = {"a": (20, 16), "b": (20, 16), "c": (20, 16)}  # width, height
# Of the image, the class, and x_min, y_min, x_max, y_max.
BOXES = [("a", "cat", (1, 2, 9, 8)), ("a", "dog", (4, 4, 20, 16)), ("c", "dog", (0, 0, 10, 10))]
PARTS = {"validation": 0, "test": 0}
XML = """<annotation><filename>{name}.png</filename>
<size><width>{width}</width><height>{height}</height><depth>3</depth></size>{objects}</annotation>"""
OBJECT = """<object><name>{0}</name><difficult>{5}</difficult>
<bndbox><xmin>{1}</xmin><ymin>{2}</ymin><xmax>{3}</xmax><ymax>{4}</ymax></bndbox></object>"""


def images(folder, sizes=SIZES):
    folder.mkdir(parents=True)
    for number, (name, size) in enumerate(sizes.items()):
        Image.new("L", size, 40 + 40 * number).save(folder / f"{name}.png")


def coco(root, boxes=BOXES, sizes=SIZES, changed=None):
    images(root / "train2017", sizes)
    names = list(sizes)
    content = {
        "images": [
            {"id": place + 10, "file_name": f"{name}.png", "width": size[0], "height": size[1]}
            for place, (name, size) in enumerate(sizes.items())
        ],
        "annotations": [
            {
                "id": 100 + number,
                "image_id": names.index(name) + 10,
                "category_id": {"cat": 7, "dog": 3}[kind],
                "bbox": [box[0], box[1], box[2] - box[0], box[3] - box[1]],
                "iscrowd": 0,
            }
            for number, (name, kind, box) in enumerate(boxes)
        ],
        "categories": [{"id": 7, "name": "cat"}, {"id": 3, "name": "dog"}, {"id": 9, "name": "bat"}],
    }
    if changed:
        changed(content)
    (root / "annotations").mkdir()
    (root / "annotations" / "instances_train2017.json").write_text(json.dumps(content))
    return root


def voc(root, boxes=BOXES, sizes=SIZES, hard=0):
    images(root / "JPEGImages", sizes)
    (root / "Annotations").mkdir()
    for name, (width, height) in sizes.items():
        own = [
            OBJECT.format(kind, box[0] + 1, box[1] + 1, box[2], box[3], hard)
            for image, kind, box in boxes
            if image == name
        ]
        text = XML.format(name=name, width=width, height=height, objects="".join(own))
        (root / "Annotations" / f"{name}.xml").write_text(text)
    return root


def yolo(root, boxes=BOXES, sizes=SIZES):
    images(root / "train" / "images", sizes)
    (root / "train" / "labels").mkdir()
    for name, (width, height) in sizes.items():
        lines = [
            f"{['cat', 'dog'].index(kind)} {(x + u) / 2 / width} {(y + v) / 2 / height} "
            f"{(u - x) / width} {(v - y) / height}"
            for image, kind, (x, y, u, v) in boxes
            if image == name
        ]
        if lines:
            (root / "train" / "labels" / f"{name}.txt").write_text("\n".join(lines) + "\n")
    (root / "data.yaml").write_text("train: train/images\nnc: 2\nnames: ['cat', \"dog\"]  # two\n")
    return root


MAKERS = {"coco": coco, "voc": voc, "yolo": yolo}


@pytest.mark.parametrize("form", MAKERS)
def test_the_boxes_of_each_form_are_the_same_data(form, tmp_path):
    data = load(str(MAKERS[form](tmp_path / "pets")), **PARTS)
    spec = data.spec
    assert (spec.task, spec.class_names, spec.input_shape) == ("detection", ("cat", "dog"), (16, 20, 1))
    expected = np.full((3, 2, 6), -1.0)
    for name, kind, box in BOXES:
        row = 0 if expected[list(SIZES).index(name), 0, 0] < 0 else 1
        expected[list(SIZES).index(name), row] = [*box, ["cat", "dog"].index(kind), 0]
    np.testing.assert_allclose(data.train.targets, expected, atol=1e-5)
    assert data.train.inputs[:, 0, 0, 0].tolist() == [40, 80, 120]
    if form == "coco":
        assert "classes without a box are left out: bat." in data.notes


@pytest.mark.parametrize("form", MAKERS)
@pytest.mark.parametrize(
    ("way", "expected"),
    [
        ("stretch", [4, 0, 16, 8]),
        ("pad", [4, 4, 16, 8]),  # 32 × 16 becomes 16 × 8, below four rows of black
        ("crop", [0, 0, 16, 8]),  # its middle
    ],
)
def test_boxes_follow_their_images_to_another_size(form, way, expected, tmp_path):
    sizes = {"a": (32, 16), "b": (16, 16)}
    boxes = [("a", "cat", (8, 0, 32, 8)), ("b", "dog", (0, 0, 16, 16))]
    data = load(str(MAKERS[form](tmp_path / "pets", boxes, sizes)), image_size=(16, 16), resize=way, **PARTS)
    np.testing.assert_allclose(data.train.targets[0, 0, :4], expected, atol=1e-4)
    np.testing.assert_allclose(data.train.targets[1, 0, :4], [0, 0, 16, 16], atol=1e-4)


def test_parts_are_told_by_names_and_lists(tmp_path):
    root = coco(tmp_path / "coco")
    images(root / "val2017")
    text = (root / "annotations" / "instances_train2017.json").read_text()
    (root / "annotations" / "instances_val2017.json").write_text(text)
    assert len(load(str(root), test=0).validation) == 3
    listed = voc(tmp_path / "voc")
    (listed / "ImageSets" / "Main").mkdir(parents=True)
    (listed / "ImageSets" / "Main" / "train.txt").write_text("a\nb\n")
    (listed / "ImageSets" / "Main" / "test.txt").write_text("c\n")
    data = load(str(listed), validation=0)
    assert (len(data.train), len(data.test)) == (2, 1)


def test_crowds_and_difficult_objects_are_not_to_be_found(tmp_path):
    def crowded(content):
        content["annotations"][0]["iscrowd"] = 1
        content["annotations"].append({**content["annotations"][0], "id": 200, "iscrowd": 0})

    data = load(str(coco(tmp_path / "coco", changed=crowded)), **PARTS)
    assert sorted(data.train.targets[0, :, 5].tolist()) == [0, 0, 1]
    with pytest.raises(InputError, match="no training image has a box of class"):
        load(str(voc(tmp_path / "voc", hard=1)), **PARTS)


def test_the_names_of_yolo_may_be_a_list_a_mapping_or_absent(tmp_path):
    root = yolo(tmp_path / "pets")
    for text in ("names:\n- cat\n- 'dog'\n", "nc: 2\nnames:\n  0: cat\n  1: dog # woof\npath: x\n"):
        (root / "data.yaml").write_text(text)
        assert load(str(root), **PARTS).spec.class_names == ("cat", "dog")
    (root / "data.yaml").unlink()
    (root / "classes.txt").write_text("cat\ndog\n")
    assert load(str(root), **PARTS).spec.class_names == ("cat", "dog")
    (root / "classes.txt").unlink()
    assert load(str(root), **PARTS).spec.class_names == ("0", "1")


def _set(*path, value):
    def change(content):
        for key in path[:-1]:
            content = content[key]
        content[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (_set("annotations", 1, "bbox", value=[1, 2, 0, 4]), r"annotation 101: .*has no area"),
        (
            _set("annotations", 1, "bbox", value=[1, 2, 60, 4]),
            r"annotation 101: .*within the image of 20 × 16",
        ),
        (_set("annotations", 1, "bbox", value=[1, 2, "3", 4]), r"annotation 101: expected a bbox of x, y"),
        (
            _set("annotations", 2, "category_id", value=99),
            "annotation 102: .*category_id that the file has, received 99",
        ),
        (_set("annotations", 2, "image_id", value=99), "image_id that the file has, received 99"),
        (
            _set("images", 0, "file_name", value="../a.png"),
            r"images\[0\]: expected the name of an image file below",
        ),
        (_set("images", 0, "file_name", value="z.png"), "expected image 'z.png' beside it"),
        (_set("images", 0, "width", value=21), "says that image a.png is 21 × 16 pixels"),
        (_set("images", 1, "id", value="x"), r"'id' in images\[1\] to be of type int, received 'x'"),
        (_set("categories", 1, "name", value="cat"), r"received \['cat'\] twice"),
        (_set("annotations", value={}), "expected a list 'annotations', received none"),
    ],
)
def test_what_is_wrong_in_a_file_of_coco_is_named(changed, message, tmp_path):
    with pytest.raises(InputError, match=message):
        load(str(coco(tmp_path / "pets", changed=changed)), **PARTS)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "<annotation>",
            "<!DOCTYPE a [<!ENTITY b 'c'>]><annotation>",
            r"a\.xml: expected annotations alone.*DOCTYPE",
        ),
        ("</annotation>", "", r"a\.xml: cannot be read as an XML file.*no element found"),
        ("<xmin>5</xmin>", "<xmin>five</xmin>", "object 1: expected a number as xmin, received 'five'"),
        ("<xmax>20</xmax>", "<xmax>3</xmax>", "object 1: .*has no area"),
        ("<name>dog</name>", "", "object 1: expected a name and a bndbox"),
        ("a.png", "../../a.png", "expected the name of an image file below"),
        ("a.png", "z.png", r"a\.xml: expected its image 'z.png' beside it"),
    ],
)
def test_what_is_wrong_in_a_file_of_pascal_voc_is_named(old, new, message, tmp_path):
    file = voc(tmp_path / "pets") / "Annotations" / "a.xml"
    file.write_text(file.read_text().replace(old, new))
    with pytest.raises(InputError, match=message):
        load(str(tmp_path / "pets"), **PARTS)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("0 0.5 0.5 0.2", r"a\.txt, line 3: expected a class index and four numbers"),
        ("0 0.1 0.1 0.5 0.5 0.9 0.9", "line 3: expected a class index and four numbers"),
        ("cat 0.5 0.5 0.2 0.2", "line 3: expected a class index and four numbers"),
        ("2 0.5 0.5 0.2 0.2", "line 3: expected a class index from 0 to 1, received 2"),
        ("0 10 10 4 4", r"line 3: expected a box within the image"),
        ("0 0.5 0.5 0 0.2", "line 3: .*has no area"),
    ],
)
def test_what_is_wrong_in_a_file_of_yolo_is_named(line, message, tmp_path):
    file = yolo(tmp_path / "pets") / "train" / "labels" / "a.txt"
    file.write_text(file.read_text() + line + "\n")
    with pytest.raises(InputError, match=message):
        load(str(tmp_path / "pets"), **PARTS)


@pytest.mark.skipif(os.name == "nt", reason="file names in another encoding")
def test_bytes_that_are_no_text_are_named(tmp_path):
    file = yolo(tmp_path / "pets") / "train" / "labels" / "a.txt"
    file.write_bytes(b"\xff\xfe0 0.5")
    with pytest.raises(InputError, match=r"a\.txt: cannot be read as a text file of YOLO's"):
        load(str(tmp_path / "pets"), **PARTS)
    (tmp_path / "pets" / "data.yaml").write_text("names: cat\n")
    with pytest.raises(InputError, match=r"data\.yaml: expected below names a list of class names"):
        load(str(tmp_path / "pets"), **PARTS)
