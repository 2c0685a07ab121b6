"""The computers that wheels are built for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """triple: zig's; platform: the wheel's tag; build_platform: what setup.py sees as its own."""

    name: str
    triple: str
    platform: str
    build_platform: str
    proof: str
    flags: tuple[str, ...] = ()
    link_flags: tuple[str, ...] = ()

    @property
    def is_windows(self) -> bool:
        return self.platform.startswith("win")

    @property
    def musl(self) -> str:
        """What its C library is called on Alpine, where zig says libc.so; empty without musl."""
        machine = self.platform.removeprefix("musllinux_1_2_")
        return "" if machine == self.platform else f"libc.musl-{machine}.so.1"

    @property
    def is_audited(self) -> bool:
        """Whether auditwheel knows the tag."""
        return self.platform.startswith(("manylinux", "musllinux"))


NEVER_RUN = "built, never run"
# Python's own names are looked up when the extension is loaded.
_MACOS = ("-undefined", "dynamic_lookup")

TARGETS = (
    Target(
        "linux-x86_64",
        "x86_64-linux-gnu.2.17",
        "manylinux_2_17_x86_64",
        "linux-x86_64",
        "installed into Python 3.10 to 3.13",
    ),
    Target(
        "linux-aarch64",
        "aarch64-linux-gnu.2.17",
        "manylinux_2_17_aarch64",
        "linux-aarch64",
        "run in Debian's Python under qemu-aarch64",
    ),
    Target(
        "linux-armv7l",
        "arm-linux-gnueabihf.2.17",
        "manylinux_2_17_armv7l",
        "linux-armv7l",
        "run in Debian's Python under qemu-arm",
        # Not all ARMv7 has NEON.
        ("-mcpu=generic+v7a+vfp3d16",),
    ),
    Target(
        "linux-armv6l",
        "arm-linux-gnueabihf.2.28",
        "linux_armv6l",
        "linux-armv6l",
        NEVER_RUN,
        ("-mcpu=arm1176jzf_s",),
    ),
    Target(
        "musllinux-x86_64",
        "x86_64-linux-musl",
        "musllinux_1_2_x86_64",
        "linux-x86_64",
        NEVER_RUN,
    ),
    Target(
        "musllinux-aarch64",
        "aarch64-linux-musl",
        "musllinux_1_2_aarch64",
        "linux-aarch64",
        NEVER_RUN,
    ),
    Target(
        "macos-x86_64",
        "x86_64-macos.11.0",
        "macosx_11_0_x86_64",
        "macosx-11.0-x86_64",
        NEVER_RUN,
        link_flags=_MACOS,
    ),
    Target(
        "macos-arm64",
        "aarch64-macos.11.0",
        "macosx_11_0_arm64",
        "macosx-11.0-arm64",
        NEVER_RUN,
        link_flags=_MACOS,
    ),
    Target(
        "windows-amd64",
        "x86_64-windows-gnu",
        "win_amd64",
        "win-amd64",
        NEVER_RUN,
    ),
)


def target(name: str) -> Target:
    (found,) = (each for each in TARGETS if each.name == name)
    return found
