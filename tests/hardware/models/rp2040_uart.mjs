// The other end of the Pico's UART0.

export function uartLine(chip, say) {
  const uart = chip.uart[0];
  const waiting = [];
  let sent = [];
  let isReady = false;
  uart.onByte = (byte) => sent.push(byte);
  return {
    poll() {
      if (!isReady && uart.enabled) {
        isReady = true;
        say({ ready: { baud: uart.baudRate, bits: uart.wordLength } });
      }
      if (waiting.length && uart.enabled && uart.rxFIFO.empty) uart.feedByte(waiting.shift());
      if (sent.length >= 256 || (sent.length && chip.core.waiting)) {
        say({ data: Buffer.from(sent).toString('hex') });
        sent = [];
      }
    },
    isBusy: () => waiting.length > 0 || sent.length > 0,
    send: (data) => waiting.push(...data),
    setLine() {},
  };
}
