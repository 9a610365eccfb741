/* The panic screen's font: the build makes it from a package, see deps/console-font. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include "core/console/fbtext.h"

extern fbtext_font font_8x16;
