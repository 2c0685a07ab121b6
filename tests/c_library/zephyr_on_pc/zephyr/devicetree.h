#pragma once
#define DT_CHOSEN(name) chosen_##name
#define chosen_zephyr_console chosen_console
