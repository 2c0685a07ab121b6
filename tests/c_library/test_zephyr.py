"""The Zephyr module, as far as it can be checked without Zephyr: its Kconfig, the files that its
build file names, and its C code against declarations as in Zephyr 3.7."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from library_tools import STRICT, need, run, sources

HERE = Path(__file__).resolve().parent
# Symbols of Zephyr that the module selects.
ZEPHYR = "".join(
    f"config {name}\n\tbool\n"
    for name in ("SERIAL", "UART_INTERRUPT_DRIVEN", "RING_BUFFER", "REBOOT")
)


def test_kconfig(library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kconfiglib = pytest.importorskip("kconfiglib", reason="reads Kconfig")
    monkeypatch.setenv("KCONFIG_WARN_UNDEF", "y")
    (tmp_path / "Kconfig").write_text(f'{ZEPHYR}source "{library}/zephyr/Kconfig"\n')
    kconfig = kconfiglib.Kconfig(str(tmp_path / "Kconfig"))
    kconfig.load_config(str(library / "zephyr/samples/device/prj.conf"))
    assert not [w for w in kconfig.warnings if "BYTEPROP" in w or "Kconfig" in w]
    wanted = ("BYTEPROP", "BYTEPROP_TRAIN", "BYTEPROP_LINK", "BYTEPROP_DEVICE", "RING_BUFFER")
    assert {name: kconfig.syms[name].str_value for name in wanted} == dict.fromkeys(wanted, "y")
    assert kconfig.syms["BYTEPROP_POOL_BYTES"].str_value == "16384"


@pytest.mark.parametrize(
    ("options", "components"),
    [
        (["BYTEPROP"], ["infer"]),
        (["BYTEPROP", "BYTEPROP_TRAIN"], ["infer", "train"]),
        (["BYTEPROP", "BYTEPROP_TRAIN", "BYTEPROP_ANOMALY"], ["infer", "train", "anomaly"]),
        (["BYTEPROP", "BYTEPROP_AUDIO"], ["infer", "audio"]),
        (
            ["BYTEPROP", "BYTEPROP_TRAIN", "BYTEPROP_LINK", "BYTEPROP_DEVICE"],
            ["infer", "train", "link", "device"],
        ),
        ([], []),
    ],
)
def test_options_choose_the_sources(
    options: list[str],
    components: list[str],
    library: Path,
    c_library: SimpleNamespace,
    tmp_path: Path,
) -> None:
    need("cmake")
    script = tmp_path / "zephyr.cmake"
    ignored = ("library_named", "include_directories", "library_compile_definitions")
    script.write_text(
        "".join(f"function(zephyr_{name})\nendfunction()\n" for name in ignored)
        + "function(zephyr_library_sources)\n  foreach(s IN LISTS ARGN)\n"
        '    message(NOTICE "source ${s}")\n  endforeach()\nendfunction()\n'
        + "".join(f"set(CONFIG_{option} y)\n" for option in options)
        + f"include({library / 'zephyr/CMakeLists.txt'})\n",
        encoding="utf-8",
    )
    said = run("sh", "-c", f"cmake -P {script} 2>&1").splitlines()
    listed = [Path(line.removeprefix("source ")) for line in said if line.startswith("source ")]
    expected = sources(library, c_library, *components)
    if "device" in components:
        expected.append(library / "zephyr/byteprop_device.c")
    assert listed == expected


@pytest.mark.parametrize("usb", [False, True])
def test_c_code_against_declarations(library: Path, usb: bool) -> None:
    need("gcc")
    zephyr = library / "zephyr"
    run(
        *("gcc", "-std=c11", *STRICT, "-fsyntax-only", "-DCONFIG_BYTEPROP_POOL_BYTES=16384"),
        *(["-DCONFIG_USB_DEVICE_STACK=1"] if usb else []),
        *(f"-I{folder}" for folder in (HERE / "zephyr_on_pc", zephyr, library / "src")),
        *(zephyr / "byteprop_device.c", zephyr / "samples/device/src/main.c"),
    )
