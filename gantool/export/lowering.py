"""From torch's operations to the flat list: each traced call becomes one or a few of some twenty kinds."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from gantool.export import elementwise, layers, moving
from gantool.export.program import Call, Lower, Program, Refused, Value
from gantool.export.trace import decomposed, line_of_operation, traced

RANDOM = {
    "bernoulli", "multinomial", "native_dropout", "normal", "normal_functional", "rand", "rand_like", "randint",
    "randint_like", "randn", "randn_like", "randperm", "uniform", "exponential", "poisson",
}  # fmt: skip
PASSED_ON = {"alias", "clone", "contiguous", "detach", "lift_fresh_copy"}
FILLED = {"full_like": None, "zeros_like": 0.0, "ones_like": 1.0, "empty_like": 0.0, "new_zeros": 0.0, "new_ones": 1.0}


KNOWN = {*PASSED_ON, *FILLED, "dropout"}
LOWERED: dict[str, Lower] = {**layers.LOWERED, **elementwise.LOWERED, **moving.LOWERED}


def lowered(module: nn.Module, inputs: tuple[Tensor, ...]) -> Program:
    """A module at batch 1 as a program."""
    program = traced(module, inputs)
    program = program if is_known(program) else decomposed(program)
    try:
        return flattened(program)
    except Refused as refused:
        if not refused.operation:
            raise
        line = line_of_operation(module, inputs, refused.operation)
        raise Refused(refused.why, f"aten::{refused.operation}{f' at {line}' if line else ''}") from None


def is_known(program: ExportedProgram) -> bool:
    """Whether there is nothing to take apart, which takes torch far longer than to trace: no operation in place."""
    for node in program.graph.nodes:
        if node.op == "call_function" and (schema := getattr(node.target, "_schema", None)):
            name = node.target._opname
            if schema.is_mutable or not (name in LOWERED or name in KNOWN or name in RANDOM):
                return False
    return True


def flattened(exported: ExportedProgram) -> Program:
    """A traced program, its operations one by one; what depends on weights alone is computed here."""
    program, known = Program(), dict[Any, Any]()
    signature = exported.graph_signature
    weights = {**exported.state_dict, **exported.constants}
    lifted = {
        **signature.inputs_to_parameters, **signature.inputs_to_buffers, **signature.inputs_to_lifted_tensor_constants,
    }  # fmt: skip

    def looked_up(x: Any) -> Any:
        if isinstance(x, torch.fx.Node):
            return known[x]
        return [looked_up(each) for each in x] if isinstance(x, list | tuple) else x

    for node in exported.graph.nodes:
        if node.op == "placeholder":
            if node.name in lifted:
                held: Any = weights[lifted[node.name]].detach()
            else:
                held = program.value(node.meta["val"].shape)
                program.inputs.append(held.id)
            known[node] = held
        elif node.op == "call_function":
            known[node] = called(program, node, looked_up(node.args), {k: looked_up(v) for k, v in node.kwargs.items()})
        elif node.op == "output":
            outputs = looked_up(node.args[0])
            image = outputs[len(outputs) - len(signature.user_outputs)]
            if not isinstance(image, Value):
                raise Refused("draws one image, whatever its inputs")
            program.output = image.id
    return program


def called(program: Program, node: Any, args: list[Any], keywords: dict[str, Any]) -> Any:
    """What one traced call gives: values, or numbers where it depends on none."""
    target = node.target
    name: str = getattr(target, "_opname", "") or getattr(target, "__name__", str(target))
    if name == "getitem":
        return args[0][args[1]]
    if name.startswith(("_assert", "sym_constrain")):
        return None
    if name in RANDOM:
        raise Refused("draws noise of its own", operation=name)
    if not depends(args) and not depends(list(keywords.values())):
        with torch.no_grad():
            return target(*args, **keywords)
    if not hasattr(target, "_schema"):
        raise Refused(f"computes with sizes that its inputs decide, by {name}")
    given = dict(zip((a.name for a in target._schema.arguments), args, strict=False))
    every = {a.name: a.default_value for a in target._schema.arguments if a.has_default_value()} | given | keywords
    made = node.meta["val"]
    shape: Any = [tuple(each.shape) for each in made] if isinstance(made, list | tuple) else tuple(made.shape)
    first = next((a.meta["val"].dtype for a in node.all_input_nodes if hasattr(a.meta.get("val"), "dtype")), None)
    call = Call(name.rstrip("_") if not name.startswith("_") else name, target, every, shape,
                (first, getattr(made, "dtype", None)))  # fmt: skip
    if call.name in PASSED_ON:
        return args[0]
    if call.name in FILLED:
        fill = FILLED[call.name]
        return torch.full(shape, float(call["fill_value"]) if fill is None else fill, dtype=made.dtype)
    if call.name == "dropout":
        if call["train"] and call["p"]:
            raise Refused("draws noise of its own", operation="native_dropout")
        return args[0]
    if call.name not in LOWERED:
        raise call.refuse("uses an operation that pages do not know")
    return LOWERED[call.name](program, call)


def depends(x: Any) -> bool:
    """Whether a value is in it."""
    return isinstance(x, Value) or (isinstance(x, list) and any(map(depends, x)))
