"""What to do about errors: one table for the classes of errors, one for the status codes of the
C library. The command shows it with -v and --json, and the page of messages is made of it; a test
checks that both tables are complete."""

from __future__ import annotations

ERRORS = {
    "AnswerError": "The line is damaged, or other software is on the board. Flash the board again; "
    "record the line with --wire-log and look at it with `byteprop monitor --replay`.",
    "ArgumentError": "Change the argument that the message names; it says what was expected "
    "and what it got.",
    "BoardFileError": "Change the key that the message names in this board.toml; `byteprop help "
    "porting` describes all of them.",
    "BuildError": "Read the lines of the compiler or linker below the message. `byteprop boards` "
    "shows which compilers are installed.",
    "BytepropError": "The base of all errors: `except byteprop.errors.BytepropError` catches every "
    "one of them.",
    "DataError": "The message names the file, and the line and column or the array. `byteprop help "
    "data` has the formats.",
    "DeviceFaultError": "The firmware stopped. Is the board the one that --board names? Otherwise "
    "please report it with the message: it has the place.",
    "DoesNotFitError": "Use a board with more memory, a smaller model, or fewer layers that learn "
    "(--train last). `byteprop info FILE` shows what fits.",
    "FlashError": "Read what the tool said below the message, and the table of flash tools below. "
    "Plug the board in again; end other debuggers.",
    "HostError": "The base of all errors of the tools.",
    "LinkError": "Is --board right? Does another program use the port? Press reset and try again; "
    "--timeout gives a slow board more time.",
    "ModelError": "Convert or copy the file again. It is not a model, or it is damaged.",
    "NotBuiltError": "Call `fit` first, or give input_range= or normalization=.",
    "PortError": "Close other programs that use the port. On Linux, be in the group that owns it. "
    "`byteprop boards` lists the ports.",
    "RequestError": "The status code in the message is explained below.",
    "ToolMissingError": "Install the program as the message says.",
    "TrainingInterrupted": "Nothing is wrong: you stopped the training. The message says how to go "
    "on from the checkpoint.",
    "TrainingError": "Change the setting or the network that the message names; `byteprop help "
    "training` has what can be trained.",
    "UsageError": "Change the option that the message names; `byteprop VERB --help` shows all "
    "of them.",
    "UnsupportedOpError": "`byteprop help ops` has the ops that run. `byteprop quantize` makes an "
    "int8 model of a float one.",
}

_DAMAGED = "The image is damaged, or was made by another program: convert the model again."
STATUSES = {
    "OK": "Nothing: this is success.",
    "E_ARG": "Change the argument; in firmware of your own, compare with the header's comment.",
    "E_TRUNCATED": "Copy the file again. In firmware, give the length of the whole image.",
    "E_MAGIC": "Give a .bpm file, or the array that `byteprop convert` writes.",
    "E_VERSION": "Convert the model with the version of byteprop that the firmware has, or build "
    "the firmware again.",
    "E_CRC": "The image changed on its way or in memory: load it again. After training, call "
    "bp_train_seal.",
    "E_BOUNDS": _DAMAGED,
    "E_ALIGN": f"{_DAMAGED} In firmware, align the array to 4 bytes.",
    "E_OP": "The firmware was built for another model: build it again for this one.",
    "E_DTYPE": _DAMAGED,
    "E_SHAPE": _DAMAGED,
    "E_PARAM": _DAMAGED,
    "E_OVERLAP": _DAMAGED,
    "E_ARENA": "Give the arena the bytes that the model needs (BP_MODEL_ARENA_BYTES of the .h "
    "file), or use a board with more RAM.",
    "E_NO_MODEL": "Load or select a model first.",
    "E_STATE": "Send requests in the order that `byteprop help protocol` has. Was the board reset "
    "in between?",
    "E_RANGE": "Ask for a part that is inside the object.",
    "E_UNKNOWN": "The firmware is older than the tools: build and flash it again.",
    "E_LENGTH": "The firmware is of another version than the tools: build and flash it again.",
    "E_SPACE": "Use a board with more memory, or a smaller model; `byteprop info` shows what fits.",
    "E_UNSUPPORTED": "Build firmware that has this feature; small boards leave out what they "
    "cannot hold.",
    "E_ORDER": _DAMAGED,
    "E_KIND": _DAMAGED,
}

# Classes that never reach a user: the one that they become.
INSIDE = {
    "ArgumentTypeError": "UsageError",
    "CommandFailed": "BuildError",
    "_NoIntegerFormError": "ModelError",
    "_Wrong": "ModelError",
}


def remedy_of(error: BaseException) -> str:
    """What to do about an error; empty for one that is not byteprop's own."""
    status = getattr(error, "status", "")
    if status in STATUSES:
        return STATUSES[status]
    names = (kind.__name__ for kind in type(error).__mro__)
    return next((ERRORS[name] for name in names if name in ERRORS), "")
