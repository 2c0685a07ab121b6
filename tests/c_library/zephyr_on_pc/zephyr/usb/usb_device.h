#pragma once
typedef void (*usb_dc_status_callback)(int status, const unsigned char *param);
int usb_enable(usb_dc_status_callback status_cb);
