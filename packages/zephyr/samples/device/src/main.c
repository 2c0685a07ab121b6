/* Answers: byteprop verify model.tflite --board arduino --port PORT */
#include <byteprop_device.h>
#include <zephyr/device.h>
#include <zephyr/devicetree.h>
#if defined(CONFIG_USB_DEVICE_STACK)
#include <zephyr/usb/usb_device.h>
#endif

int main(void) {
    const struct device *uart = DEVICE_DT_GET(DT_CHOSEN(zephyr_console));
#if defined(CONFIG_USB_DEVICE_STACK)
    if (usb_enable(NULL) != 0) {
        return 1;
    }
#endif
    if (!device_is_ready(uart)) {
        return 1;
    }
    byteprop_device_run(uart);
    return 0;
}
