// The host at the other end of the Pico's USB cable: rp2040js enumerates the device, and this talks
// to its serial port. It complains where a real host or controller would not forgive: data toggles
// (USB 2.0, 8.6), words that are given away in one write, and clocks that are wrong.

const SETUP_IN = 0x80;
const SET_LINE_CODING = 0x20;
const SET_LINE_STATE = 0x22;
const BUFFERS = 0x80; // the control words in the shared memory
const AVAILABLE = 1 << 10;
const STALL = 1 << 11;
const IN_DATA = 4; // numbers of buffers: 2 * endpoint, and 1 more for packets from the host
const OUT_DATA = 5;
const DATA1 = 1 << 13;
const PACKET = 64;

function setupPacket(type, request, value, index, length) {
  const packet = Buffer.alloc(8);
  packet.writeUInt8(type, 0);
  packet.writeUInt8(request, 1);
  packet.writeUInt16LE(value, 2);
  packet.writeUInt16LE(index, 4);
  packet.writeUInt16LE(length, 6);
  return packet;
}

function checkBuffers(usb, complain) {
  const toggles = new Map();
  const written = new Map();
  const updated = usb.DPRAMUpdated.bind(usb);
  const send = usb.sendSetupPacket.bind(usb);
  usb.sendSetupPacket = (packet) => {
    toggles.set(0, DATA1).set(1, DATA1);
    for (const buffer of [0, 1]) usb.rp2040.usbDPRAMView.setUint32(BUFFERS + 4 * buffer, 0, true);
    usb.epStallArm = 0;
    if (packet[0] === 0 && packet[1] === 9) toggles.set(IN_DATA, 0).set(OUT_DATA, 0);
    if (packet[0] === 2 && packet[1] === 1) toggles.set(packet[4] & SETUP_IN ? IN_DATA : OUT_DATA, 0);
    send(packet);
  };
  usb.DPRAMUpdated = (offset, value) => {
    const buffer = (offset - BUFFERS) / 4;
    if (offset >= BUFFERS && offset < 0x100 && value & AVAILABLE) {
      if (written.get(buffer) !== (value & ~AVAILABLE)) complain(`buffer ${buffer} is given at once`);
      if ((value & DATA1) !== toggles.get(buffer)) complain(`buffer ${buffer}: wrong data toggle`);
      toggles.set(buffer, toggles.get(buffer) ^ DATA1);
    }
    written.set(buffer, value);
    updated(offset, value);
  };
}

function checkSetUp(chip, complain) {
  const usb = chip.usbCtrl;
  const seen = new Map();
  chip.usbDPRAM.fill(0xa5);
  const write = usb.writeUint32.bind(usb);
  usb.writeUint32 = (offset, value) => {
    seen.set(offset, value >>> 0);
    if (offset === 0x40 && chip.peripherals[0x4000c].reset & (1 << 24)) complain('USB is in reset');
    if (offset === 0x40 && chip.usbDPRAM.subarray(8, 256).some((x) => x)) complain('control words are left over');
    write(offset, value);
  };
  return () => {
    if (chip.pllUsb.frequency !== 48e6) complain(`PLL_USB runs at ${chip.pllUsb.frequency} Hz`);
    if (chip.pllUsb.pwr & 0x29) complain('PLL_USB is off');
    if ((chip.clocks.usbCtrl & 0x8e0) !== 0x800) complain('clk_usb is not PLL_USB');
    if (seen.get(0x74) !== 9) complain('the controller is not connected to the cable');
    if (seen.get(0x78) !== 0xc) complain('the controller does not know that it has power');
    if (!(usb.sieCtrl & (1 << 16))) complain('the host does not see the device');
    if (!(usb.sieCtrl & (1 << 29))) complain('endpoint 0 has no interrupts');
  };
}

export async function usbHost(chip, load, say, complain) {
  const { USBCDC } = await load('usb/cdc.js');
  const usb = chip.usbCtrl;
  const cdc = new USBCDC(usb);
  checkBuffers(usb, complain);
  const checkSet = checkSetUp(chip, complain);
  const writeToClass = usb.onEndpointWrite;
  const requests = [];
  let current = null;
  let wanted = 0; // bytes that the board has asked for
  let waiting = [];
  let isReady = false;

  function next() {
    current = requests.shift() ?? null;
    if (current?.packet) usb.sendSetupPacket(current.packet);
  }
  function finish(result) {
    const { resolve } = current;
    current = null;
    resolve(result);
    if (!current) next();
  }
  // rp2040js tells the board of a sent packet before this side has it: both have to be done.
  function finishRead() {
    if (!current.hasAll || !current.isAsked) return;
    usb.endpointReadDone(0, new Uint8Array(0));
    finish(Buffer.from(current.got));
  }
  function request(packet, data) {
    return new Promise((resolve) => {
      requests.push({ packet, data, resolve, got: [] });
      if (!current) next();
    });
  }
  const read = (value, length) => request(setupPacket(SETUP_IN, 6, value, 0, length));

  usb.onEndpointWrite = (endpoint, buffer) => {
    if (endpoint === 0 && current) {
      if (!current.packet || !(current.packet[0] & SETUP_IN)) finish(buffer.length === 0);
      else {
        current.got.push(...buffer);
        current.hasAll = buffer.length < PACKET || current.got.length === current.packet.readUInt16LE(6);
        finishRead();
      }
    } else writeToClass(endpoint, buffer);
  };
  usb.onEndpointRead = (endpoint, size) => {
    if (endpoint === 0 && current) {
      current.isAsked = true;
      if (current.packet[0] & SETUP_IN) finishRead();
      else usb.endpointReadDone(0, new Uint8Array(current.data));
    } else if (endpoint === cdc.outEndpoint) wanted = size;
  };
  const memory = usb.rp2040.usbDPRAMView;

  // As the driver of Linux: it has a large buffer, and passes it on when a short packet ends it.
  let arrived = [];
  cdc.onSerialData = (buffer) => {
    arrived.push(...buffer);
    if (buffer.length === PACKET) return;
    if (arrived.length) say({ data: Buffer.from(arrived).toString('hex') });
    arrived = [];
  };
  cdc.onDeviceConnected = async () => {
    // rp2040js has just asked for the line state.
    await new Promise((resolve) => { current = { resolve, got: [] }; });
    checkSet();
    const device = await read(0x100, 18);
    const begin = await read(0x200, 9);
    const configuration = await read(0x200, begin.readUInt16LE(2));
    const languages = await read(0x300, 255);
    const strings = [];
    for (const index of [device[14], device[15]]) {
      const text = await read(0x300 | index, 255);
      strings.push(text.subarray(2).toString('utf16le'));
    }
    checkEndpoints(configuration);
    if (usb.addrEndp !== 1) complain(`the address is ${usb.addrEndp}`);
    const qualifier = await read(0x600, 10); // of devices with two speeds: refused
    const after = await read(0x100, 64);
    const states = [...await request(setupPacket(SETUP_IN, 8, 0, 0, 1))];
    await resetAgain();
    states.push(...await request(setupPacket(SETUP_IN, 8, 0, 0, 1)));
    await request(setupPacket(0, 5, 7, 0, 0));
    await request(setupPacket(0, 9, 1, 0, 0));
    await request(setupPacket(0x21, SET_LINE_STATE, 3, 0, 0));
    for (const address of [0x82, 0x02]) await request(setupPacket(2, 1, 0, address, 0));
    states.push(...await request(setupPacket(SETUP_IN, 8, 0, 0, 1)));
    if (usb.addrEndp !== 7) complain(`the address is ${usb.addrEndp}`);
    isReady = true; // a host sends nothing before
    say({ ready: {
      device: device.toString('hex'),
      configuration: configuration.toString('hex'),
      languages: languages.toString('hex'),
      strings,
      states,
      refuses: qualifier === null && after.equals(device),
    } });
  };

  // Each endpoint of the configuration is on, with its type.
  function checkEndpoints(configuration) {
    for (let at = 0; at < configuration.length; at += configuration[at]) {
      if (configuration[at + 1] !== 5) continue;
      const [address, type] = configuration.subarray(at + 2);
      const word = memory.getUint32(8 * (address & 15) + (address & SETUP_IN ? 0 : 4), true);
      if (!(word >>> 31) || ((word >> 26) & 3) !== type) complain(`endpoint ${address} is off`);
    }
  }

  // The bus is reset once more, while a packet is under way.
  function resetAgain() {
    memory.setUint32(BUFFERS + 4 * IN_DATA, AVAILABLE, true);
    return new Promise((resolve) => {
      usb.onResetReceived = () => {
        if (usb.addrEndp !== 0) complain('the address outlives a reset of the bus');
        resolve();
      };
      usb.resetDevice();
    });
  }

  async function setLine({ baud, dtr }) {
    const coding = Buffer.from([0, 0, 0, 0, 0, 0, 8]);
    coding.writeUInt32LE(baud, 0);
    await request(setupPacket(0x21, SET_LINE_CODING, 0, 0, 7), coding);
    const back = await request(setupPacket(0xa1, 0x21, 0, 0, 7));
    say({ line: back.readUInt32LE(0) });
    await request(setupPacket(0x21, SET_LINE_STATE, dtr ? 3 : 0, 0, 0));
  }

  return {
    poll() {
      if (isReady && wanted && waiting.length) {
        const packet = new Uint8Array(waiting.splice(0, Math.min(wanted, PACKET)));
        wanted = 0;
        usb.endpointReadDone(cdc.outEndpoint, packet);
      }
      if (current && (memory.getUint32(BUFFERS, true) & STALL)) {
        const both = memory.getUint32(BUFFERS + 4, true) & STALL && usb.epStallArm === 3;
        if (both) finish(null);
      }
    },
    isBusy: () => (isReady && waiting.length > 0) || current !== null,
    send: (data) => { for (const byte of data) waiting.push(byte); },
    setLine,
  };
}
