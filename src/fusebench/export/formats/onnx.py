"""ONNX, which runs without torch."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fusebench.export.format import Arrays, Format, Run
from fusebench.export.graph import Graph

_OUTPUT = "probabilities"
# A file of protobuf holds 2 GiB; what is in it beside the weights is little.
_MOST_INSIDE = 2_000_000_000


class Onnx(Format):
    """model.onnx, one file; weights beyond 2 GB stand in model.onnx.data beside it."""

    file = "model.onnx"
    library = "onnx"
    packages = ("onnx", "onnxruntime", "onnxscript")
    usage = (
        "import onnxruntime\n"
        'session = onnxruntime.InferenceSession("model.onnx")\n'
        "(probabilities,) = session.run(None, {{{inputs}}})"
    )
    remark = (
        "It needs neither torch nor fusebench. Checked with onnxruntime {onnxruntime} on the CPU; "
        "others must support opset {opset}."
    )

    def write(self, graph: Graph, path: Path) -> None:
        """Write a graph; the bytes are a function of the graph and of the versions alone."""
        names = [each.name for each in graph.inputs]
        traced = graph.trace()
        with warnings.catch_warnings():
            # All inputs share one batch; torch says of the second that its name is taken.
            warnings.filterwarnings("ignore", "# The axis name: batch will not be used")
            program = torch.onnx.export(
                traced, dynamo=True, verbose=False, input_names=names,
                output_names=[_OUTPUT], dynamic_shapes=graph.shapes,
            )  # fmt: skip
        assert program is not None  # noqa: S101
        for part in _parts(program.model):
            # Where it was exported: paths of this machine, lines of code.
            part.metadata_props.clear()
            part.doc_string = None
        weights = sum(tensor.nbytes for tensor in graph.state_dict().values())
        program.save(path, external_data=weights > _MOST_INSIDE)

    def requires(self, path: Path) -> dict[str, Any]:
        """Return the version of ONNX's operators that a file is written in."""
        import onnx

        model = onnx.load(path, load_external_data=False)
        (opset,) = (each.version for each in model.opset_import if each.domain in ("", "ai.onnx"))
        return {"opset": opset}

    def open(self, path: Path, threads: int) -> Run:
        """Return what runs the file with onnxruntime."""
        import onnxruntime  # type: ignore[import-untyped]

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

        def run(inputs: Arrays) -> Any:
            (probabilities,) = session.run(None, dict(inputs))
            return np.asarray(probabilities)

        return run


def _parts(model: Any) -> Iterator[Any]:
    """Yield all of a model that may say where it was exported."""
    yield model
    yield model.graph
    yield from model.graph.inputs
    yield from model.graph.initializers.values()
    for node in model.graph.all_nodes():
        yield node
        yield from node.outputs
