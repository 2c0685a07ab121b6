"""The ESP32-C3 as its boot ROM leaves it to a program in flash, or another program: watchdogs on,
and what is not needed to read flash off. ESP32-C3 TRM, chapters 1, 3, 5, 6, 8, 10, 12 and 26; the
fields are those of ESP-IDF's register headers for this chip."""

from __future__ import annotations

from unicorn import UC_HOOK_MEM_READ, Uc

from .peripheral import Peripheral
from .riscv import RiscvChip
from .uart import StrictUart

_FLASH, _FLASH_BYTES = 0x42000000, 4 << 20
_DATA_BUS = 0x3C000000
_RAM = (0x3FC80000, 320 * 1024)
_REGISTERS = ((0x60000000, 0x50000), (0x600C0000, 0x10000))
_DIRECT_BOOT = bytes.fromhex("1d04dbae1d04dbae")
_CRYSTAL_HZ = 40e6
_LOOKS = 2  # until a status bit follows
_POLLS_PER_BYTE = 8
_WDT_KEY, _SWD_KEY = 0x50D83AA1, 0x8F1D312A


class System(Peripheral):
    """Clock gates and resets of blocks, and the CPU's clock."""

    base, size = 0x600C0000, 0x1000
    CLOCKS, RESETS, CPU_CLOCK = 0x10, 0x18, 0x58
    UART, UART_MEMORY, SYSTIMER = 1 << 2, 1 << 24, 1 << 29

    def reset(self) -> None:
        held = self.UART | self.UART_MEMORY | self.SYSTIMER
        self.registers = {self.CLOCKS: 0, self.RESETS: held, self.CPU_CLOCK: 1}

    def is_ready(self, blocks: int) -> bool:
        clocks, held = self.registers[self.CLOCKS], self.registers[self.RESETS]
        return clocks & blocks == blocks and not held & blocks


class Watchdog(Peripheral):
    """enables: bits of its configuration that must be off; feeds: that must be on. take: bit that
    makes a new configuration valid."""

    size = 4

    def __init__(
        self, name: str, base: int, protect: int, key: int, enables: int, feeds: int, take: int
    ) -> None:
        super().__init__()
        self.name, self.base, self.size = name, base, protect - base + 4
        self._protect, self._key = protect - base, key
        self._enables, self._feeds, self._take = enables, feeds, take

    def reset(self) -> None:
        self.registers = {0: self._enables, self._protect: 0}
        self._config = self._enables

    def _is_open(self) -> bool:
        return self.registers[self._protect] == self._key

    def write(self, offset: int, value: int) -> None:
        if offset == 0 and not self._is_open():
            self.fault(f"the {self.name} is written while it is protected")
            return
        super().write(offset, value)
        if offset == 0 and value & self._take == self._take:
            self._config = value

    def wrong(self) -> str:
        if self._is_open():
            return f"the {self.name} is left open to writes"
        is_fed = self._config & self._feeds == self._feeds
        return "" if is_fed and not self._config & self._enables else f"the {self.name} is on"


def watchdogs() -> list[Watchdog]:
    flash_boot, mwdt_flash_boot = 1 << 12, 1 << 14
    return [
        Watchdog("RTC watchdog", 0x60008090, 0x600080A8, _WDT_KEY, 1 << 31 | flash_boot, 0, 0),
        Watchdog("super watchdog", 0x600080AC, 0x600080B0, _SWD_KEY, 0, 1 << 31, 0),
        Watchdog(
            "main watchdog", 0x6001F048, 0x6001F064, _WDT_KEY, 1 << 31 | mwdt_flash_boot, 0, 1 << 22
        ),
    ]


class Pins(Peripheral):
    """The IO MUX."""

    base, size = 0x60009000, 0x1000
    RX, TX = 20, 21
    _PULL_UP, _INPUT = 1 << 8, 1 << 9

    def reset(self) -> None:
        self.registers = {4 + 4 * pin: 1 << 12 for pin in range(22)}

    def wrong(self, pin: int) -> str:
        value = self.registers[4 + 4 * pin]
        if value >> 12 & 7:
            return f"GPIO{pin} is not the UART's"
        needed = self._PULL_UP | self._INPUT
        return (
            "GPIO20 is no input with a pull-up"
            if pin == self.RX and value & needed != needed
            else ""
        )


class Matrix(Peripheral):
    """GPIO matrix: where the UART's input comes from."""

    base, size = 0x60004000, 0x1000
    RXD = 0x16C
    _FROM_MATRIX = 1 << 6

    def reset(self) -> None:
        self.registers = {self.RXD: self._FROM_MATRIX}

    def wrong(self) -> str:
        is_matrix = self.registers[self.RXD] & self._FROM_MATRIX
        return "the UART listens to the GPIO matrix" if is_matrix else ""


class SystemTimer(Peripheral):
    base, size = 0x60023000, 0x1000
    CONFIG, REQUEST, LOW = 0x00, 0x04, 0x44
    _COUNTS, _LATCH, _LATCHED = 1 << 30, 1 << 30, 1 << 29
    _PER_LOOK = 400  # 25 us

    def __init__(self, system: System) -> None:
        super().__init__()
        self._system = system

    def reset(self) -> None:
        super().reset()
        self._count = self._looks = 0

    def write(self, offset: int, value: int) -> None:
        super().write(offset, value)
        if not self._system.is_ready(System.SYSTIMER):
            self.fault("the system timer is written while it is off")
        elif offset == self.REQUEST and value & self._LATCH:
            if not self.registers.get(self.CONFIG, 0) & self._COUNTS:
                self.fault("the system timer does not count")
            self._count, self._looks = self._count + self._PER_LOOK & 0xFFFFFFFF, 0

    def read(self, offset: int) -> int:
        if offset == self.REQUEST:
            self._looks += 1
            return self._LATCHED if self._looks > _LOOKS else 0
        if offset == self.LOW:
            if self._looks <= _LOOKS:
                self.fault("the system timer is read before its value is there")
            return self._count
        return super().read(offset)


class Esp32c3Uart(StrictUart):
    base, size = 0x60000000, 0x1000
    FIFO, INT_ENABLE, INT_CLEAR, DIVISOR, STATUS = 0x00, 0x0C, 0x10, 0x14, 0x1C
    CONF0, CONF1, FSM, CLOCK, ID = 0x20, 0x24, 0x6C, 0x78, 0x80
    _RESET_CORE, _CLOCKS, _CRYSTAL = 1 << 23, 1 << 25 | 1 << 24 | 1 << 22, 3 << 20
    _TAKE, _BY_ITSELF = 1 << 31, 1 << 30
    _MEMORY_CLOCK, _TIMEOUT = 1 << 28, 1 << 21
    _FULL, _TIMED_OUT = 1 << 0, 1 << 8
    _FIFO_BYTES = 128

    def __init__(self, system: System, pins: Pins, matrix: Matrix, others: list[Watchdog]) -> None:
        super().__init__(_CRYSTAL_HZ)
        self._system, self._pins, self._matrix, self._watchdogs = system, pins, matrix, others

    def reset(self) -> None:
        super().reset()
        self.registers = {self.ID: self._BY_ITSELF | 0x500, self.CLOCK: 0, self.CONF1: 0xC060}
        self._taken: dict[int, int] = {}
        self._looks = self._sending = self._raw = 0
        self._is_fresh = False

    def was_reset(self) -> None:
        """By the system's registers."""
        self._is_fresh = bool(self.registers[self.CLOCK] & self._RESET_CORE)
        if self._sending:
            self.fault("the UART is reset while it sends")

    # ---- what is wrong ----

    def _wrong_clock(self) -> str:
        clock = self.registers[self.CLOCK]
        if not self._system.is_ready(System.UART | System.UART_MEMORY):
            return "the UART or its memory is off or held in reset"
        if not self._is_fresh or clock & self._RESET_CORE:
            return "the UART was not reset as its manual says"
        needed = self._CLOCKS | self._CRYSTAL
        return "" if clock & needed == needed else "the UART is not clocked by the crystal"

    def _wrong_registers(self) -> str:
        if self.registers[self.ID] & self._BY_ITSELF:
            return "the UART takes its registers over by itself"
        if self._looks <= _LOOKS:
            return "the UART has not taken its registers over"
        conf0 = self._taken.get(self.CONF0, 0)
        if not conf0 & self._MEMORY_CLOCK or conf0 & 0x3F != 0x1C:
            return "the UART has no 8 bits, or its memory no clock"
        return ""

    def _wrong(self, pin: int) -> str:
        found = [self._wrong_clock(), self._wrong_registers(), self._pins.wrong(pin)]
        found += [w.wrong() for w in self._watchdogs]
        if self._system.registers[System.CPU_CLOCK]:
            found.append("the CPU is not clocked as board.toml says")
        if pin == Pins.RX:
            found.append(self._matrix.wrong())
        return next((text for text in found if text), "")

    # ---- registers ----

    def _listens(self) -> bool:
        if not self.has_received():
            return False
        wrong = self._wrong(Pins.RX)
        if wrong:
            self.fault(wrong)
            self.line.to_chip.clear()
        return not wrong

    def asks(self) -> bool:
        conf1 = self._taken.get(self.CONF1, 0)
        if self._listens():
            waiting = len(self.line.to_chip)
            self._raw |= self._FULL if waiting > conf1 & 0x1FF else 0
            self._raw |= self._TIMED_OUT if conf1 & self._TIMEOUT else 0
        return bool(self._raw & self.registers.get(self.INT_ENABLE, 0))

    def read(self, offset: int) -> int:
        if offset == self.STATUS:
            self._drain()
            waiting = min(len(self.line.to_chip), self._FIFO_BYTES) if self._listens() else 0
            return self._sending << 16 | waiting
        if offset == self.FIFO:
            return self.receive()
        if offset == self.FSM:
            return (self._sending > 0) << 4
        if offset == self.ID and self.registers[self.ID] & self._TAKE:
            self._looks += 1
            if self._looks > _LOOKS:
                self.registers[self.ID] &= ~self._TAKE
        return super().read(offset)

    def _drain(self) -> None:
        """A byte leaves the FIFO after the program has looked that often."""
        self._polls += 1
        if self._polls % _POLLS_PER_BYTE == 0:
            self._sending -= self._sending > 0

    def write(self, offset: int, value: int) -> None:
        if not self._system.is_ready(System.UART):
            self.fault("the UART is written while it is off")
        elif offset == self.FIFO:
            self._send(value & 0xFF)
        elif offset == self.INT_CLEAR:
            self._raw &= ~value
        else:
            super().write(offset, value)
            if offset == self.ID and value & self._TAKE:
                self._taken, self._looks = dict(self.registers), 0

    def _send(self, byte: int) -> None:
        wrong = self._wrong(Pins.TX)
        divisor = self._taken.get(self.DIVISOR, 0)
        if not wrong and self._sending >= self._FIFO_BYTES:
            wrong = "a byte was written while the FIFO was full"
        if not wrong and not divisor:
            wrong = "the divisor is missing"
        if wrong:
            self.fault(wrong)
        elif self.check_rate(self.hz / ((divisor & 0xFFF) + (divisor >> 20 & 15) / 16)):
            self._sending += 1
            self.line.send(byte)


class SystemOfUart(System):
    """Tells the UART of its resets."""

    uart: Esp32c3Uart

    def write(self, offset: int, value: int) -> None:
        rises = value & ~self.registers.get(offset, 0)
        super().write(offset, value)
        if offset == self.RESETS and rises & self.UART:
            self.uart.was_reset()


class Interrupts(Peripheral):
    """Interrupt matrix and the CPU's controller."""

    base, size = 0x600C2000, 0x1000
    ENABLE, EDGES, PRIORITY, THRESHOLD = 0x104, 0x108, 0x114, 0x194
    _UART0 = 21

    def __init__(self, uart: Esp32c3Uart) -> None:
        super().__init__()
        self._uart = uart

    def reset(self) -> None:
        self.registers = {self.EDGES: 0xFFFFFFFF, self.THRESHOLD: 15}

    def cause(self) -> int | None:
        line = self.registers.get(4 * self._UART0, 0)
        priority = self.registers.get(self.PRIORITY + 4 * line, 0)
        is_enabled = self.registers.get(self.ENABLE, 0) >> line & 1
        is_level = not self.registers[self.EDGES] >> line & 1
        if not (line and is_enabled and is_level and priority):
            return None
        is_high = priority >= self.registers[self.THRESHOLD]
        return line if is_high and self._uart.asks() else None


class Esp32c3(RiscvChip):
    entry = len(_DIRECT_BOOT)

    def __init__(self) -> None:
        system, pins, matrix = SystemOfUart(), Pins(), Matrix()
        guards = watchdogs()
        uart = system.uart = Esp32c3Uart(system, pins, matrix, guards)
        interrupts, timer = Interrupts(uart), SystemTimer(system)
        parts = [system, pins, matrix, *guards, uart, interrupts, timer]
        super().__init__((_FLASH, _FLASH_BYTES), _RAM, _REGISTERS, parts, uart, interrupts.cause)

    def reset(self) -> None:
        """The ROM maps flash to both buses, and starts nothing but a direct boot."""
        uc = self.core.uc
        if not any(begin == _DATA_BUS for begin, _, _ in uc.mem_regions()):
            uc.mem_map(_DATA_BUS, _FLASH_BYTES)
            uc.hook_add(UC_HOOK_MEM_READ, self._reads_code, None, _FLASH, _FLASH + _FLASH_BYTES - 1)
        super().reset()
        uc.mem_write(_DATA_BUS, bytes(self.flash.cells))
        if not self.flash.cells.startswith(_DIRECT_BOOT):
            self.core.problem = "the boot ROM finds no program"

    def _may_interrupt(self) -> bool:
        return True  # the CPU has no `mie`

    def _reads_code(
        self, uc: Uc, access: int, address: int, size: int, value: int, data: object
    ) -> None:
        if size != 4 or address % 4:
            self.flash.fault(f"{size} bytes at {address:#x} are read over the instruction bus")
