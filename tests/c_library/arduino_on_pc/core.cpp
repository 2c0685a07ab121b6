/* main() of a sketch; its Serial is the file descriptor of the only argument, else stdout. */
#include "Arduino.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

SerialPort Serial;
static int fd = 1;

unsigned long micros() {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (unsigned long)now.tv_sec * 1000000ul + (unsigned long)now.tv_nsec / 1000ul;
}

unsigned long millis() {
    return micros() / 1000;
}

void delay(unsigned long ms) {
    usleep((useconds_t)(ms * 1000));
}

void SerialPort::begin(unsigned long) {}

int SerialPort::available() {
    int n = 0;
    struct pollfd waits = {fd, POLLIN, 0};
    poll(&waits, 1, 10); /* gives the CPU away while nothing comes */
    return ioctl(fd, FIONREAD, &n) == 0 ? n : 0;
}

int SerialPort::read() {
    uint8_t byte;
    return ::read(fd, &byte, 1) == 1 ? byte : -1;
}

size_t SerialPort::write(const uint8_t *data, size_t n) {
    ssize_t sent = ::write(fd, data, n);
    return sent < 0 ? 0 : (size_t)sent;
}

void Stream::print(const char *text) {
    write((const uint8_t *)text, strlen(text));
}

void Stream::print(char c) {
    write((const uint8_t *)&c, 1);
}

void Stream::print(int n) {
    print((double)n, 0);
}

void Stream::print(unsigned long n) {
    print((double)n, 0);
}

void Stream::print(double x, int digits) {
    char text[40];
    snprintf(text, sizeof text, "%.*f", digits, x);
    print(text);
}

int main(int argc, char **argv) {
    if (argc == 2) {
        fd = atoi(argv[1]);
    }
    setup();
    while (argc == 2) {
        loop();
    }
}
