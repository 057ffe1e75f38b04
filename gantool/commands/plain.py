"""Commands that say in our words what is wrong with the words they are given."""

from collections.abc import Iterable
from functools import partial
from typing import Any

from typer.core import TyperCommand, TyperGroup

from gantool.errors import USAGE, UserError, did_you_mean


class Plain:
    """Says itself what is wrong with the words it is given, and takes them as they are.

    Typer would hand each to pydantic, which takes a tenth of a second to import and has words of its own.
    """

    def get_params(self, ctx: Any) -> list[Any]:
        params: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        for param in params:
            param.process_value = partial(as_typed, param)
            if getattr(param, "is_flag", False):
                param.metavar = ""  # nothing follows a switch
            elif param.bare_type() == "str":
                param.bare_type = lambda: "text"  # as settings have it
        return params

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not ctx.resilient_parsing:
            self.check_values(ctx, args)
        rest: list[str] = super().parse_args(ctx, args)  # type: ignore[misc]
        return rest

    def check_values(self, ctx: Any, args: list[str]) -> None:
        """A flag that wants a value has none where the line ends, or where another flag follows."""
        params = [param for param in self.get_params(ctx) if param.opts[0].startswith("-")]
        every = {word for param in params for word in (*param.opts, *param.secondary_opts)}
        takes = {word for param in params if not param.is_flag for word in param.opts}
        words = iter(args)
        for word in words:
            if word == "--":
                return
            if word in takes and next(words, "--") in every | {"--"}:
                raise UserError(f"{word} needs a value after it.", see(ctx), USAGE)


def as_typed(param: Any, ctx: Any, value: Any) -> Any:
    """What was typed; then what its own callback makes of that."""
    return param.callback(ctx, param, value) if param.callback else value


class PlainCommand(Plain, TyperCommand):
    """A command whose leftover words are an error in our words."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        settings = {"allow_extra_args": True, "ignore_unknown_options": True}
        kwargs["context_settings"] = {**(kwargs.get("context_settings") or {}), **settings}
        super().__init__(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        taken = [str(value) for param in self.params if not param.opts[0].startswith("-")
                 for value in [ctx.params.get(param.name)] if value is not None]  # fmt: skip
        if early := [word for word in taken if word.startswith("-") and word != "-"]:
            check_words(ctx, early)
        check_words(ctx, ctx.args)
        return super().invoke(ctx)


class PlainGroup(Plain, TyperGroup): ...


def check_words(ctx: Any, words: Iterable[str]) -> None:
    """Raise for the first word that means nothing here."""
    for word in words:
        if word.startswith("-") and word not in ("-", "--"):
            flag = word.partition("=")[0]
            shown = (param for param in ctx.command.get_params(ctx) if not getattr(param, "hidden", False))
            known = [opt for param in shown for opt in (*param.opts, *param.secondary_opts)]
            near = did_you_mean(flag, [opt for opt in known if opt.startswith("--")])
            raise UserError(f"No such option: {flag}.{near}", see(ctx), USAGE)
        raise UserError(f"{word!r} is one word too many.", see(ctx), USAGE)


def see(ctx: Any) -> str:
    return f"See: {ctx.command_path} --help"
