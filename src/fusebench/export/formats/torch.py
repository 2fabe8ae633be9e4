"""An archive of torch.export, which runs without this project."""

from pathlib import Path
from typing import Any

import torch

from fusebench.export.format import Arrays, Format, Run
from fusebench.export.graph import Graph


class Torch(Format):
    """model.pt2: the graph as JSON, and weights as plain bytes."""

    file = "model.pt2"
    library = "pytorch"
    packages = ()
    usage = (
        "import torch\n"
        'model = torch.export.load("model.pt2").module()\n'
        "probabilities = model({inputs})"
    )
    remark = (
        "It is an archive (zip) that holds the graph as JSON and weights as plain bytes, and no "
        "pickle. `torch.export.load` would unpickle one that somebody put in: compare the digest "
        "first where it came from elsewhere. torch does not promise that other versions read it."
    )

    def write(self, graph: Graph, path: Path) -> None:
        """Write a graph; the bytes are a function of the graph and of the versions alone."""
        program = graph.trace()
        for module in program.graph_module.modules():
            if isinstance(module, torch.fx.GraphModule):
                for node in module.graph.nodes:
                    # Paths of this machine, lines of code.
                    node.meta.pop("stack_trace", None)
        # They would be stored as a pickle.
        program.example_inputs = None
        torch.export.save(program, path)

    def open(self, path: Path, threads: int) -> Run:  # noqa: ARG002  (torch's own are set)
        """Return what runs the file with torch."""
        module = torch.export.load(path).module()

        def run(inputs: Arrays) -> Any:
            tensors = {name: torch.from_numpy(array) for name, array in inputs.items()}
            with torch.inference_mode():
                return module(**tensors).numpy()

        return run
