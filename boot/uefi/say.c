/* Messages of the UEFI loader, and ConOut and ConIn for the VMM. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "boot/uefi/loader.h"

static char *capture_buffer;
static UINTN capture_size, capture_length;

static void put(EFI_SIMPLE_TEXT_OUT_PROTOCOL *out, const char *text)
{
	CHAR16 line[128];
	UINTN n = 0;
	if (out == NULL) /* a machine without console */
		return;
	for (; *text != '\0'; text++) {
		if (*text == '\n')
			line[n++] = L'\r';
		line[n++] = (CHAR16)(unsigned char)*text;
		if (n >= 126 || text[1] == '\0') {
			line[n] = 0;
			n = 0;
			out->OutputString(out, line);
		}
	}
}

void say(const char *format, ...)
{
	char text[512] = "loadvmm: ";
	va_list args;
	va_start(args, format);
	AsciiVSPrint((CHAR8 *)text + 9, sizeof(text) - 10, (const CHAR8 *)format, args);
	va_end(args);
	put(ST->ConOut, text);
	put(ST->ConOut, "\n");
}

void EFIAPI say_conout(EFI_SIMPLE_TEXT_OUT_PROTOCOL *this, const char *text)
{
	put(this, text);
	for (; capture_buffer != NULL && *text != '\0' && capture_length < capture_size; text++)
		capture_buffer[capture_length++] = *text;
}

UINT8 EFIAPI say_conin(SIMPLE_INPUT_INTERFACE *this)
{
	EFI_INPUT_KEY key = {0};
	if (this == NULL || EFI_ERROR(this->ReadKeyStroke(this, &key)) || key.UnicodeChar > 0x7f)
		return 0;
	return (UINT8)key.UnicodeChar;
}

UINTN say_capture(char *buffer, UINTN size)
{
	UINTN length = capture_length;
	capture_buffer = buffer;
	capture_size = size;
	capture_length = 0;
	return length;
}
