"""The ONNX file says what torch says, for any batch, and knows its classes."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from curate.errors import UserError
from curate.workspace import Workspace
from tests.train.digits import QUICK, digits
from train import models, onnx_file, verbs
from train.run import Saved

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")
CLASSES = tuple("0123456789")


def saved(name: str) -> Saved:
    torch.manual_seed(0)
    model = models.build(name, num_classes=10, image_size=16)
    torch.nn.init.normal_(model.head.weight)  # it starts at zero, where every network says the same
    images = digits(50)
    model.start_from(images.images, *images.mean_std())
    return Saved(model.eval(), replace(QUICK, model=name, image_size=16), CLASSES)


@pytest.mark.parametrize("name", ["resnet20", "resnet_fast"])
def test_it_says_what_torch_says(name: str, tmp_path: Path) -> None:
    import onnxruntime

    network = saved(name)
    exported = onnx_file.write_onnx(tmp_path / "out" / "model.onnx", network)
    assert 0 < exported.max_difference < 1e-4
    session = onnxruntime.InferenceSession(exported.written, providers=["CPUExecutionProvider"])
    about = session.get_modelmeta().custom_metadata_map
    assert json.loads(about["classes"]) == list(CLASSES)
    for count in (1, 13):
        images = digits(count, start=100).images
        theirs = session.run(None, {"images": images.contiguous().numpy()})[0]
        with torch.no_grad():
            assert np.allclose(theirs, network.model(images).numpy(), atol=1e-4)


def test_another_networks_output_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = onnx_file.to_onnx(saved("resnet_fast").model, 16, {})
    monkeypatch.setattr(onnx_file, "to_onnx", lambda *arguments: other)
    with pytest.raises(UserError, match=r"differ from torch's by .* was not written"):
        onnx_file.write_onnx(tmp_path / "model.onnx", saved("resnet20"))
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_one_line_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_file, "find_spec", lambda name: None if name == "onnxscript" else name)
    with pytest.raises(UserError, match="takes onnxscript: pip install onnx onnxruntime onnxscript"):
        onnx_file.write_onnx(tmp_path / "model.onnx", saved("resnet20"))


def test_a_run_is_exported_and_an_unknown_one_names_those_there_are(workspace: Workspace) -> None:
    settings = {"epochs": 1, "image_size": 16, "device": "cpu", "flip": False}
    run_dir, _ = verbs.train(workspace, data="raw", seeds=1, settings=settings, name="first")
    exported = verbs.export_onnx(workspace, "first")
    assert exported.written == str(run_dir / "model.onnx")
    assert exported.image_size == 16
    assert workspace.ledger()[-1].command == "onnx"
    with pytest.raises(UserError, match="no finished run that kept its network is called 'second'; there are: first"):
        verbs.export_onnx(workspace, "second")
