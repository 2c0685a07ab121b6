// A Raspberry Pi Pico in rp2040js: its first serial line, or the host at the other end of its USB
// cable. Commands come as lines of JSON, and so do answers.
//
//   node rp2040.mjs FOLDER_OF_NPM BOOT_ROM PROGRAM uart|usb
//
// {"data": HEX} goes to the program; {"line": {"baud": N, "dtr": BOOL}} sets the USB line.
// Answers: {"data": HEX}; {"ready": {...}} when the program can be talked to; {"boot_loader": true}
// when it has restarted into the boot ROM's drive; {"fault": TEXT}.
import fs from 'node:fs';
import readline from 'node:readline';
import { pathToFileURL } from 'node:url';

const [npm, romFile, programFile, lineKind] = process.argv.slice(2);
const home = `${npm}/node_modules/rp2040js/dist/esm`;
const load = (name) => import(pathToFileURL(`${home}/${name}`).href);
const { Simulator } = await load('index.js');

const BOOT_BLOCK_AT = 0x20041f00;
const SYSRESETREQ = 0x05fa0004;
const IDLE_NANOS = 100_000;

const say = (message) => process.stdout.write(JSON.stringify(message) + '\n');
const simulator = new Simulator();
const chip = simulator.rp2040;
const complaints = new Set();
const complain = (text) => {
  if (text.startsWith('SSI: Unimplemented')) return; // the strict model checks what is set there
  if (!complaints.has(text)) say({ fault: text });
  complaints.add(text);
};
chip.logger = {
  debug() {},
  info() {},
  warn(part, text) { complain(`${part}: ${text}`); },
  error(part, text) { complain(`${part}: ${text}`); },
};

const rom = fs.readFileSync(romFile);
chip.loadBootrom(new Uint32Array(rom.buffer, rom.byteOffset, rom.length / 4));

function start() {
  const program = fs.readFileSync(programFile);
  chip.reset();
  chip.flash.set(program, 0);
  // As the boot ROM does, which cannot read flash here.
  chip.sram.set(program.subarray(0, 256), BOOT_BLOCK_AT - 0x20000000);
  chip.core.PC = BOOT_BLOCK_AT;
  chip.core.LR = 0;
}

const writePpb = chip.ppb.writeUint32.bind(chip.ppb);
chip.ppb.writeUint32 = (offset, value) => {
  if (offset === 0xd0c && value >>> 0 === SYSRESETREQ) start();
  else writePpb(offset, value);
};
const watchdog = chip.peripherals[0x40058];
watchdog.onWatchdogTrigger = () => {
  say({ boot_loader: true, scratch: [...watchdog.scratchData].map((x) => x >>> 0) });
  stopped = true;
};

let stopped = false;
let line;
if (lineKind === 'uart') {
  const { uartLine } = await import('./rp2040_uart.mjs');
  line = uartLine(chip, say);
} else {
  const { usbHost } = await import('./rp2040_usb.mjs');
  line = await usbHost(chip, load, say, complain);
}
start();

function run() {
  const clock = simulator.clock;
  let idle = 0;
  for (let i = 0; i < 50_000 && !stopped; i++) {
    line.poll();
    if (chip.core.waiting) {
      idle += 1;
      if (idle > 50 && !line.isBusy()) break;
      clock.tick(Math.min(clock.nanosToNextAlarm || IDLE_NANOS, IDLE_NANOS));
    } else {
      clock.tick((chip.core.executeInstruction() * 1e9) / chip.clkSys);
    }
  }
  if (!stopped) setTimeout(run, line.isBusy() || !chip.core.waiting ? 0 : 1);
}

readline.createInterface({ input: process.stdin }).on('line', (text) => {
  const command = JSON.parse(text);
  if (command.data) line.send(Buffer.from(command.data, 'hex'));
  if (command.line) line.setLine(command.line);
}).on('close', () => process.exit(0));
run();
