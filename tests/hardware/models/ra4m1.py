"""The RA4M1 as Arduino's boot loader leaves it to a program: interrupts on, and the clock as after
reset. RA4M1 User's Manual (R01UH0887); registers as in Renesas' R7FA4M1AB.svd. See also
github.com/arduino/arduino-renesas-bootloader, src/main.c."""

from __future__ import annotations

from collections.abc import Callable

from unicorn import arm_const as arm

from .chip import Chip, FlashController, rom_table
from .peripheral import Peripheral
from .uart import StrictUart

_LOOKS = 2  # until a status bit follows
_HOCO_HZ = 48e6
_LEFT_ON = 5  # an interrupt of the boot loader


class ReadOnlyFlash(FlashController):
    base, size = 0x407EC000, 4

    def may_write(self) -> bool:
        return False


class System(Peripheral):
    """Clocks, behind the register that protects them."""

    base, size, is_narrow = 0x4001E000, 0x400, True
    DIVISORS, SOURCE, HOCO, STABLE, POWER, PROTECT = 0x20, 0x26, 0x36, 0x3C, 0xA0, 0x3FE
    _FROM_HOCO, _CLOCKS, _POWER_MODE = 0, 1, 2
    _HIGH_SPEED, _IN_TRANSITION = 0, 1 << 4

    def reset(self) -> None:
        self.registers = {self.DIVISORS: 0x44044444, self.SOURCE: 1, self.HOCO: 1}
        self.registers |= {self.POWER: 2, self.PROTECT: 0}
        self._power_looks = self._hoco_looks = 0

    def write(self, offset: int, value: int) -> None:
        needed = self._POWER_MODE if offset == self.POWER else self._CLOCKS
        if offset == self.PROTECT:
            if value >> 8 != 0xA5:
                return
        elif not self.registers[self.PROTECT] & needed:
            self.fault("a clock register is written while it is protected")
            return
        self.registers[offset] = value
        if offset == self.SOURCE and (value & 7) == self._FROM_HOCO:
            self._check_source()

    def _check_source(self) -> None:
        if not self._is_high_speed():
            self.fault("the CPU is put on HOCO before the power mode allows it")
        if not self._is_stable():
            self.fault("the CPU is put on HOCO before it is stable")

    def _is_high_speed(self) -> bool:
        """And the program has seen it."""
        return self.registers[self.POWER] & 3 == self._HIGH_SPEED and self._power_looks > _LOOKS

    def _is_stable(self) -> bool:
        """And the program has seen it."""
        return not self.registers[self.HOCO] & 1 and self._hoco_looks > _LOOKS

    def read(self, offset: int) -> int:
        if offset == self.POWER:
            self._power_looks += 1
            moves = self._IN_TRANSITION if self._power_looks <= _LOOKS else 0
            return self.registers[self.POWER] | moves
        if offset == self.STABLE and not self.registers[self.HOCO] & 1:
            self._hoco_looks += 1
            return int(self._is_stable())
        return super().read(offset)

    def wrong(self) -> str:
        if self.registers[self.PROTECT] & 3:
            return "the clock registers are left open to writes"
        divisors = self.registers[self.DIVISORS]
        shifts = {divisors >> at & 7 for at in (28, 24, 12, 8, 4, 0)}
        if self.registers[self.SOURCE] & 7 != self._FROM_HOCO or shifts != {1}:
            return "the CPU is not clocked as board.toml says"
        return ""

    def hz(self) -> float:
        """Of PCLKA, which clocks the SCI."""
        return _HOCO_HZ / (1 << (self.registers[self.DIVISORS] >> 12 & 7))


class ModuleStop(Peripheral):
    base, size = 0x40047000, 0x100
    CRB, _SCI2 = 0, 1 << 29

    def reset(self) -> None:
        self.registers = {self.CRB: 0xFFFFFFFF}

    def is_on(self) -> bool:
        return not self.registers[self.CRB] & self._SCI2


class WriteProtect(Peripheral):
    """PWPR, of the pins' functions."""

    base, size, is_narrow = 0x40040D00, 0x10, True
    PWPR, _CLOSED, _OPEN = 3, 1 << 7, 1 << 6

    def reset(self) -> None:
        self.registers = {self.PWPR: self._CLOSED}

    def write(self, offset: int, value: int) -> None:
        """The write enable can be changed only while the bit above it is off already."""
        is_closed = self.registers[self.PWPR] & self._CLOSED
        if offset == self.PWPR and is_closed and value & self._OPEN:
            return
        if offset == self.PWPR and self.registers[self.PWPR] & self._OPEN and value & self._CLOSED:
            self.fault("the pins' functions are closed in one step")
        self.registers[offset] = value

    def is_open(self) -> bool:
        return bool(self.registers[self.PWPR] & self._OPEN)

    def wrong(self) -> str:
        is_closed = self.registers[self.PWPR] == self._CLOSED
        return "" if is_closed else "the pins' functions are left open to writes"


class Pins(Peripheral):
    base, size = 0x40040800, 0x400
    RX, TX = 0xC4, 0xC8
    _SCI, _PULL_UP = 4 << 24 | 1 << 16, 1 << 4

    def __init__(self, protect: WriteProtect) -> None:
        super().__init__()
        self._protect = protect

    def write(self, offset: int, value: int) -> None:
        if self._protect.is_open():
            super().write(offset, value)
        else:
            self.fault("a pin's function is written while it is protected")

    def wrong(self, is_tx: bool) -> str:
        value = self.registers.get(self.TX if is_tx else self.RX, 0)
        if value & (0x1F << 24 | 1 << 16) != self._SCI:
            return f"P30{1 + is_tx} is not the SCI's"
        return "P301 is not pulled up" if not is_tx and not value & self._PULL_UP else ""


class Links(Peripheral):
    """ICU: which event raises which interrupt."""

    base, size = 0x40006300, 0x80
    _RXI, _ASKED = 163, 1 << 16

    def irq_of(self, event: int) -> int | None:
        return next((at // 4 for at, v in self.registers.items() if v & 0xFF == event), None)

    def ask(self, irq: int) -> None:
        self.registers[4 * irq] |= self._ASKED

    def asks(self, irq: int) -> bool:
        return bool(self.registers.get(4 * irq, 0) & self._ASKED)


class Sci(StrictUart):
    base, size, is_narrow = 0x40070040, 0x20, True
    SMR, BRR, SCR, TDR, SSR, RDR, SEMR = 0, 1, 2, 3, 4, 5, 7
    _RXI, _TX, _RX = 1 << 6, 1 << 5, 1 << 4

    def __init__(
        self, system: System, stop: ModuleStop, pins: Pins, protect: WriteProtect, links: Links
    ) -> None:
        super().__init__(0)
        self._system, self._stop, self._pins = system, stop, pins
        self._protect, self._links = protect, links
        self.is_enabled: Callable[[int], bool] = lambda irq: False

    def reset(self) -> None:
        """As another program left it: on, at another rate, with seven bits."""
        super().reset()
        self.registers = {self.SMR: 0x40, self.BRR: 0xFF, self.SCR: self._TX | self._RX}
        self.registers[self.SEMR] = 0

    def _is_on(self, bits: int) -> bool:
        return self.registers[self.SCR] & bits == bits

    def _wrong(self, is_tx: bool) -> str:
        found = (self._system.wrong(), self._protect.wrong(), self._pins.wrong(is_tx))
        if self.registers[self.SMR]:
            return "the SCI has no 8 bits"
        errors = self._links.irq_of(166)
        if errors is None or not self.is_enabled(errors):
            return "errors raise no interrupt"
        return next((text for text in found if text), "")

    def _listens(self) -> bool:
        if not (self._is_on(self._RX) and self.has_received()):
            return False
        wrong = self._wrong(False)
        if wrong:
            self.fault(wrong)
            self.line.to_chip.clear()
        return not wrong

    def pending(self) -> int | None:
        """A byte raises its event once; what is linked to the event keeps it."""
        irq = self._links.irq_of(163)
        if irq is None:
            return None
        if self._is_on(self._RXI | self._RX) and self._listens():
            self._links.ask(irq)
        return irq if self._links.asks(irq) else None

    def read(self, offset: int) -> int:
        if offset == self.SSR:
            free = self.is_free()
            return free << 2 | self._listens() << 6 | free << 7
        return self.receive() if offset == self.RDR else super().read(offset)

    def write(self, offset: int, value: int) -> None:
        if not self._stop.is_on():
            self.fault("the SCI is written while it is stopped")
        elif offset == self.TDR:
            self._send(value & 0xFF)
        elif offset in (self.SMR, self.BRR, self.SEMR) and self._is_on(self._TX):
            self.fault("the SCI is set up while it is on")
        elif offset != self.SSR:
            super().write(offset, value)

    def _send(self, byte: int) -> None:
        wrong = self._wrong(True)
        if not self._is_on(self._TX):
            wrong = "the transmitter is off"
        clocks = 16 if self.registers[self.SEMR] & 0x40 else 32
        rate = self._system.hz() / (clocks * (self.registers[self.BRR] + 1))
        if wrong:
            self.fault(wrong)
        elif self.check_rate(rate):
            self.transmit(byte)


class LeftOn(Peripheral):
    """What the boot loader used still asks."""

    base, size = 0x407EC100, 4

    def pending(self) -> int | None:
        return _LEFT_ON


class Ra4m1(Chip):
    def __init__(self) -> None:
        system, stop, protect, links = System(), ModuleStop(), WriteProtect(), Links()
        pins = Pins(protect)
        uart = Sci(system, stop, pins, protect, links)
        super().__init__(
            "cortex-m4",
            ReadOnlyFlash(0, 256 * 1024),
            32 * 1024,
            [system, stop, protect, links, pins, uart, LeftOn()],
            cpuid=0x410FC241,
            rom_table=rom_table(0x4C4),
            uart=uart,
        )
        uart.is_enabled = self.core.system.is_enabled

    def reset(self) -> None:
        super().reset()
        self.core.system.write(self.core.system.ISER, 1 << _LEFT_ON)
        self.core.uc.reg_write(arm.UC_ARM_REG_PRIMASK, 1)
