/* What the sketches use of Arduino's core, on a PC: a stand-in for cores with 32 bits. */
#ifndef ARDUINO_ON_PC_H
#define ARDUINO_ON_PC_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#define PROGMEM
#define pgm_read_byte(p) (*(const uint8_t *)(p))
#define constrain(x, low, high) ((x) < (low) ? (low) : (x) > (high) ? (high) : (x))

unsigned long millis();
unsigned long micros();
void delay(unsigned long ms);

class Stream {
  public:
    virtual int available() = 0;
    virtual int read() = 0;
    virtual size_t write(const uint8_t *data, size_t n) = 0;
    virtual void flush() {}
    void print(const char *text);
    void print(char c);
    void print(int n);
    void print(unsigned long n);
    void print(double x, int digits = 2);
    template <typename T> void println(T value) {
        print(value);
        print("\r\n");
    }
    void println(double x, int digits) {
        print(x, digits);
        print("\r\n");
    }
};

class SerialPort : public Stream {
  public:
    void begin(unsigned long baud);
    int available() override;
    int read() override;
    size_t write(const uint8_t *data, size_t n) override;
};

extern SerialPort Serial;

void setup();
void loop();

#endif
