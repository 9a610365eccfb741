/* QEMU's edu device (docs/specs/edu.rst): interrupts by MSI, and DMA. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/edu.h"

#define EDU_ID      0x11e81234u
#define EDU_STATUS  0x24u
#define EDU_RAISE   0x60u
#define EDU_CLEAR   0x64u
#define DMA_SOURCE  0x80u
#define DMA_TARGET  0x88u
#define DMA_COUNT   0x90u
#define DMA_COMMAND 0x98u
#define DMA_START   1u
#define DMA_TO_RAM  2u
#define DMA_BUFFER  0x40000u

static volatile uint32_t *edu;
static uint32_t config_at, msi_at;

void edu_find(void)
{
	for (uint32_t device = 0; device < 32 && !edu; device++) {
		config_at = device << 11;
		if (pci_read(config_at) == EDU_ID)
			edu = (volatile uint32_t *)(uintptr_t)(pci_read(config_at + 0x10) & ~15u);
	}
	if (!edu)
		case_skip("no edu");
	pci_write(config_at + 4, pci_read(config_at + 4) | 6); /* memory, bus master */
	msi_at = pci_read(config_at + 0x34) & 0xfc;
	while (msi_at && (pci_read(config_at + msi_at) & 0xff) != 5)
		msi_at = pci_read(config_at + msi_at) >> 8 & 0xfc;
	if (!msi_at)
		case_error("edu has no MSI");
}

uint32_t edu_msi_at(void)
{
	return msi_at;
}

uint32_t edu_config_read(uint32_t offset)
{
	return pci_read(config_at + msi_at + offset);
}

void edu_config_write(uint32_t offset, uint32_t value)
{
	pci_write(config_at + msi_at + offset, value);
}

void edu_msi(uint32_t address, uint32_t data)
{
	edu_config_write(MSI_ADDRESS, address);
	edu_config_write(MSI_ADDRESS + 4, 0);
	edu_config_write(MSI_DATA, data);
	edu_config_write(MSI_CONTROL, edu_config_read(MSI_CONTROL) | MSI_ENABLE);
}

void edu_msi_off(void)
{
	edu_config_write(MSI_CONTROL, edu_config_read(MSI_CONTROL) & ~MSI_ENABLE);
}

void edu_raise(uint32_t bits)
{
	edu[EDU_RAISE / 4] = bits;
}

uint32_t edu_status(void)
{
	return edu[EDU_STATUS / 4];
}

void edu_clear(uint32_t bits)
{
	edu[EDU_CLEAR / 4] = bits;
}

static void dma(uint64_t from, uint64_t to, uint32_t command)
{
	volatile uint64_t *r = (volatile void *)edu;

	r[DMA_SOURCE / 8] = from;
	r[DMA_TARGET / 8] = to;
	r[DMA_COUNT / 8] = 4;
	r[DMA_COMMAND / 8] = command | DMA_START;
	while (r[DMA_COMMAND / 8] & DMA_START)
		cpu_relax();
}

void edu_dma_write(uint64_t to, uint32_t value)
{
	static volatile uint32_t source;

	source = value;
	dma((uintptr_t)&source, DMA_BUFFER, 0);
	dma(DMA_BUFFER, to, DMA_TO_RAM);
}
